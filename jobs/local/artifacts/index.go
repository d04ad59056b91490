// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// The annotations of an entry of index.json.
const (
	annotationUID       = "dev.goldsmith.build.uid"
	annotationNamespace = "dev.goldsmith.build.namespace"
	annotationName      = "dev.goldsmith.build.name"
	annotationImage     = "dev.goldsmith.image"
	annotationTarget    = "dev.goldsmith.target"
	annotationDocument  = "dev.goldsmith.document" // only of a document: its type, in lower case
)

// Build identifies a build.
type Build struct {
	UID types.UID
	// Name is empty for a content that was fetched, whose UID is its digest.
	Namespace, Name string
	// Image is the name of the build's Image. It is empty for a build that belongs to no Image.
	Image string
}

// Artifact is an artifact of a build.
type Artifact struct {
	// Target is the name of the artifact's target, which is unique in a build: platform/format.
	Target string
	// Content is what the artifact's file contains. It is zero if only documents about the artifact are kept, or if the artifact's
	// manifest is lost.
	Content Content
	// MediaType is the media type of the content.
	MediaType string
	// Title is the name under which a tool saves the file.
	Title string
	// Annotations are those that the builder set.
	Annotations map[string]string
	// Documents are the documents about the artifact.
	Documents []Document
}

// Document is a document about an artifact.
type Document struct {
	// Type is the kind of the document.
	Type      v1alpha1.ArtifactDocumentType
	Content   Content
	MediaType string
}

// Entry is an artifact in the index.
type Entry struct {
	Build    Build
	Artifact Artifact
}

// record is an entry with the descriptors of its manifests, the artifact's first.
type record struct {
	Entry
	manifests []ociv1.Descriptor
}

// digests are the digests of all blobs that a record needs.
func (r *record) digests() []string {
	needed := []string{ociv1.DescriptorEmptyJSON.Digest.String(), r.Artifact.Content.Digest}
	for _, manifest := range r.manifests {
		needed = append(needed, manifest.Digest.String())
	}
	for _, document := range r.Artifact.Documents {
		needed = append(needed, document.Content.Digest)
	}
	return needed
}

// Record adds the artifacts of a build to the index, in place of those that the build had. Take has returned their contents and
// those of their documents before, or Add has added them. An artifact without Content is not in the store, but its documents are. The artifacts are in the
// index all or none, also after a crash.
func (s *Store) Record(build Build, artifacts []Artifact) error {
	err := s.retryWithRoom(0, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.record(build, artifacts)
	})
	if err != nil {
		return fmt.Errorf("record the artifacts of build %s/%s: %w", build.Namespace, build.Name, err)
	}
	return nil
}

func (s *Store) record(build Build, artifacts []Artifact) error {
	next := slices.DeleteFunc(slices.Clone(s.records), func(r record) bool {
		return r.Build.UID == build.UID && r.Build.Namespace == build.Namespace // a forged UID replaces nothing of another namespace
	})
	for _, artifact := range artifacts {
		added, err := s.describe(build, artifact)
		if err != nil {
			return err
		}
		for i, earlier := range next { // a name refers to one manifest: the one of the build that has the name now
			if earlier.Build.Namespace == build.Namespace && earlier.Build.Name == build.Name && earlier.Build.UID != build.UID {
				next[i] = earlier.withoutName()
			}
		}
		next = append(next, added)
	}
	if err := s.syncDir(s.blobs()); err != nil {
		return err
	}
	return s.replaceIndex(next)
}

func (r record) withoutName() record {
	r.manifests = slices.Clone(r.manifests)
	r.manifests[0].Annotations = maps.Clone(r.manifests[0].Annotations)
	delete(r.manifests[0].Annotations, ociv1.AnnotationRefName)
	return r
}

// describe writes the manifests of an artifact.
func (s *Store) describe(build Build, artifact Artifact) (record, error) {
	r := record{Entry: Entry{Build: build, Artifact: artifact}}
	annotations := map[string]string{
		annotationUID: string(build.UID), annotationNamespace: build.Namespace, annotationName: build.Name, annotationImage: build.Image,
		annotationTarget: artifact.Target,
	}
	if build.Name != "" {
		annotations[ociv1.AnnotationRefName] = build.Namespace + "/" + build.Name + "/" + artifact.Target
	}
	layer := layerOf(artifact.Content, artifact.MediaType)
	if artifact.Content == (Content{}) {
		layer = ociv1.DescriptorEmptyJSON
	} else if artifact.Title != "" {
		layer.Annotations = map[string]string{ociv1.AnnotationTitle: artifact.Title}
	}
	subject, err := s.putManifest(artifact.MediaType, layer, artifact.Annotations, nil)
	if err != nil {
		return record{}, err
	}
	r.manifests = []ociv1.Descriptor{annotated(subject, annotations)}
	delete(annotations, ociv1.AnnotationRefName)
	for _, document := range artifact.Documents {
		manifest, err := s.putManifest(document.MediaType, layerOf(document.Content, document.MediaType), nil, &subject)
		if err != nil {
			return record{}, err
		}
		annotations[annotationDocument] = strings.ToLower(string(document.Type))
		r.manifests = append(r.manifests, annotated(manifest, annotations))
	}
	return r, nil
}

