// SPDX-License-Identifier: Apache-2.0

// Package contents names the content of a file without having it.
package contents

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

const (
	prefix      = "sha256:"
	shortDigits = 12
)

// Summary is the digest and the size of a content: "sha256:", 64 hex digits, and the number of bytes in parentheses.
func Summary(content string) string {
	sum := sha256.Sum256([]byte(content))
	return fmt.Sprintf("%s%s (%d bytes)", prefix, hex.EncodeToString(sum[:]), len(content))
}

// Short is a Summary with only the first 12 hex digits of the digest.
func Short(summary string) string {
	return summary[:len(prefix)+shortDigits] + summary[len(prefix)+hex.EncodedLen(sha256.Size):]
}
