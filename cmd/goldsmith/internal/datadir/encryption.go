// SPDX-License-Identifier: Apache-2.0

package datadir

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/storage/value"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/shellword"
)

// EncryptionFile is the path of the configuration that encrypts stored Secrets, in the data directory. It holds the key. A
// kube-apiserver takes the same file with --encryption-provider-config.
var EncryptionFile = filepath.Join("server", "encryption.yaml")

// EncryptedPrefix is how every encrypted object begins in the storage.
const EncryptedPrefix = "k8s:enc:"

// encryptionConfiguration is the content of a new EncryptionFile, with a place for the key.
const encryptionConfiguration = `# The key that encrypts Secrets in the storage. Without this file nobody can read them, so keep it, and keep it secret.
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - secretbox:
      keys:
      - name: key1
        secret: %s
`

// OpenEncryption returns the encryption of Secrets, according to EncryptionFile. A missing file is created if no Secret is stored.
// With discard, it deletes the Secrets whose key is lost, and writes a line about them to notices. Without it, their loss is an error.
func (d *Directory) OpenEncryption(ctx context.Context, stored builder.Encrypted, discard bool, notices io.Writer) (value.Transformer, error) {
	lose := func(lost []string, cause string) error {
		switch {
		case len(lost) == 0:
			return nil
		case !discard:
			return d.encryptionError(fmt.Errorf("%s, and decrypts none of these stored Secrets: %s", cause, firstOf(lost)), true)
		}
		if err := stored.Delete(ctx, lost); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(notices, "deleted Secrets, because their key is lost: %s\n", firstOf(lost)) // a notice that nobody can read is no failure
		return nil
	}
	path := d.Join(EncryptionFile)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		all, err := stored.Undecryptable(ctx, nil)
		if err != nil {
			return nil, err
		}
		if err := lose(all, "it is missing"); err != nil {
			return nil, err
		}
		if err := createEncryption(path); err != nil {
			return nil, fmt.Errorf("create %s: %w", path, err)
		}
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("encryption key %s has mode %#o, so other users can use it: chmod 600 %s", path, info.Mode().Perm(), shellword.Quote(path))
	}
	transformer, err := d.readEncryption(ctx)
	if err != nil {
		all, unknown := stored.Undecryptable(ctx, nil)
		return nil, errors.Join(d.encryptionError(err, len(all) > 0 || unknown != nil), unknown)
	}
	lost, err := stored.Undecryptable(ctx, transformer)
	if err != nil {
		return nil, err
	}
	return transformer, lose(lost, "it has another key")
}

// firstOf names the first few keys of a list.
func firstOf(keys []string) string {
	const most = 5
	if len(keys) <= most {
		return strings.Join(keys, ", ")
	}
	return fmt.Sprintf("%s and %d others", strings.Join(keys[:most], ", "), len(keys)-most)
}

// readEncryption reads EncryptionFile.
func (d *Directory) readEncryption(ctx context.Context) (value.Transformer, error) {
	path := d.Join(EncryptionFile)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > MaxServerFile:
		return nil, errors.New("it is not a file with keys")
	}
	configuration, err := encryptionconfig.LoadEncryptionConfig(ctx, path, false, "")
	if err != nil {
		return nil, err
	}
	transformer := configuration.Transformers[corev1.Resource("secrets")]
	if transformer == nil {
		return nil, errors.New("it has no provider for the resource secrets")
	}
	if probe, err := transformer.TransformToStorage(ctx, nil, value.DefaultContext(nil)); err != nil || !bytes.HasPrefix(probe, []byte(EncryptedPrefix)) {
		return nil, errors.Join(errors.New("its first provider does not encrypt"), err)
	}
	return transformer, nil
}

// encryptionError says what is wrong with EncryptionFile, and what to do. needed is whether Secrets are stored.
func (d *Directory) encryptionError(cause error, needed bool) error {
	path := d.Join(EncryptionFile)
	if !needed {
		return fmt.Errorf("encryption key %s: %w\nno Secret is stored, so no key is needed: move the file away, and the server creates a new one", path, cause)
	}
	return fmt.Errorf("encryption key %[1]s: %[2]w\nnothing was changed; without their key, the stored Secrets are lost\n"+
		"to restore it from a backup: tar -xzf BACKUP -C %[3]s %[4]s\nto start without these Secrets: move %[5]s away if it is damaged, and start with --discard-secrets",
		path, cause, shellword.Quote(d.Path), EncryptionFile, shellword.Quote(path))
}

// createEncryption writes a new key. The key is on the disk before any Secret is encrypted with it.
func createEncryption(path string) error {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	if err := WriteFile(path, fmt.Appendf(nil, encryptionConfiguration, base64.StdEncoding.EncodeToString(key[:]))); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}