func layerOf(content Content, mediaType string) ociv1.Descriptor {
	return ociv1.Descriptor{MediaType: mediaType, Digest: digest.Digest(content.Digest), Size: content.SizeBytes}
}

// annotated returns a descriptor for the index.
func annotated(manifest ociv1.Descriptor, annotations map[string]string) ociv1.Descriptor {
	manifest.Annotations = maps.Clone(annotations)
	return manifest
}

// putManifest writes the manifest of one content, which is in the store. It has no time, so equal artifacts have equal manifests.
func (s *Store) putManifest(kind string, layer ociv1.Descriptor, annotations map[string]string, subject *ociv1.Descriptor) (ociv1.Descriptor, error) {
	config := ociv1.DescriptorEmptyJSON
	if err := s.putBlob(config.Digest, config.Data); err != nil {
		return ociv1.Descriptor{}, err
	}
	if !s.Has(layer.Digest.String()) {
		return ociv1.Descriptor{}, fmt.Errorf("content %s: %w", layer.Digest, fs.ErrNotExist)
	}
	content, err := json.Marshal(ociv1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ociv1.MediaTypeImageManifest, ArtifactType: kind,
		Config: config, Layers: []ociv1.Descriptor{layer}, Subject: subject, Annotations: annotations,
	})
	if err != nil {
		return ociv1.Descriptor{}, err
	}
	manifest := ociv1.Descriptor{
		MediaType: ociv1.MediaTypeImageManifest, ArtifactType: kind, Digest: digest.FromBytes(content), Size: int64(len(content)),
	}
	return manifest, s.putBlob(manifest.Digest, content)
}

// putBlob stores a small content. It requires s.mu.
func (s *Store) putBlob(contentDigest digest.Digest, content []byte) error {
	if s.has(Content{contentDigest.String(), int64(len(content))}) {
		return nil
	}
	path := s.ingest()
	if err := s.writeFile(path, blobMode, whole(content)); err != nil {
		return err
	}
	if err := s.adopt(path, Content{contentDigest.String(), int64(len(content))}); err != nil {
		return errors.Join(err, removeIfExists(path))
	}
	return nil
}

// replaceIndex requires s.mu.
func (s *Store) replaceIndex(records []record) error {
	if err := s.writeIndex(records); err != nil {
		return err
	}
	s.records = records
	return nil
}

func (s *Store) writeIndex(records []record) error {
	index := ociv1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageIndex, Manifests: []ociv1.Descriptor{}}
	for _, r := range records {
		index.Manifests = append(index.Manifests, r.manifests...)
	}
	return s.writeJSON(ociv1.ImageIndexFile, index)
}

// readIndex reads the index and the manifests that it names.
func (s *Store) readIndex() error {
	content, err := os.ReadFile(s.join(ociv1.ImageIndexFile))
	if err != nil {
		return err
	}
	var index ociv1.Index
	if err := json.Unmarshal(content, &index); err != nil {
		return fmt.Errorf("read %s: %w", ociv1.ImageIndexFile, err)
	}
	type key struct {
		build  Build
		target string
	}
	positions := map[key]int{}
	for _, descriptor := range index.Manifests {
		build := Build{
			UID:       types.UID(descriptor.Annotations[annotationUID]),
			Namespace: descriptor.Annotations[annotationNamespace], Name: descriptor.Annotations[annotationName],
			Image: descriptor.Annotations[annotationImage],
		}
		if build.UID == "" {
			continue // not of this package
		}
		manifest, layer, err := s.readManifest(descriptor.Digest)
		if err != nil {
			return err
		}
		content := Content{layer.Digest.String(), layer.Size}
		if layer.Digest == ociv1.DescriptorEmptyJSON.Digest && layer.Annotations[ociv1.AnnotationTitle] == "" {
			content = Content{}
		}
		entry := key{build, descriptor.Annotations[annotationTarget]}
		kind := descriptor.Annotations[annotationDocument]
		at, known := positions[entry]
		switch {
		case kind != "" && !known: // a document about nothing
		case kind == "":
			artifact := Artifact{
				Target: entry.target, Content: content, MediaType: manifest.ArtifactType,
				Title: layer.Annotations[ociv1.AnnotationTitle], Annotations: manifest.Annotations,
			}
			positions[entry] = len(s.records)
			s.records = append(s.records, record{Entry{build, artifact}, []ociv1.Descriptor{descriptor}})
		default:
			about := &s.records[at]
			about.manifests = append(about.manifests, descriptor)
			for _, of := range append(v1alpha1.ArtifactDocumentTypes(), v1alpha1.DocumentTestReport) {
				if strings.EqualFold(string(of), kind) {
					about.Artifact.Documents = append(about.Artifact.Documents, Document{of, content, layer.MediaType})
				}
			}
		}
	}
	return nil
}

