// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"goldsmith.dev/goldsmith/jobs/render"
)

// readBase reads the files of the base, and compares them with their digests.
func (b *builder) readBase(artifacts []render.InputArtifact) error {
	for i := range artifacts {
		artifact := &artifacts[i]
		if artifact.Path == "" {
			continue
		}
		digest, err := digestOf(filepath.Join(b.baseDir, artifact.Path))
		if err == nil && digest != artifact.Digest {
			err = fmt.Errorf("its digest is %s, must be %s", digest, artifact.Digest)
		}
		if err != nil {
			return fmt.Errorf("read artifact %s of the base: %w", artifact.Target, err)
		}
		b.logf("the base has %s, %d bytes, %s\n", artifact.Target, artifact.SizeBytes, digest)
	}
	return nil
}

func digestOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // only read from
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", hash.Sum(nil)), nil
}
