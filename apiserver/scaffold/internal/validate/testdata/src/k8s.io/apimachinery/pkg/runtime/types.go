// SPDX-License-Identifier: Apache-2.0

// Package runtime has what the rules know of the real package of this path.
package runtime

const APIVersionInternal = "__internal"

type RawExtension struct {
	Raw []byte `json:"-"`
}