// readManifest returns a manifest and its layer. They are zero if the manifest is lost or damaged: its artifact is lost, but no other.
func (s *Store) readManifest(manifestDigest digest.Digest) (manifest ociv1.Manifest, layer ociv1.Descriptor, err error) {
	file, err := s.OpenBlob(manifestDigest.String())
	if errors.Is(err, fs.ErrNotExist) {
		return manifest, layer, nil
	}
	if err != nil {
		return manifest, layer, err
	}
	defer func() { _ = file.Close() }() // only read from
	if err := json.NewDecoder(file).Decode(&manifest); err != nil || len(manifest.Layers) != 1 {
		return ociv1.Manifest{}, layer, nil
	}
	return manifest, manifest.Layers[0], nil
}

// Entries returns the artifacts in the index, in the order of their last Record.
func (s *Store) Entries() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := make([]Entry, 0, len(s.records))
	for _, r := range s.records {
		entries = append(entries, r.Entry)
	}
	return entries
}

// Removed is what Remove has removed.
type Removed struct {
	// Entries are the artifacts that left the index. Another artifact may have the same content.
	Entries []Entry
	// Bytes is how many bytes of the disk are free again.
	Bytes int64
}

// Remove removes the entries that keep refuses from the index, and then the contents that no entry needs, unless they were taken and not
// released. keep must not call the store. After an error, Remove has removed what it returns, and can be repeated.
func (s *Store) Remove(keep func(Entry) bool) (Removed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	removed, err := s.remove(keep)
	if err != nil {
		err = fmt.Errorf("remove unneeded artifacts: %w", err)
	}
	return removed, err
}

func (s *Store) remove(keep func(Entry) bool) (removed Removed, err error) {
	// First what the present index does not need: on a full disk, only this makes room for another index.
	if removed.Bytes, err = s.unlinkUnneeded(s.records); err != nil {
		return removed, err
	}
	var kept []record
	for _, r := range s.records {
		if keep(r.Entry) {
			kept = append(kept, r)
		} else {
			removed.Entries = append(removed.Entries, r.Entry)
		}
	}
	if len(removed.Entries) == 0 {
		return removed, nil
	}
	err = s.replaceIndex(kept)
	bytes, unlinked := int64(0), error(nil)
	if err == nil || full(err) { // without room for another index, the present one names what is removed until there is room
		bytes, unlinked = s.unlinkUnneeded(kept)
		removed.Bytes += bytes
	}
	if full(err) && bytes > 0 {
		err = s.replaceIndex(kept)
	}
	if err != nil {
		return Removed{Bytes: removed.Bytes}, err
	}
	return removed, unlinked
}

// unlinkUnneeded removes the contents that no record needs, unless they were taken and not released. It returns how many bytes of the
// disk are free again.
func (s *Store) unlinkUnneeded(records []record) (bytes int64, err error) {
	needed := map[string]bool{}
	for i := range records {
		for _, contentDigest := range records[i].digests() {
			needed[contentDigest] = true
		}
	}
	entries, err := os.ReadDir(s.blobs())
	for _, entry := range entries {
		info, infoErr := entry.Info()
		of := digest.SHA256.String() + ":" + entry.Name()
		switch {
		case infoErr != nil:
			err = errors.Join(err, infoErr)
		case !needed[of] && s.taken[of] == 0:
			if removeErr := os.Remove(filepath.Join(s.blobs(), entry.Name())); removeErr != nil {
				err = errors.Join(err, removeErr)
				continue
			}
			bytes += allocated(info, nil)
		}
	}
	s.usage -= bytes
	return bytes, err
}
