// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/storage/value"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/shellword"
)

// encryptionFile is the path of the configuration that encrypts stored Secrets, in the data directory. It holds the key. A
// kube-apiserver takes the same file with --encryption-provider-config.
var encryptionFile = filepath.Join("server", "encryption.yaml")

// encryptedPrefix is how every encrypted object begins in the storage.
const encryptedPrefix = "k8s:enc:"

// encryptionConfiguration is the content of a new encryptionFile, with a place for the key.
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

// errKeyLost is that no key in encryptionFile decrypts the stored Secrets.
var errKeyLost = errors.New("the stored Secrets cannot be decrypted")

// openEncryption returns the encryption of Secrets. With DiscardSecrets it deletes those whose key is lost.
func (s *system) openEncryption(ctx context.Context, stored builder.Encrypted) (value.Transformer, error) {
	transformer, err := s.data.openEncryption(ctx, stored.Example)
	if !s.options.DiscardSecrets || !errors.Is(err, errKeyLost) {
		return transformer, err
	}
	deleted, err := stored.Delete(ctx)
	if err != nil {
		return nil, err
	}
	_, _ = fmt.Fprintf(s.options.Notices, "deleted %d Secrets, because their key is lost\n", deleted) // a notice that nobody can read is no failure
	return s.data.openEncryption(ctx, nil)
}

// openEncryption returns the encryption of Secrets, according to encryptionFile. stored is a stored Secret, or nil if there is
// none. Only then a missing file is created.
func (d *dataDirectory) openEncryption(ctx context.Context, stored []byte) (value.Transformer, error) {
	path := d.join(encryptionFile)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if stored != nil {
			return nil, d.encryptionError(fmt.Errorf("it is missing: %w", errKeyLost))
		}
		if err := createEncryption(path); err != nil {
			return nil, fmt.Errorf("create %s: %w", path, err)
		}
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, d.encryptionError(err)
	case !info.Mode().IsRegular() || info.Size() > maxServerFile:
		return nil, d.encryptionError(errors.New("it is not a file with keys"))
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("encryption key %s has mode %#o, so other users can use it: chmod 600 %s", path, info.Mode().Perm(), shellword.Quote(path))
	}
	configuration, err := encryptionconfig.LoadEncryptionConfig(ctx, path, false, "")
	if err != nil {
		return nil, d.encryptionError(err)
	}
	transformer := configuration.Transformers[corev1.Resource("secrets")]
	if transformer == nil {
		return nil, d.encryptionError(errors.New("it has no provider for the resource secrets"))
	}
	if probe, err := transformer.TransformToStorage(ctx, nil, value.DefaultContext(nil)); err != nil || !bytes.HasPrefix(probe, []byte(encryptedPrefix)) {
		return nil, d.encryptionError(errors.Join(errors.New("its first provider does not encrypt"), err))
	}
	if stored != nil {
		if _, _, err := transformer.TransformFromStorage(ctx, stored, value.DefaultContext(nil)); err != nil {
			return nil, d.encryptionError(fmt.Errorf("it has another key than the one that encrypted them: %w", errKeyLost))
		}
	}
	return transformer, nil
}

// encryptionError says what is wrong with encryptionFile, and what to do.
func (d *dataDirectory) encryptionError(cause error) error {
	path := d.join(encryptionFile)
	return fmt.Errorf("encryption key %[1]s: %[2]w\nnothing was changed; without the key, the stored Secrets are lost\n"+
		"to restore it from a backup: tar -xzf BACKUP -C %[3]s %[4]s\nto start without the Secrets: move %[5]s away, and start with --discard-secrets",
		path, cause, shellword.Quote(d.path), encryptionFile, shellword.Quote(path))
}

// createEncryption writes a new key. The key is on the disk before any Secret is encrypted with it.
func createEncryption(path string) error {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	if err := writeFile(path, fmt.Appendf(nil, encryptionConfiguration, base64.StdEncoding.EncodeToString(key[:]))); err != nil {
		return err
	}
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}
