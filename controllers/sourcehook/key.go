// SPDX-License-Identifier: Apache-2.0

package sourcehook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// minKeyBytes is how long a Key must be, so that nobody guesses it.
const minKeyBytes = 16

// Key is the server's secret of webhooks. Each Image has its own secret, so that a team that knows one cannot sign webhooks of other Images.
type Key []byte

// NewKey returns the Key in the content of a file. The shell reads the same Key: it drops line feeds at the end, and cannot read NUL.
func NewKey(content []byte) (Key, error) {
	key := bytes.TrimRight(content, "\n")
	if at := bytes.IndexFunc(key, func(r rune) bool { return r < ' ' || r > '~' }); at >= 0 {
		return nil, fmt.Errorf("byte %d is not printable ASCII: make the secret with \"openssl rand -hex 32\"", at+1)
	}
	if len(key) < minKeyBytes {
		return nil, fmt.Errorf("the secret has %d bytes, and needs at least %d: make it with \"openssl rand -hex 32\"", len(key), minKeyBytes)
	}
	return key, nil
}

// SecretOf returns the secret of the webhook of an Image: the HMAC of NAMESPACE/IMAGE with the Key, in hexadecimal digits.
func (k Key) SecretOf(namespace, image string) []byte {
	of := hmac.New(sha256.New, k)
	_, _ = io.WriteString(of, namespace+"/"+image) // no hash fails
	return hex.AppendEncode(nil, of.Sum(nil))
}
