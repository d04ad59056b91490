// SPDX-License-Identifier: Apache-2.0

// Package metadata describes a release to the packages that write its files. It reads and writes nothing.
package metadata

import (
	"strings"
	"time"
)

// Revision is the commit that a release is made from, and the version that it gets.
type Revision struct {
	// Version is a semantic version with a v, such as v0.1.0.
	Version string
	// Commit is the full hash of the commit.
	Commit string
	// Time is the time of the commit. Every file has it, so that the same commit makes the same bytes.
	Time time.Time
}

// Number returns the version without its v, as charts and packages have it.
func (r *Revision) Number() string { return strings.TrimPrefix(r.Version, "v") }

// Release is what every file of a release agrees on.
type Release struct {
	Revision
	// Registry is the registry and path of the container images, such as registry.example.com/goldsmith.
	Registry string
	// Images has the digest of each container image by its name, such as goldsmith-apiserver.
	Images map[string]string
	// URL is the address of the folder that has the files of all releases, without a slash at the end.
	URL string
}

// File returns the address of a file of this release.
func (r *Release) File(name string) string {
	return r.URL + "/" + r.Version + "/" + name
}

// Annotations returns the annotations by which Flux and registries tell where an artifact is from.
func (r *Release) Annotations() map[string]string {
	return map[string]string{
		"org.opencontainers.image.created":  r.Time.UTC().Format(time.RFC3339),
		"org.opencontainers.image.source":   r.URL,
		"org.opencontainers.image.revision": r.Version + "@sha1:" + r.Commit,
		"org.opencontainers.image.version":  r.Version,
	}
}
