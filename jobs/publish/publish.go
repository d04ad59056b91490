// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/opencontainers/image-spec/specs-go"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"
	"k8s.io/utils/clock"
	"oras.land/oras-go/v2/registry/remote/auth"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// AnnotationTarget is the annotation with the artifact's target, on the entries of an index for a tag that several artifacts share.
	AnnotationTarget = "dev.goldsmith.target"
	// DefaultPatience is how long an outage of a registry is retried by default.
	DefaultPatience = 2 * time.Minute
)

// File is an open content. Reads at an offset may come after others have failed.
type File interface {
	io.ReadSeeker
	io.ReaderAt
	io.Closer
}

// Content is what is pushed as one blob.
type Content struct {
	// Digest is "sha256:" and 64 lower-case hex digits.
	Digest string
	// SizeBytes is the length of the content.
	SizeBytes int64
	// Open opens the content. It is called at most once at a time, and only if the content has to be read.
	Open func() (File, error)
}

// Document is an SBOM or a provenance document of an artifact.
type Document struct {
	Content
	// MediaType is the media type of the document.
	MediaType string
}

// Artifact is an artifact to push.
type Artifact struct {
	// Target is the platform and the format that the artifact was built for, joined by a slash. It is unique in a push.
	Target string
	// Platform is operating system, architecture and perhaps a variant, joined by slashes.
	Platform string
	// MediaType is the media type of the content.
	MediaType string
	Content
	// Annotations are those that the builder set. An image keeps only its own.
	Annotations map[string]string
	// SBOM and Provenance are pushed as referrers of the artifact. They may be nil.
	SBOM, Provenance *Document
	// Tag is moved to the artifact once all artifacts are pushed. With the empty tag the artifact is pushed by its digest only.
	Tag string
}

// Login is where a user has stored credentials for registries.
type Login struct {
	// File names the configuration in errors.
	File string
	// Config is the content of the file, in the format of DockerConfig. Its credHelpers and credsStore may name programs to run. Nil
	// without a file.
	Config []byte
	// Command is the command that stores credentials there, such as docker login.
	Command string
}

// Options are how to reach a registry.
type Options struct {
	// DockerConfig is the content of a .dockerconfigjson. Nil for an anonymous client.
	DockerConfig []byte
	// Logins are the credentials of the user who runs this process, instead of DockerConfig. The first of them that has some for the
	// repository counts. Remedies in errors name a command to log in instead of a Secret.
	Logins []Login
	// CA are certificates of authorities as PEM, which are trusted besides those of the system. With them, loopback hosts are
	// reached with TLS, too.
	CA []byte
	// PlainHTTP are the hosts, each HOST or HOST:PORT, that are reached without TLS besides loopback hosts.
	PlainHTTP []string
	// Patience is how long an outage of the registry is retried: rate limits, server errors and broken connections. An outage ends
	// with progress. Defaults to DefaultPatience.
	Patience time.Duration
	// Impatient limits the retries to some seconds while the registry has not answered, and its host refuses connections or does not exist: a
	// user who mistypes it learns so at once.
	Impatient bool
	// Clock is the clock of outages. Defaults to the real one.
	Clock clock.Clock
	// UserAgent is sent to registries. Defaults to "goldsmith".
	UserAgent string
	// Progress is called with the number of bytes of all contents that the registry has, or that are sent to it. It never decreases.
	// May be nil.
	Progress func(bytes int64)
	// Retrying is called with an *Error before a request is repeated, but at most once a minute, because an outage can end after each
	// request. May be nil.
	Retrying func(err error)
	// Log gets one line before an artifact is pushed, and one after an artifact was pushed or fetched. The lines have no secrets. Defaults
	// to none.
	Log func(format string, args ...any)
}

func (o Options) withDefaults() Options {
	o.UserAgent, o.Patience = cmp.Or(o.UserAgent, "goldsmith"), cmp.Or(o.Patience, DefaultPatience)
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	return o
}

// describe describes a content in the log.
func describe(digest string, sizeBytes int64) string {
	return humanize.IBytes(uint64(max(sizeBytes, 0))) + ", " + short(digest)
}

// took is how long something took, for the log.
func took(c clock.PassiveClock, began time.Time) time.Duration {
	return c.Since(began).Round(time.Millisecond)
}

// Pushed is an artifact that was pushed.
type Pushed struct {
	// Target is Artifact.Target.
	Target string
	// Digest is the digest of the artifact's manifest.
	Digest string
	// Location is REPOSITORY@DIGEST.
	Location string
	// SBOM and Provenance are the locations of the artifact's documents. Empty without the document.
	SBOM, Provenance string
	// Tag is Artifact.Tag. The tag names the manifest, or an index of it if several artifacts share the tag.
	Tag string
	// Image means that the artifact was pushed as the image, or the index, of its OCI image layout. Its tar cannot be fetched back.
	Image bool
}

