// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
)

// maxMockBytes is more than an artifact of this builder has.
const maxMockBytes = 2 << 20

// ingredients are the packages in an artifact, and the archives that they came from. Artifacts have them if there is an archive.
type ingredients struct {
	Archives []string           `json:"archives"`
	Packages []v1alpha1.Package `json:"packages"`
}

// readBase reads the files of the base, and compares them with their digests. It returns the ingredients of the first one that this builder made.
func (b *builder) readBase(artifacts []render.InputArtifact) (found ingredients, err error) {
	for i := range artifacts {
		artifact := &artifacts[i]
		if artifact.Path == "" {
			continue
		}
		path := filepath.Join(b.baseDir, artifact.Path)
		digest, err := digestOf(path)
		if err == nil && digest != artifact.Digest {
			err = fmt.Errorf("its digest is %s, must be %s", digest, artifact.Digest)
		}
		if err != nil {
			return found, fmt.Errorf("read artifact %s of the base: %w", artifact.Target, err)
		}
		b.logf("the base has %s, %d bytes, %s\n", artifact.Target, artifact.SizeBytes, digest)
		if len(found.Packages) == 0 && artifact.SizeBytes <= maxMockBytes {
			found = ingredientsOf(path)
		}
	}
	return found, nil
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

// ingredientsOf returns the ingredients of an artifact. There are none in that of another builder.
func ingredientsOf(path string) ingredients {
	var made struct {
		Ingredients ingredients `json:"ingredients"`
	}
	text, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(text, &made) != nil {
		return ingredients{}
	}
	return made.Ingredients
}

// resolve chooses the versions of packages, and adds the packages of the base. It returns the ingredients of the artifacts, or nil if there is
// no archive.
func (b *builder) resolve(ctx context.Context, base ingredients) (*ingredients, error) {
	own := &b.behaviour
	var found *archive
	if own.archive != "" {
		var err error
		if found, err = openArchive(ctx, own.archive, nil); err != nil {
			return nil, err
		}
		release := &v1alpha1.ReleaseFile{Date: &found.release.Date, SHA256: found.release.SHA256}
		own.sources = []v1alpha1.PackageSource{{URI: own.archive, Release: release}}
		for _, name := range found.added {
			if !slices.ContainsFunc(own.packages, func(one v1alpha1.Package) bool { return one.Name == name }) {
				own.packages = append(own.packages, v1alpha1.Package{Name: name, Architecture: "all"})
			}
		}
	}
	for i := range own.packages {
		own.packages[i].Version = cmp.Or(own.packages[i].Version, found.candidate(own.packages[i].Name), defaultVersion)
	}
	for _, inherited := range base.Packages {
		if !slices.ContainsFunc(own.packages, func(one v1alpha1.Package) bool { return one.Name == inherited.Name }) {
			own.packages = append(own.packages, inherited)
		}
	}
	for _, uri := range base.Archives {
		if uri != own.archive {
			own.sources = append(own.sources, v1alpha1.PackageSource{URI: uri})
		}
	}
	if len(own.sources) == 0 {
		return nil, nil
	}
	made := &ingredients{Packages: own.packages}
	for _, source := range own.sources {
		made.Archives = append(made.Archives, source.URI)
	}
	return made, nil
}
