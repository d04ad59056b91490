// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// maxKeyBytes is the maximum size of a file with a public key.
const maxKeyBytes = 64 << 10

// key is a public key that the user trusts.
type key struct {
	// Name is the name of the file or of the SigningKey.
	Name string `json:"name"`
	// Source is file or server.
	Source string `json:"source"`
	// KeyID is the digest of the public key.
	KeyID string `json:"keyID"`
	// NotAfter is when the SigningKey expires.
	NotAfter *metav1.Time `json:"notAfter,omitempty"`
	// Expired is true if that time has passed.
	Expired bool `json:"expired,omitempty"`
	// Files is true if the key verifies signatures of files as they are, and no statements.
	Files bool `json:"files,omitempty"`

	public *signing.PublicKey
}

// verifies reports whether a signature is one of the key of what it is for: statements, or a file as it is. The file is nil for what is no file.
func (k *key) verifies(signed *attestation.Signed, file *signing.File, signature []byte) bool {
	switch {
	case k.Files != (signed.Type == attestation.TypeMessage):
		return false
	case k.Files:
		return file != nil && k.public.VerifyFile(file, signature)
	}
	return k.public.VerifyStatement(signed.SignedDigest(), signature)
}

// String returns the key for people.
func (k *key) String() string {
	kind := "key"
	switch {
	case k.Files:
		kind = "key of files"
	case k.Source == fromServer:
		kind = "SigningKey"
	}
	if k.Expired {
		kind = "expired KEY"
	}
	return fmt.Sprintf("%s %s (%s)", kind, k.Name, k.KeyID)
}

const (
	fromFile   = "file"
	fromServer = "server"
)

// readKeys returns the public keys of the files that the user named or, without files, of the server.
func (o *options) readKeys(ctx context.Context) ([]key, error) {
	switch {
	case o.keysNamed():
		keys, err := readKeyFiles("key", o.keys)
		if err != nil {
			return nil, err
		}
		ofFiles, err := readKeyFiles("file-key", o.fileKeys)
		for i := range ofFiles {
			ofFiles[i].Files = true
		}
		return append(keys, ofFiles...), err
	case o.offline:
		return nil, errors.New("--offline needs a public key: name its file with --key, or with --file-key if it signs files")
	}
	connection, err := o.connect()
	if err != nil {
		return nil, fmt.Errorf("without --key, the server has to name the public keys: %w", err)
	}
	listed, err := connection.ImagesV1alpha1().SigningKeys().List(ctx, metav1.ListOptions{})
	if apierrors.IsForbidden(err) {
		return nil, fmt.Errorf("%w; name a public key with --key", err)
	}
	if err != nil {
		return nil, fmt.Errorf("list the SigningKeys of the server: %w", err)
	}
	var keys []key
	for i := range listed.Items {
		one, err := o.keyOf(&listed.Items[i])
		if err != nil {
			if _, err := fmt.Fprintf(o.stderr, "SigningKey %s is ignored: %s\n", listed.Items[i].Name, output.OneLine(err.Error())); err != nil {
				return nil, err
			}
			continue
		}
		keys = append(keys, *one)
	}
	if len(keys) == 0 {
		return nil, errors.New("the server has no SigningKey with a public key: make one with `goldsmith keys create`, or name a public key with --key")
	}
	return keys, nil
}

// keyOf returns the public key that a SigningKey published.
func (o *options) keyOf(published *v1alpha1.SigningKey) (*key, error) {
	if published.Status.PublicKey == "" {
		return nil, errors.New("the signer has not published its public key yet")
	}
	public, err := signing.ReadPublic([]byte(published.Status.PublicKey))
	if err != nil {
		return nil, err
	}
	if public.ID() != published.Status.KeyID {
		return nil, fmt.Errorf("its keyID is %.80q, but its public key has %s", published.Status.KeyID, public.ID())
	}
	return &key{
		Name: published.Name, Source: fromServer, KeyID: public.ID(), public: public,
		NotAfter: published.Spec.NotAfter, Expired: signing.Expired(published, o.clock.Now()),
	}, nil
}

// keysNamed reports whether the user named the public keys.
func (o *options) keysNamed() bool { return len(o.keys)+len(o.fileKeys) > 0 }

// readKeyFiles reads the files that a flag names.
func readKeyFiles(flag string, paths []string) ([]key, error) {
	var keys []key
	for _, path := range paths {
		text, err := artifacts.ReadFile(path, maxKeyBytes)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", flag, err)
		}
		public, err := signing.ReadPublic(text)
		if err != nil {
			return nil, fmt.Errorf("--%s %s: %w", flag, path, err)
		}
		keys = append(keys, key{Name: path, Source: fromFile, KeyID: public.ID(), public: public})
	}
	return keys, nil
}

// keyNames returns the names of keys for people.
func keyNames(keys []key) string {
	var names []string
	for i := range keys {
		names = append(names, keys[i].Name)
	}
	return strings.Join(names, ", ")
}
