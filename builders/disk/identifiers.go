// SPDX-License-Identifier: Apache-2.0

package disk

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"goldsmith.dev/goldsmith/jobs/render"
)

// Identifiers are the UUIDs of a disk. They depend on the inputs of a build, but not on the build: the same inputs have the same ones, and
// two disks with different inputs can be attached to one machine.
type Identifiers [sha256.Size]byte

// NewIdentifiers returns the identifiers of the disk of an input, and of a digest of the files of its source, if it has one.
func NewIdentifiers(input *render.Input, source string) (Identifiers, error) {
	text, err := json.Marshal(struct {
		Reference, Digest string
		Files, Parameters map[string]string
		Source            string `json:",omitempty"`
	}{input.Base.Reference, input.Base.Digest, input.Files, input.Parameters, source})
	if err != nil {
		return Identifiers{}, fmt.Errorf("compute the UUIDs of the disk: %w", err)
	}
	return sha256.Sum256(text), nil
}

// Root returns the UUID of the root file system.
func (i Identifiers) Root() string { return i.uuid(partRoot) }

// uuid returns the UUID of a part of the disk, in the form of version 8 (RFC 9562).
func (i Identifiers) uuid(part string) string {
	sum := sha256.Sum256(append(i[:], part...))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// volumeID returns the serial number of a FAT file system, as 8 hexadecimal digits.
func (i Identifiers) volumeID(part string) string { return i.uuid(part)[:8] }
