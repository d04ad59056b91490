// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"goldsmith.dev/goldsmith/release/output"
)

// signatures are the signatures of the checksums: the ending of each file, with its format as `goldsmith keys sign` names it.
var signatures = []struct{ ending, format string }{{".sigstore.json", "bundle"}, {".sig", "der"}}

// checkSigningKey finds a mistake in the name of the key before minutes of compiling.
func (o *options) checkSigningKey() error {
	if o.signingKey == "" {
		return nil
	}
	info, err := os.Stat(o.signingKey)
	switch {
	case err != nil:
		return fmt.Errorf("signing key: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("signing key: %s is not a file, which can be read more than once", o.signingKey)
	}
	return nil
}

// trySigningKey fails if the command cannot sign with the key, before any file is written.
func (r *run) trySigningKey(ctx context.Context) error {
	if r.signingKey == "" {
		return nil
	}
	_, _, err := r.sign(ctx, filepath.Join(r.from.Directory, "LICENSE"), signatures[0].format)
	return err
}

// writeSignatures writes the signatures of the checksums. Without a key, the release is not signed.
func (r *run) writeSignatures(ctx context.Context, checksums string) error {
	outcome := "not signed: `make release` signs with SIGNING_KEY=FILE"
	if r.signingKey != "" {
		for _, each := range signatures {
			signature, signer, err := r.sign(ctx, checksums, each.format)
			if err != nil {
				return err
			}
			if err := r.to.Write(output.Checksums+each.ending, func(out io.Writer) error { _, err := out.Write(signature); return err }); err != nil {
				return err
			}
			outcome = signer
		}
	}
	_, _ = fmt.Fprintf(r.log, "%s is %s\n", output.Checksums, outcome) // the log is for people who watch
	return nil
}

// sign returns the signature of a file that the command makes, and tells which key signed it. Only the command reads the key.
func (r *run) sign(ctx context.Context, path, format string) (signature []byte, signer string, err error) {
	binary, err := r.commandHere()
	if err != nil {
		return nil, "", err
	}
	var complaints bytes.Buffer
	command := exec.CommandContext(ctx, binary, "keys", "sign", path, "--key="+r.signingKey, "--format="+format, "--output=-")
	command.Env, command.Stderr = []string{"HOME=/nonexistent"}, &complaints
	signature, err = command.Output()
	signer = strings.TrimSpace(complaints.String())
	if err != nil {
		return nil, "", fmt.Errorf("sign %s: %w: %s", filepath.Base(path), err, signer)
	}
	return signature, signer, nil
}
