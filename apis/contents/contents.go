// SPDX-License-Identifier: Apache-2.0

// Package contents identifies contents by their digests.
package contents

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

const (
	prefix      = "sha256:"
	shortDigits = 12 // tell contents apart
)

// Digest is the sha256 digest of a content: "sha256:" and 64 hex digits.
func Digest(content []byte) string {
	sum := sha256.Sum256(content)
	return prefix + hex.EncodeToString(sum[:])
}

// Sum returns the bytes of a digest, or an error that tells the form of a digest.
func Sum(digest string) ([]byte, error) {
	digits, ok := strings.CutPrefix(digest, prefix)
	sum, err := hex.DecodeString(digits)
	if !ok || err != nil || len(sum) != sha256.Size {
		return nil, fmt.Errorf("%.80q is not a digest: it must be sha256: and 64 hex digits", digest)
	}
	return sum, nil
}

// ShortDigest is the first 12 hex digits of the digest of a text.
func ShortDigest(text string) string {
	return Digest([]byte(text))[len(prefix):][:shortDigits]
}

// Summary is the digest and the size of a content, such as "sha256:… (7 bytes)".
func Summary(content string) string {
	return fmt.Sprintf("%s (%d bytes)", Digest([]byte(content)), len(content))
}

// Short is a Summary with only the first 12 hex digits of the digest.
func Short(summary string) string {
	return summary[:len(prefix)+shortDigits] + summary[len(prefix)+hex.EncodedLen(sha256.Size):]
}

// Abbreviate returns the algorithm and the first 12 hex digits of a digest, which are enough for people to compare digests.
func Abbreviate(digest string) string { return digest[:min(len(digest), len(prefix)+shortDigits)] }
