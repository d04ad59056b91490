// SPDX-License-Identifier: Apache-2.0

package source

import (
	"archive/tar"
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/ocilayout"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/source/reference"
)

// fluxContent is the media type of the files of a Flux artifact.
const fluxContent = "application/vnd.cncf.flux.content.v1.tar+gzip"

// artifact is an artifact in a registry.
type artifact struct {
	*transport.Fetcher
	source  *OCI
	digest  string
	content ociv1.Manifest
}

// openArtifact reads the manifest that a tag or a digest names.
func openArtifact(ctx context.Context, a *OCI, name string, o Options) (*artifact, error) {
	fetcher, err := transport.NewFetcher(a.Repository, transport.Options{ //nolint:gosec // the name of a field is no secret
		DockerConfig: o.Secret[".dockerconfigjson"], CA: o.Secret["ca.crt"], Log: o.Log,
		SecretField: "spec.source.oci.secretRef", PlainHTTP: o.PlainHTTP,
		Control: network{o.Allowed}.check,
	})
	if err != nil {
		return nil, err
	}
	found, raw, err := fetcher.Find(ctx, name)
	opened := &artifact{Fetcher: fetcher, source: a, digest: found.Digest.String()}
	switch {
	case err != nil:
	case ocilayout.IsIndex(found.MediaType):
		err = failure(Unsupported, "%s is an index, which names several artifacts, such as one for each platform; name the digest of one of them in oci.tag", opened.digest)
	case json.Unmarshal(raw, &opened.content) != nil:
		err = failure(Unsupported, "the manifest %s is no JSON", opened.digest)
	}
	if err != nil {
		fetcher.Close()
		return nil, err
	}
	return opened, nil
}

// explainRegistry makes an *Error of an error of a registry.
func explainRegistry(ctx context.Context, verb string, a *OCI, err error) error {
	operation := verb + " " + a.Repository
	if own, ok := errors.AsType[*Error](err); ok { // also of an address that is refused
		return explain(ctx, operation, own)
	}
	answer, ok := errors.AsType[*transport.Error](err)
	if !ok {
		return explain(ctx, operation, err)
	}
	reason := Refused
	switch {
	case answer.Status == http.StatusNotFound:
		reason = NotFound
	case answer.Reason == v1alpha1.ReasonRegistryDenied:
		reason = Denied
	case answer.Reason == v1alpha1.ReasonRegistryUnavailable:
		reason = Unavailable
	}
	return failure(reason, "%s", strings.Replace(answer.Error(), "fetch from", verb, 1))
}

func resolveArtifact(ctx context.Context, a *OCI, o Options) (*Revision, error) {
	tag := cmp.Or(a.Tag, "latest")
	opened, err := openArtifact(ctx, a, tag, o)
	if err != nil {
		return nil, explainRegistry(ctx, "resolve", a, err)
	}
	defer opened.Close()
	if _, err := opened.layer(); err != nil { // an image is refused when it is resolved, and not by each build
		return nil, explainRegistry(ctx, "resolve", a, err)
	}
	notes := opened.content.Annotations
	revision := &Revision{ID: opened.digest, Time: opened.created()}
	if tag != revision.ID {
		revision.Ref = tag
	}
	revision.Summary = printable(cmp.Or(notes[ociv1.AnnotationTitle], notes[ociv1.AnnotationRevision]), 200)
	return revision, nil
}

// created returns when the artifact was created. Zero if it does not tell.
func (a *artifact) created() time.Time {
	created, err := time.Parse(time.RFC3339, a.content.Annotations[ociv1.AnnotationCreated])
	if err != nil || created.Year() < 1970 {
		return time.Time{}
	}
	return created.UTC()
}

// layer returns the layer that has the files. Its digest is one of SHA-256, with which the content is compared.
func (a *artifact) layer() (ociv1.Descriptor, error) {
	layer, err := a.files()
	if err == nil && (layer.Digest.Validate() != nil || layer.Digest.Algorithm() != digest.SHA256 || layer.Size < 0) {
		err = failure(Unsupported, "the manifest %s names a layer with the digest %q and %d bytes, which is no content with a digest of SHA-256; push the artifact again",
			a.digest, printable(layer.Digest.String(), 100), layer.Size)
	}
	return layer, err
}

// files returns the layer of Flux, or the only one.
func (a *artifact) files() (ociv1.Descriptor, error) {
	for _, layer := range a.content.Layers {
		if layer.MediaType == fluxContent {
			return layer, nil
		}
	}
	if len(a.content.Layers) != 1 {
		return ociv1.Descriptor{}, failure(Unsupported, "the artifact has %d layers instead of one archive; push a directory with: oras push or flux push artifact", len(a.content.Layers))
	}
	layer := a.content.Layers[0]
	if !strings.HasSuffix(layer.MediaType, "tar") && !strings.HasSuffix(layer.MediaType, "tar+gzip") && !strings.HasSuffix(layer.MediaType, "tar.gzip") {
		return layer, failure(Unsupported, "the artifact has a layer of the type %q instead of a tar archive; push a directory with: oras push or flux push artifact", layer.MediaType)
	}
	return layer, nil
}

