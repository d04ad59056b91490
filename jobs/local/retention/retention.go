// SPDX-License-Identifier: Apache-2.0

// Package retention decides how long goldsmith up keeps the artifacts of builds.
//
// Three kinds of artifacts are told apart. Artifacts are needed if they belong to the latest successful build of an image, to a
// build of a channel, to a build that is not finished or whose artifacts such a build tests, to a build under legal hold, or to the build that another
// image was last built on. Needed artifacts are never removed. Other artifacts of builds that exist are kept as long as the store is not larger than its
// limit; those of the build that finished first are removed first. Artifacts of deleted builds that nothing needs are removed.
//
// Everything is decided from the API as it is, so a crash loses nothing.
package retention

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
)

// interval is the time between two searches for artifacts that nothing needs.
const interval = 10 * time.Minute

// Options configure a Keeper. All but Max, Clock and Logger are required.
type Options struct {
	// Client reads images and builds.
	Client versioned.Interface
	// Events takes the events of builds whose artifacts are removed.
	Events record.EventRecorder
	// Store has the artifacts.
	Store *artifacts.Store
	// Max is how many bytes of the disk the artifacts may occupy. Default: 0, which is no limit.
	Max int64
	// Clock is the clock. Default: the real one.
	Clock clock.WithTicker
	// Logger gets errors. Default: none.
	Logger logr.Logger
}

// Keeper removes artifacts that need not be kept.
type Keeper struct {
	Options
	mu sync.Mutex // held while artifacts are removed
}

// New returns a Keeper.
func New(options Options) *Keeper {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	return &Keeper{Options: options}
}

// Run removes artifacts, at once and then every 10 minutes, until ctx is done.
func (k *Keeper) Run(ctx context.Context) error {
	ticker := k.Clock.NewTicker(interval)
	defer ticker.Stop()
	for {
		if err := k.Sweep(ctx); err != nil && ctx.Err() == nil {
			k.Logger.Error(err, "Unneeded artifacts cannot be removed, will retry")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C():
		}
	}
}

// Fit makes the store fit its limit after contents were added that no build has recorded yet. It fails if needed artifacts and these
// contents alone are larger.
func (k *Keeper) Fit(ctx context.Context) error {
	if k.Max == 0 || k.Store.Usage() <= k.Max {
		return nil
	}
	if err := k.Sweep(ctx); err != nil {
		return err
	}
	if usage := k.Store.Usage(); usage > k.Max {
		return fmt.Errorf("the artifacts occupy %s, more than --artifacts-max %s, and nothing else may be removed: raise --artifacts-max, or delete images",
			bytes(usage), bytes(k.Max))
	}
	return nil
}

// Sweep removes artifacts that nothing needs and, if the store is larger than its limit, others that are not needed.
func (k *Keeper) Sweep(ctx context.Context) error {
	_, err := k.sweep(ctx, func() string {
		if usage := k.Store.Usage(); k.Max > 0 && usage > k.Max {
			return fmt.Sprintf("all artifacts occupied %s, more than --artifacts-max %s", bytes(usage), bytes(k.Max))
		}
		return ""
	})
	return err
}

// MakeRoom removes artifacts that nothing needs and, until so many bytes of the disk are free, others that are not needed. It returns how
// many bytes it freed.
func (k *Keeper) MakeRoom(ctx context.Context, room int64) (freed int64, err error) {
	return k.sweep(ctx, func() string {
		if k.Store.Free() < room {
			return "the disk was full"
		}
		return ""
	})
}

// sweep removes artifacts that nothing needs, and others that are not needed as long as crowded tells why.
func (k *Keeper) sweep(ctx context.Context, crowded func() string) (freed int64, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	entries := k.Store.Entries() // before the builds are read: the build of each entry existed then
	needs, err := k.read(ctx)
	if err != nil {
		return 0, err
	}
	orphans := needs.orphans(entries)
	removed, err := k.Store.Remove(func(entry artifacts.Entry) bool { return !orphans[key(entry)] })
	freed = removed.Bytes
	if err != nil {
		return freed, err
	}
	for _, build := range needs.evictable(k.Store.Entries()) {
		why := crowded()
		if why == "" {
			break
		}
		removed, err := k.Store.Remove(func(entry artifacts.Entry) bool { return entry.Build.UID != build.UID })
		freed += removed.Bytes
		if err != nil {
			return freed, err
		}
		k.Events.Event(build, corev1.EventTypeWarning, v1alpha1.EventArtifactsRemoved, v1alpha1.CutMessage(fmt.Sprintf(
			"removed its artifacts (%s), because %s; to have them again: goldsmith rerun %s", bytes(removed.Bytes), why, build.Name)))
	}
	return freed, nil
}

