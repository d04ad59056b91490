// SPDX-License-Identifier: Apache-2.0

// Package sbom writes software bills of materials of artifacts from their locks: CycloneDX 1.6 (https://cyclonedx.org) and SPDX 2.3
// (https://spdx.dev), both as JSON.
//
// The same lock and the same artifact have the same bill. A builder writes locks, so names, versions and licences can be any text that
// package lock lets through. Scanners find vulnerabilities by package URLs, by the distribution and by source packages, so the bills have
// them where Grype and Trivy look.
package sbom

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// The identifiers of the elements of a bill.
const (
	artifactID     = "Artifact"
	distributionID = "OperatingSystem" // Trivy knows a distribution in SPDX by this prefix
)

// packageID returns the identifier of the package at an index of the lock. Package URLs can be equal.
func packageID(index int) string { return "Package-" + strconv.Itoa(index+1) }

// creator is the program that makes the bills. It has no version, so that each version makes the same bill of a lock.
const creator = "goldsmith"

// Subject is the artifact that a bill is about.
type Subject struct {
	// Target is the platform and the format of the artifact, joined by a slash.
	Target string
	// Digest is the digest of the content: "sha256:" and 64 lower-case hex digits. It is empty if nobody knows it.
	Digest string
}

// isImage reports whether the artifact is an OCI image.
func (s Subject) isImage() bool {
	return strings.HasSuffix(s.Target, "/"+string(v1alpha1.ArtifactFormatOCI))
}

func (s Subject) sha256() string { return strings.TrimPrefix(s.Digest, "sha256:") }

// released returns the newest date of the release files of a lock, or the zero time if there is none. It ignores dates outside the years 1970
// to 9999, which the formats cannot express or no archive has.
func released(lock *v1alpha1.Lock) (newest time.Time) {
	for i := range lock.Sources {
		release := lock.Sources[i].Release
		if release == nil || release.Date == nil {
			continue
		}
		if date := release.Date.UTC(); date.Year() >= 1970 && date.Year() <= 9999 && date.After(newest) {
			newest = date
		}
	}
	return newest
}

// list is a field of a JSON object: its first items, and those that are made one by one.
type list struct {
	name  string
	first []any
	more  int
	item  func(index int) any
}

// write writes a JSON object with the fields of head, the lists, and the identity of the bill. The identity is derived from the digest of
// everything before it. write holds one item in memory. Each item has a line.
func write(to io.Writer, head any, lists []list, identity func(uuid.UUID) (field, value string)) error {
	content := sha256.New()
	out := bufio.NewWriter(io.MultiWriter(content, to))
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false) // an escaped character has six bytes
	put := func(before string, value any, without string) error {
		encoded.Reset()
		if err := encoder.Encode(value); err != nil {
			return err
		}
		_, _ = out.WriteString(before)
		_, err := out.Write(bytes.TrimSuffix(encoded.Bytes(), []byte(without)))
		return err
	}
	if err := put("", head, "}\n"); err != nil {
		return err
	}
	for _, list := range lists {
		_, _ = fmt.Fprintf(out, ",%q:[", list.name) // Flush returns the error
		before := "\n"
		for i := range len(list.first) + list.more {
			var value any
			if i < len(list.first) {
				value = list.first[i]
			} else {
				value = list.item(i - len(list.first))
			}
			if err := put(before, value, "\n"); err != nil {
				return err
			}
			before = ",\n"
		}
		_, _ = out.WriteString("]")
	}
	if err := out.Flush(); err != nil {
		return err
	}
	name, value := identity(uuid.NewSHA1(uuid.NameSpaceURL, content.Sum(nil)))
	_, err := fmt.Fprintf(to, ",%q:%q}\n", name, value)
	return err
}
