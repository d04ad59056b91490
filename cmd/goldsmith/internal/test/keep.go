// SPDX-License-Identifier: Apache-2.0

package test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"goldsmith.dev/goldsmith/builders/tester"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/shellword"
)

// key is a key for SSH that exists only as long as the command runs.
type key struct {
	directory, file, public string
}

// newKey makes a key with the program that every client of OpenSSH has.
func newKey(ctx context.Context) (*key, error) {
	program, err := exec.LookPath("ssh-keygen")
	if err != nil {
		return nil, errors.New("--keep needs ssh and ssh-keygen: install a client of OpenSSH, in Debian the package openssh-client")
	}
	directory, err := os.MkdirTemp("", "goldsmith-test-")
	if err != nil {
		return nil, fmt.Errorf("make a key for SSH: %w", err)
	}
	made := &key{directory: directory, file: filepath.Join(directory, "key")}
	if text, err := exec.CommandContext(ctx, program, "-q", "-t", "ed25519", "-N", "", "-C", "goldsmith test", "-f", made.file).CombinedOutput(); err != nil {
		made.delete()
		return nil, fmt.Errorf("make a key for SSH: %w: %s", err, text)
	}
	public, err := os.ReadFile(made.file + ".pub")
	if err != nil {
		made.delete()
		return nil, fmt.Errorf("make a key for SSH: %w", err)
	}
	made.public = string(public)
	return made, nil
}

func (k *key) delete() { _ = os.RemoveAll(k.directory) } // it opens nothing any more

// showKept shows the test that failed, and how to log in to its guest.
func (o *options) showKept(guest *tester.Kept, key *key) error {
	if err := o.showFailure(&guest.Result); err != nil {
		return err
	}
	_, err := fmt.Fprintf(o.stderr, "the guest of test %s runs until Ctrl-C; to log in as root, if it has an SSH server:\n"+
		"  ssh -i %s -p %d -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@127.0.0.1\n", guest.Result.Name, shellword.Quote(key.file), guest.SSH)
	return err
}