func bytes(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// needs is what the API needs of the store.
type needs struct {
	builds map[types.UID]*v1alpha1.ImageBuild // all that exist
	needed map[types.UID]bool                 // the builds whose artifacts are needed
	// What images need even after its build is deleted: the artifacts of latest successful builds, of channels and of bases, with the names
	// of these builds, and the bases of images, by the digest of their artifacts. Many builds can have equal documents, so a document is
	// needed for itself only where no content of its artifact is kept.
	digests   map[string]bool
	documents map[string]bool
	names     map[named]bool
	bases     map[named]bool
}

// read reads the builds before the images: a build that an image needs is kept by one of the two.
func (k *Keeper) read(ctx context.Context) (*needs, error) {
	builds, err := k.Client.ImagesV1alpha1().ImageBuilds(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list builds: %w", err)
	}
	images, err := k.Client.ImagesV1alpha1().Images(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	return needsOf(images.Items, builds.Items), nil
}

// named identifies an object by its name.
type named struct{ namespace, name string }

// numbered identifies a build of an Image.
type numbered struct {
	image  types.UID
	number int64
}

// add marks the artifacts of a build, and the documents about them, as needed.
func (n *needs) add(build named, all []v1alpha1.Artifact) {
	n.names[build] = true
	for i := range all {
		n.digests[all[i].Digest] = true
		for _, document := range all[i].Documents {
			n.documents[document.Digest] = true
		}
	}
}

// needBase marks what a build starts from as needed. The digest is that of its only artifact, or of several together. base is nil if only
// the digest is known.
func (n *needs) needBase(namespace, digest string, base *v1alpha1.BaseBuild) {
	if digest == "" {
		return
	}
	n.bases[named{namespace, digest}], n.digests[digest] = true, true
	if base != nil {
		n.add(named{namespace, base.Name}, base.Artifacts)
	}
}

func needsOf(images []v1alpha1.Image, builds []v1alpha1.ImageBuild) *needs {
	n := &needs{
		builds: map[types.UID]*v1alpha1.ImageBuild{}, needed: map[types.UID]bool{},
		digests: map[string]bool{}, documents: map[string]bool{}, names: map[named]bool{}, bases: map[named]bool{},
	}
	channels, held, based := map[named]bool{}, map[types.UID]bool{}, map[numbered]bool{}
	for i := range images {
		image := &images[i]
		held[image.UID] = v1alpha1.UnderLegalHold(image)
		for _, channel := range image.Status.Channels {
			build := named{image.Namespace, channel.Build}
			channels[build] = true
			n.bases[named{image.Namespace, channel.Digest}] = true // even after the build is deleted
			n.add(build, channel.Artifacts)
		}
		if latest := image.Status.LatestSuccessful; latest != nil {
			n.add(named{image.Namespace, latest.Name}, latest.Artifacts)
			based[numbered{image.UID, latest.Number}] = true
		}
		if last := image.Status.LastAttempted; last != nil {
			n.needBase(image.Namespace, last.BaseDigest, nil)
			based[numbered{image.UID, last.Number}] = true
		}
	}
	for i := range builds {
		build := &builds[i]
		ref, number := build.Spec.ImageRef, build.Spec.Number
		if !build.Status.Finished { // its artifacts are under test
			n.add(named{build.Namespace, build.Name}, build.Status.Artifacts)
			if tested := build.Spec.Retests; tested != nil {
				n.add(named{build.Namespace, tested.Name}, tested.Artifacts)
			}
		}
		if build.Status.Finished && (ref == nil || number == nil || !based[numbered{ref.UID, *number}]) {
			continue
		}
		if resolved := build.Status.Resolved; resolved != nil {
			n.needBase(build.Namespace, resolved.BaseDigest, resolved.Base)
		} else if pinned := build.Spec.Pinned; pinned != nil {
			n.needBase(build.Namespace, pinned.BaseDigest, pinned.Base)
		}
	}
	for i := range builds {
		build := &builds[i]
		n.builds[build.UID] = build
		n.needed[build.UID] = !build.Status.Finished || v1alpha1.UnderLegalHold(build) ||
			build.Spec.ImageRef != nil && held[build.Spec.ImageRef.UID] ||
			channels[named{build.Namespace, build.Name}] ||
			n.bases[named{build.Namespace, inputs.ArtifactsDigest(build.Status.Artifacts)}] ||
			slices.ContainsFunc(build.Status.Artifacts, func(artifact v1alpha1.Artifact) bool { return n.digests[artifact.Digest] })
	}
	return n
}

// artifactKey identifies an artifact of a build.
type artifactKey struct {
	build  types.UID
	target string
}

func key(entry artifacts.Entry) artifactKey {
	return artifactKey{entry.Build.UID, entry.Artifact.Target}
}

// orphans are the artifacts of deleted builds that nothing needs. If several deleted builds made what is needed, that of the build whose
// name is known is needed, or else the newest.
func (n *needs) orphans(entries []artifacts.Entry) map[artifactKey]bool {
	deleted := map[artifacts.Build][]v1alpha1.Artifact{}
	for _, entry := range entries {
		if n.builds[entry.Build.UID] == nil {
			deleted[entry.Build] = append(deleted[entry.Build], v1alpha1.Artifact{Target: entry.Artifact.Target, Digest: entry.Artifact.Content.Digest})
		}
	}
	type equal struct{ namespace, target, contents string }
	kept, orphans := map[equal]bool{}, map[artifactKey]bool{}
	for _, ofName := range []bool{true, false} {
		for _, entry := range slices.Backward(entries) {
			build := entry.Build
			made, isDeleted := deleted[build]
			if !isDeleted || n.names[named{build.Namespace, build.Name}] != ofName {
				continue
			}
			same := equal{build.Namespace, entry.Artifact.Target, strings.Join(identity(&entry.Artifact), " ")}
			needed := n.bases[named{build.Namespace, inputs.ArtifactsDigest(made)}] || n.needs(&entry.Artifact)
			orphans[key(entry)] = !needed || !ofName && kept[same]
			kept[same] = kept[same] || needed
		}
	}
	return orphans
}

// identity returns the digests that tell an artifact: that of its content or, if only documents about it are kept, theirs.
func identity(artifact *artifacts.Artifact) (digests []string) {
	if artifact.Content.Digest != "" {
		return []string{artifact.Content.Digest}
	}
	for _, document := range artifact.Documents {
		digests = append(digests, document.Content.Digest)
	}
	return digests
}

// needs reports whether an artifact is needed, or, if its content is not kept, all documents about it.
func (n *needs) needs(artifact *artifacts.Artifact) bool {
	among := n.digests
	if artifact.Content.Digest == "" {
		among = n.documents
	}
	return !slices.ContainsFunc(identity(artifact), func(digest string) bool { return !among[digest] })
}

// evictable are the builds whose artifacts in the store are not needed, the build that finished first first. A build is left out if the
// removal of its artifacts would free nothing, because others have the same contents.
func (n *needs) evictable(entries []artifacts.Entry) []*v1alpha1.ImageBuild {
	needed := map[string]bool{}
	for _, entry := range entries {
		if build := n.builds[entry.Build.UID]; build == nil || n.needed[build.UID] {
			for _, digest := range identity(&entry.Artifact) {
				needed[digest] = true
			}
		}
	}
	var builds []*v1alpha1.ImageBuild
	for _, entry := range entries {
		build := n.builds[entry.Build.UID]
		frees := slices.ContainsFunc(identity(&entry.Artifact), func(digest string) bool { return !needed[digest] })
		if build != nil && !n.needed[build.UID] && frees && !slices.Contains(builds, build) {
			builds = append(builds, build)
		}
	}
	slices.SortStableFunc(builds, func(a, b *v1alpha1.ImageBuild) int {
		return cmp.Or(completion(a).Compare(completion(b)), cmp.Compare(a.Name, b.Name))
	})
	return builds
}

func completion(build *v1alpha1.ImageBuild) time.Time {
	if build.Status.CompletionTime == nil {
		return time.Time{}
	}
	return build.Status.CompletionTime.Time
}