func fetchArtifact(ctx context.Context, a *OCI, revision string, root *os.Root, o Options) (*Tree, error) {
	if hex, ok := strings.CutPrefix(revision, "sha256:"); !ok || !reference.IsCommit(hex) {
		return nil, failure(Unsupported, "%q is no digest of an artifact", printable(revision, 100))
	}
	opened, err := openArtifact(ctx, a, revision, o)
	if err != nil {
		return nil, explainRegistry(ctx, "fetch", a, err)
	}
	defer opened.Close()
	tree, err := opened.fetch(ctx, root, o.Limits)
	if err != nil {
		return nil, explainRegistry(ctx, "fetch", a, err)
	}
	return tree, nil
}

func (a *artifact) fetch(ctx context.Context, root *os.Root, l Limits) (*Tree, error) {
	layer, err := a.layer()
	if err != nil {
		return nil, err
	}
	if layer.Size > l.Download {
		return nil, failure(TooLarge, "the artifact has %s, more than %s; move large files elsewhere", bytesText(layer.Size), bytesText(l.Download))
	}
	stream, err := a.Open(ctx, transport.Whole(layer.Digest.String(), layer.Size), 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }() // only read from
	hash := sha256.New()
	hashed := bufio.NewReaderSize(io.TeeReader(stream, hash), 64<<10)
	created := a.created()
	if created.IsZero() {
		created = time.Unix(0, 0)
	}
	out := newCheckout(root, l, created)
	unpacked := unpack(hashed, out)
	if _, err := io.Copy(io.Discard, hashed); err != nil {
		return nil, err
	}
	if got := fmt.Sprintf("sha256:%x", hash.Sum(nil)); got != layer.Digest.String() {
		return nil, failure(Unavailable, "the registry sent other content, %s instead of %s", got, layer.Digest)
	}
	if unpacked != nil {
		return nil, unpacked
	}
	tree, err := out.finish()
	if err == nil {
		tree.Downloaded = layer.Size
	}
	return tree, err
}

// unpack writes the files of an archive.
func unpack(from *bufio.Reader, out *checkout) error {
	var content io.Reader = from
	if magic, _ := from.Peek(2); string(magic) == "\x1f\x8b" { // a short archive is none
		inflated, err := gzip.NewReader(from)
		if err != nil {
			return archiveError(err)
		}
		content = inflated
	}
	made := map[string]bool{"": true}
	for archive := tar.NewReader(content); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return archiveError(err)
		}
		if err := out.enter(); err != nil {
			return err
		}
		if header.Typeflag == tar.TypeXGlobalHeader { // of git archive
			continue
		}
		if err := out.unpackOne(header, archive, made); err != nil {
			return archiveError(err)
		}
	}
}

func archiveError(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) {
		return failure(Unsupported, "the layer is no tar archive that can be read; push a directory with: oras push or flux push artifact")
	}
	return err
}

// unpackOne writes an entry of an archive, which is counted. made has the directories that exist.
func (c *checkout) unpackOne(header *tar.Header, content io.Reader, made map[string]bool) error {
	if strings.HasPrefix(header.Name, "/") {
		return failure(Unsupported, "the archive has the absolute name %q; make it relative", printable(header.Name, 100))
	}
	var parts []string
	for part := range strings.SplitSeq(header.Name, "/") {
		if part != "" && part != "." {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 && header.Typeflag != tar.TypeDir {
		return failure(Unsupported, "the archive has a file with the name %q, which no file can have", printable(header.Name, 100))
	}
	folder := ""
	for i, part := range parts {
		if err := checkName(folder, part); err != nil {
			return err
		}
		name := path.Join(folder, part)
		last := i == len(parts)-1
		if last && header.Typeflag != tar.TypeDir {
			return c.unpackFile(name, header, content)
		}
		if !made[name] {
			if !last { // the archive has no entry for it
				if err := c.enter(); err != nil {
					return err
				}
			}
			if err := c.directory(name); err != nil {
				return err
			}
			made[name] = true
		}
		folder = name
	}
	return nil
}

func (c *checkout) unpackFile(name string, header *tar.Header, content io.Reader) error {
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse: // the reader fills the holes
		return c.file(name, header.Mode&0o111 != 0, header.Size, content)
	case tar.TypeSymlink:
		return c.link(name, header.Linkname)
	case tar.TypeLink:
		return failure(Unsupported, "%q is a hard link, which is not supported; copy the file", name)
	}
	return failure(Unsupported, "%q is a device or another special file, which is not supported", name)
}
