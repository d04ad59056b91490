// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"goldsmith.dev/goldsmith/jobs/render"
)

// readBase reads the files of the base, and compares them with their digests.
func (b *builder) readBase(artifacts []render.InputArtifact) error {
	for i := range artifacts {
		artifact := &artifacts[i]
		if artifact.Path == "" {
			continue
		}
		found, err := digestOf(filepath.Join(b.baseDir, artifact.Path))
		if err == nil && found != artifact.Digest {
			err = fmt.Errorf("its digest is %s, must be %s", found, artifact.Digest)
		}
		if err != nil {
			return fmt.Errorf("read artifact %s of the base: %w", artifact.Target, err)
		}
		b.logf("the base has %s, %d bytes, %s\n", artifact.Target, artifact.SizeBytes, found)
	}
	return nil
}

func digestOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // only read from
	found, err := digest.FromReader(file)
	return found.String(), err
}
