// SPDX-License-Identifier: Apache-2.0

package ocilayout

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Content is what is published of a layout.
type Content struct {
	// Root is the image, or the index of all images.
	Root Document
	// Documents are the root, all manifests and indexes that it names, and those that refer to one of them. Each comes after those that it names.
	Documents []Document
	// Blobs are the layers and configurations, each once, in the order in which the tar has them.
	Blobs []ociv1.Descriptor
}

// Content returns what is published of the layout: everything, as it is. If that cannot be pulled, because the layout has parts of an index only,
// or several images without a platform, Content returns the image for a platform. The error is an *InvalidError if there is no such image.
func (l *Layout) Content(platform string) (*Content, error) {
	root, about := l.root()
	if root != nil && root.err == nil {
		return l.contentOf(root, about), nil
	}
	image, err := l.Image(platform)
	if err == nil {
		return l.contentOf(l.nodes[image.Descriptor.Digest], nil), nil
	}
	if root != nil && len(l.images()) == 0 {
		err = root.err
	}
	return nil, err
}

// root returns the node that stands for the whole layout, and the nodes that refer to a part of it, such as signatures. The root is the only entry of
// the index that no other entry names, or else the index itself, if clients can choose from it by platform. It is nil if there is none.
func (l *Layout) root() (root *node, about []*node) {
	index := l.nodes[l.index.Descriptor.Digest]
	below := map[*node]bool{}
	for _, entry := range index.children {
		for _, child := range entry.children {
			child.walk(below, func(*node) {})
		}
	}
	var tops []*node
	for _, entry := range index.children {
		if subject := entry.manifest.Subject; subject != nil && l.nodes[subject.Digest] != nil {
			about = append(about, entry)
		} else if !below[entry] {
			tops = append(tops, entry)
		}
	}
	if len(tops) == 1 {
		return tops[0], about
	}
	tops = slices.DeleteFunc(tops, (*node).isAttestation)
	if len(tops) == 0 || slices.ContainsFunc(tops, func(top *node) bool { return top.place.Platform == nil }) {
		return nil, nil
	}
	return index, nil
}

// walk visits a node and all that it names which nobody has seen, each after those that it names.
func (n *node) walk(seen map[*node]bool, visit func(n *node)) {
	if seen[n] {
		return
	}
	seen[n] = true
	for _, child := range n.children {
		child.walk(seen, visit)
	}
	visit(n)
}

func (l *Layout) contentOf(root *node, about []*node) *Content {
	c := &Content{Root: root.Document}
	nodes, blobs := map[*node]bool{}, map[digest.Digest]bool{}
	visit := func(n *node) {
		c.Documents = append(c.Documents, n.Document)
		for _, blob := range n.blobs() {
			if !blobs[blob.Digest] {
				blobs[blob.Digest] = true
				c.Blobs = append(c.Blobs, blob)
			}
		}
	}
	root.walk(nodes, visit)
	for _, n := range about {
		if n.err == nil && nodes[l.nodes[n.manifest.Subject.Digest]] {
			n.walk(nodes, visit)
		}
	}
	slices.SortFunc(c.Blobs, func(a, b ociv1.Descriptor) int {
		return cmp.Compare(l.tar.entries[blobName(a.Digest)].offset, l.tar.entries[blobName(b.Digest)].offset)
	})
	return c
}

// Image returns the image of the layout for a platform. The only image counts if its platform is unknown. The error is an *InvalidError if there is
// no such image, or if there are several.
func (l *Layout) Image(platform string) (*Image, error) {
	images := l.images()
	if len(images) == 0 {
		return nil, invalid("the layout has no image that is whole")
	}
	var platforms []string
	var matching []*node
	for _, image := range images {
		its := l.platformOf(image)
		platforms = append(platforms, cmp.Or(its, "unknown"))
		if samePlatform(its, platform) || its == "" && len(images) == 1 {
			matching = append(matching, image)
		}
	}
	if len(matching) != 1 {
		return nil, invalid("the layout has %d images for %s (platforms of all images: %.100s): make one image, or one index that has the platform of each image",
			len(matching), platform, strings.Join(platforms, ", "))
	}
	return &Image{matching[0].Document, matching[0].manifest, l}, nil
}

// images returns the images that the layout has whole.
func (l *Layout) images() (images []*node) {
	for _, n := range l.nodes {
		if n.err == nil && !n.isAttestation() && IsConfig(n.manifest.Config.MediaType) {
			images = append(images, n)
		}
	}
	slices.SortFunc(images, func(a, b *node) int { return cmp.Compare(a.Descriptor.Digest, b.Descriptor.Digest) })
	return images
}

// isAttestation reports whether a manifest is not an image but tells about one, as buildx adds it to an index.
func (n *node) isAttestation() bool {
	unknown := n.place.Platform != nil && n.place.Platform.OS == "unknown"
	return unknown || n.place.Annotations["vnd.docker.reference.type"] != ""
}

// platformOf returns the platform of an image as its index tells it, or else as its configuration does.
func (l *Layout) platformOf(n *node) string {
	platform := n.place.Platform
	if platform == nil {
		var config ociv1.Image
		if n.manifest.Config.Size <= MaxDocument {
			_ = json.NewDecoder(l.Blob(n.manifest.Config)).Decode(&config) // without one the platform is unknown
		}
		platform = &config.Platform
	}
	return strings.Trim(strings.Join([]string{platform.OS, platform.Architecture, platform.Variant}, "/"), "/")
}

// samePlatform compares platforms. One without a variant has any.
func samePlatform(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}
