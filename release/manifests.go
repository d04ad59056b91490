// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"

	"goldsmith.dev/goldsmith/release/artifact"
	"goldsmith.dev/goldsmith/release/bundle"
	"goldsmith.dev/goldsmith/release/chart"
	"goldsmith.dev/goldsmith/release/image"
	"goldsmith.dev/goldsmith/release/krew"
	"goldsmith.dev/goldsmith/release/metadata"
	"goldsmith.dev/goldsmith/release/schemas"
)

// writeManifests writes what installs the release in a cluster and for kubectl, and the schemas. The images and the archives are there.
func (r *run) writeManifests(ctx context.Context) error {
	scratch, err := r.to.Scratch("manifests")
	if err != nil {
		return err
	}
	release := &metadata.Release{Revision: r.from.Revision, Registry: r.registry, URL: r.address, Images: r.images}

	var packed, archive bytes.Buffer
	if err := chart.Write(&packed, r.from.Directory, release); err != nil {
		return err
	}
	chartArtifact, err := chart.Artifact(packed.Bytes(), release)
	if err != nil {
		return err
	}
	if err := bundle.Write(&archive, r.from.Directory, release); err != nil {
		return err
	}
	for _, each := range []struct {
		file, layout, repository, tag string
		artifact                      *artifact.Artifact
	}{
		{chart.FileName(release), "goldsmith-chart_" + r.version + "_oci.tar", "charts/" + chart.Name, release.Number(), chartArtifact},
		{bundle.FileName(release), "goldsmith-kustomize_" + r.version + "_oci.tar", "kustomize", r.version, bundle.Artifact(archive.Bytes(), release)},
	} {
		content := each.artifact.Content
		if err := r.to.Write(each.file, func(out io.Writer) error { _, err := out.Write(content); return err }); err != nil {
			return err
		}
		made, err := each.artifact.Image()
		if err != nil {
			return err
		}
		err = r.to.Write(each.layout, func(out io.Writer) error {
			return image.WriteLayout(out, scratch, made, r.registry+"/"+each.repository+":"+each.tag, each.tag, r.from.Time)
		})
		if err != nil {
			return err
		}
	}

	var archives []krew.Archive
	for _, platform := range r.archives {
		name := r.archiveName(platform)
		archives = append(archives, krew.Archive{OS: platform.OS, Architecture: platform.Architecture, File: name, SHA256: r.to.Sum(name)})
	}
	if err := r.to.Write(krew.FileName, func(out io.Writer) error { return krew.Write(out, release, archives) }); err != nil {
		return err
	}

	jsonSchemas, err := r.to.Scratch("schemas")
	if err != nil {
		return err
	}
	binary, err := r.commandHere()
	if err != nil {
		return err
	}
	if _, err := r.ask(ctx, binary, []string{"HOME=/nonexistent"}, "schema", "--output-directory="+jsonSchemas); err != nil {
		return err
	}
	err = r.to.Write(schemas.FileName(release), func(out io.Writer) error { return schemas.Write(out, r.from.Directory, jsonSchemas, release) })
	return err
}
