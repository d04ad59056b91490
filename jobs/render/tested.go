// SPDX-License-Identifier: Apache-2.0

package render

import (
	"strings"

	"goldsmith.dev/goldsmith/jobs/result"
)

// TestNames returns the names of the tests.
func (i *Input) TestNames() (names []string) {
	for j := range i.Tests {
		names = append(names, i.Tests[j].Name)
	}
	return names
}

// In returns the artifacts that were published by digest in a repository, HOST[:PORT]/PATH.
func (b *InputBase) In(repository string) (published []InputArtifact) {
	for _, artifact := range b.Artifacts {
		if at, digest, ok := strings.Cut(artifact.Location, "@"); ok && at == repository && result.ValidDigest(digest) {
			published = append(published, artifact)
		}
	}
	return published
}
