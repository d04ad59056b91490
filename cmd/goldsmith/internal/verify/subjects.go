// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/distribution/reference"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/publish"
)

const (
	// maxMembers is the maximum number of manifests of an index that are verified.
	maxMembers = 64
	theServer  = "the server"
)

// verifyFile verifies a file.
func (o *options) verifyFile(ctx context.Context, path string, to *report) error {
	file, err := artifacts.HashFile(ctx, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; a REFERENCE has a tag or a digest, and an image or a build is its name alone", err)
	case err != nil:
		return err
	}
	digest := file.Digest()
	found := to.add(&artifact{Name: path, Digest: digest, Compared: comparedContent, file: file}, digest)
	bundles := o.bundles
	if len(bundles) == 0 {
		bundles = bundlesBeside(path)
	}
	for _, bundle := range bundles {
		text, err := artifacts.ReadFile(bundle, attestation.MaxBytes)
		if err != nil {
			return fmt.Errorf("read a bundle: %w", err)
		}
		signed, err := attestation.Read(text)
		found.visit(bundle, signed, err)
	}
	switch {
	case len(bundles) > 0:
		found.conclude(strings.Join(bundles, ", "), "")
		return nil
	case o.offline || len(o.keys) == 0 && len(o.fileKeys) > 0: // no server has signatures of files
		found.conclude(fmt.Sprintf("%s.bundle and %s.sigstore.json, which do not exist: name a bundle with --bundle", path, path), "")
		return nil
	}
	connection, err := o.connect()
	if err != nil {
		return fmt.Errorf("%s.bundle and %s.sigstore.json do not exist, so that a server has to find the build: name a bundle with --bundle: %w", path, path, err)
	}
	made, err := artifacts.ByDigest(ctx, connection, digest)
	if err != nil {
		return err
	}
	for i := range made {
		if err := o.readStatements(ctx, connection, &made[i], found); err != nil {
			return err
		}
		if len(found.Signatures) > 0 {
			found.Build, found.Target = made[i].Build.Name, made[i].Artifact.Target
			break
		}
	}
	if len(made) == 0 {
		found.conclude("namespace "+connection.Namespace+": no build there made a file with the digest "+digest, "")
		return nil
	}
	found.conclude("the builds of namespace "+connection.Namespace, "")
	return nil
}

// bundlesBeside returns the bundles that exist beside a file.
func bundlesBeside(path string) (found []string) {
	for _, ending := range []string{".bundle", ".sigstore.json"} {
		if artifacts.IsRegular(path + ending) {
			found = append(found, path+ending)
		}
	}
	return found
}

// verifyReference verifies the manifest, or the index with its members, that a tag or a digest names. Only members have a provenance. An index
// without a signature is left out: builds with one target have none, and earlier versions signed none.
func (o *options) verifyReference(ctx context.Context, repository reference.Named, wanted string, to *report) error {
	reader, err := artifacts.OpenRepository(repository, o.plainHTTP, o.clock)
	if err != nil {
		return err
	}
	defer reader.Close()
	root, err := reader.Find(ctx, wanted)
	if err != nil {
		return err
	}
	named := func(of ociv1.Descriptor) string { return repository.Name() + "@" + of.Digest.String() }
	about := &artifact{Name: named(root.Descriptor), Members: len(root.Members), keys: to.Keys, subject: root.Digest.String()}
	if err := check(ctx, reader, root, about); err != nil {
		return err
	}
	if len(root.Members) == 0 || o.target == "" && len(about.Signatures) > 0 {
		to.add(about, about.subject).conclude(repository.Name(), "")
	}
	if len(root.Members) == 0 {
		return nil
	}
	members := slices.DeleteFunc(root.Members, func(member ociv1.Descriptor) bool {
		return o.target != "" && member.Annotations[publish.AnnotationTarget] != o.target
	})
	switch {
	case len(members) == 0:
		return fmt.Errorf("index %s has no manifest for target %s", named(root.Descriptor), o.target)
	case len(members) > maxMembers:
		return fmt.Errorf("index %s has %d manifests, at most %d are verified: name one by its digest", named(root.Descriptor), len(members), maxMembers)
	}
	for i := range members {
		manifest, err := reader.Find(ctx, members[i].Digest.String())
		if err != nil {
			return err
		}
		found := to.add(&artifact{Name: named(members[i]), Target: targetOf(&members[i])}, members[i].Digest.String())
		if err := check(ctx, reader, manifest, found); err != nil {
			return err
		}
		if len(found.Signatures) == 0 { // whoever signed the index signed the digests in it
			for _, signature := range about.Signatures {
				signature.Index = root.Digest.String()
				found.Signatures = append(found.Signatures, signature)
			}
		}
		found.conclude(repository.Name(), "")
	}
	return nil
}

// targetOf returns the target of a member of an index, or its platform.
func targetOf(member *ociv1.Descriptor) string {
	if target := member.Annotations[publish.AnnotationTarget]; target != "" || member.Platform == nil {
		return target
	}
	return strings.TrimSuffix(member.Platform.OS+"/"+member.Platform.Architecture+"/"+member.Platform.Variant, "/")
}