// Push pushes artifacts to a repository, HOST[:PORT]/PATH, and returns them in the same order. What the repository has already is not
// sent again. A failure of the registry, or of a configuration for the registry, is an *Error. An OCI image layout that cannot be published is an
// *ocilayout.InvalidError. Any other error is the context's, or a content that cannot be read or is not what its digest says.
//
// After an error no tag has moved, or those that sort before the tag in the error. Push holds no content in memory.
func Push(ctx context.Context, repository string, artifacts []Artifact, o Options) ([]Pushed, error) {
	client, err := newClient("push to", repository, o)
	if err != nil {
		return nil, err
	}
	defer client.close()
	return newPusher(client, o.Progress).push(client.scoped(ctx, auth.ActionPull, auth.ActionPush), artifacts)
}

type pusher struct {
	*client
	progress func(bytes int64)
	done     int64 // bytes of whole blobs
	// reporting guards reported: a request that ended early can still read its body.
	reporting sync.Mutex
	reported  int64
	// largest is the size of requests. It falls to the smallest if the registry, or a proxy before it, does not take larger ones.
	largest, smallest int64
}

func newPusher(c *client, progress func(bytes int64)) *pusher {
	if progress == nil {
		progress = func(int64) {}
	}
	return &pusher{client: c, progress: progress, largest: 64 << 20, smallest: 1 << 20}
}

func (p *pusher) push(ctx context.Context, artifacts []Artifact) ([]Pushed, error) {
	for i := range artifacts {
		tagged := p.reference
		if tagged.Reference = artifacts[i].Tag; tagged.Reference != "" && tagged.ValidateReferenceAsTag() != nil {
			cause := fmt.Sprintf("%q is not a tag", p.scrub(tagged.Reference))
			return nil, p.fault(v1alpha1.ReasonRegistryRefused, cause, "correct spec.output.tagTemplate", nil)
		}
	}
	var pushed []Pushed
	manifests := make([]manifest, len(artifacts))
	for i := range artifacts {
		artifact := &artifacts[i]
		began := p.clock.Now()
		p.log("pushing %s: %s", artifact.Target, describe(artifact.Digest, artifact.SizeBytes))
		var err error
		if manifests[i], err = p.pushArtifact(ctx, artifact); err != nil {
			return nil, err
		}
		p.log("pushed %s in %s", artifact.Target, took(p.clock, began))
		pushed = append(pushed, Pushed{
			Target: artifact.Target, Digest: manifests[i].Digest.String(), Tag: artifact.Tag,
			Location: p.location(manifests[i]), Image: manifests[i].ArtifactType == "",
		})
	}
	for i := range artifacts {
		for _, document := range []struct {
			*Document
			location *string
		}{{artifacts[i].SBOM, &pushed[i].SBOM}, {artifacts[i].Provenance, &pushed[i].Provenance}} {
			if document.Document == nil {
				continue
			}
			referrer, err := p.pushReferrer(ctx, document.Document, manifests[i])
			if err != nil {
				return nil, err
			}
			*document.location = p.location(referrer)
		}
	}
	tags, err := tagged(artifacts, manifests)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(tags))
	for _, tag := range names { // all indexes before the first tag
		if tags[tag].MediaType == ociv1.MediaTypeImageIndex {
			if err := p.pushManifest(ctx, "push index of tag "+tag, tags[tag]); err != nil {
				return nil, err
			}
		}
	}
	for _, tag := range names {
		if err := p.pushTag(ctx, tag, tags[tag]); err != nil {
			return nil, err
		}
	}
	return pushed, nil
}

func (p *pusher) location(m manifest) string { return p.repository + "@" + m.Digest.String() }

// tagged returns what each tag names: the manifest of its artifact, or an index of the manifests of its artifacts.
func tagged(artifacts []Artifact, manifests []manifest) (map[string]manifest, error) {
	members := map[string][]int{}
	for i := range artifacts {
		if tag := artifacts[i].Tag; tag != "" {
			members[tag] = append(members[tag], i)
		}
	}
	tags := map[string]manifest{}
	for tag, indices := range members {
		if len(indices) == 1 {
			tags[tag] = manifests[indices[0]]
			continue
		}
		slices.SortFunc(indices, func(a, b int) int { return cmp.Compare(artifacts[a].Target, artifacts[b].Target) })
		var entries []ociv1.Descriptor
		for _, i := range indices {
			its, err := entriesOf(manifests[i], &artifacts[i])
			if err != nil {
				return nil, err
			}
			entries = append(entries, its...)
		}
		index, err := newManifest(ociv1.MediaTypeImageIndex, "", ociv1.Index{
			Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ociv1.MediaTypeImageIndex, Manifests: entries,
		})
		if err != nil {
			return nil, err
		}
		tags[tag] = index
	}
	return tags, nil
}