// check verifies the statements about a manifest: its bundles and, if none counts, those in the tags of cosign.
func check(ctx context.Context, reader *publish.Reader, manifest *publish.Manifest, found *artifact) error {
	found.Manifest = manifest.Digest.String()
	if len(manifest.Layers) == 1 && !manifest.Image {
		found.Digest, found.Compared = manifest.Layers[0].Digest.String(), comparedManifest
	}
	return read(ctx, reader, manifest.Descriptor, found)
}

func read(ctx context.Context, reader *publish.Reader, of ociv1.Descriptor, found *artifact) error {
	if err := reader.Bundles(ctx, of, found.visit); err != nil || len(found.Signatures) > 0 {
		return err
	}
	return reader.Tagged(ctx, of, found.visit)
}

// verifyBuild verifies the artifacts of a build.
func (o *options) verifyBuild(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, to *report) error {
	to.connection, to.build = connection, build
	for i := range build.Status.Artifacts {
		made := artifacts.Made{Build: build, Artifact: &build.Status.Artifacts[i]}
		if o.target != "" && made.Artifact.Target != o.target {
			continue
		}
		if err := o.verifyArtifact(ctx, connection, &made, to); err != nil {
			return err
		}
	}
	if len(to.Artifacts) == 0 && o.target != "" {
		return artifacts.NoTarget(build, o.target)
	}
	return nil
}

// verifyArtifact verifies an artifact of a build: in a registry, its manifest, or else what the server keeps about it.
func (o *options) verifyArtifact(ctx context.Context, connection *client.Connection, made *artifacts.Made, to *report) error {
	reported := made.Artifact
	found := &artifact{Name: "build " + made.Build.Name, Build: made.Build.Name, Target: reported.Target, Digest: reported.Digest, Compared: comparedStatus}
	location, repository, published := artifacts.ManifestAt(reported.Location)
	if !published {
		to.add(found, reported.Digest)
		if err := o.readStatements(ctx, connection, made, found); err != nil {
			return err
		}
		found.conclude(theServer, "")
		return nil
	}
	_, digest, _ := strings.Cut(location, "@")
	found.Name = location
	to.add(found, digest)
	reader, err := artifacts.OpenRepository(repository, o.plainHTTP, o.clock)
	if err != nil {
		return err
	}
	defer reader.Close()
	manifest, err := reader.Find(ctx, digest)
	if err != nil {
		return err
	}
	if err := check(ctx, reader, manifest, found); err != nil {
		return err
	}
	found.conclude(repository.Name(), differs(reported, found))
	return nil
}

// differs returns how an artifact in a registry differs from the artifact that the server reports, or "".
func differs(reported *v1alpha1.Artifact, found *artifact) string {
	switch {
	case found.Digest != reported.Digest && found.Compared == comparedManifest && found.Manifest != reported.Digest:
		return fmt.Sprintf("the server reports the content %s, but the manifest names %s", reported.Digest, found.Digest)
	case found.Compared == comparedStatus && len(found.subjects) > 0 && !slices.Contains(found.subjects, reported.Digest):
		return fmt.Sprintf("the server reports the content %s, but no signed provenance names it", reported.Digest)
	}
	return ""
}

// readStatements verifies the statements about an artifact: those in its registry, or the bundles that the server keeps. Their subject is that of found.
func (o *options) readStatements(ctx context.Context, connection *client.Connection, made *artifacts.Made, found *artifact) error {
	location, repository, published := artifacts.ManifestAt(made.Artifact.Location)
	if published {
		reader, err := artifacts.OpenRepository(repository, o.plainHTTP, o.clock)
		if err != nil {
			return err
		}
		defer reader.Close()
		_, digest, _ := strings.Cut(location, "@")
		manifest, err := reader.Find(ctx, digest)
		if err != nil {
			return err
		}
		return read(ctx, reader, manifest.Descriptor, found)
	}
	for i := range made.Artifact.Documents {
		document := &made.Artifact.Documents[i]
		if document.MediaType != v1alpha1.MediaTypeBundle || document.MadeBy != v1alpha1.DocumentMadeByGoldsmith {
			continue
		}
		source := cmp.Or(output.OneLine(document.Location), "document "+document.Name())
		if document.SizeBytes > attestation.MaxBytes {
			found.ignore(source, fmt.Sprintf("it has %d bytes, at most %d are read", document.SizeBytes, attestation.MaxBytes))
			continue
		}
		var text bytes.Buffer
		err := artifacts.Fetch(ctx, connection, made.Build, artifacts.Request{
			Argument: made.Build.Name, Target: made.Artifact.Target, Document: document.Name(), PlainHTTP: o.plainHTTP, Out: &text, Stderr: io.Discard, Style: o.style,
		})
		if err != nil {
			return err
		}
		signed, err := attestation.Read(text.Bytes())
		found.visit(source, signed, err)
	}
	return nil
}
