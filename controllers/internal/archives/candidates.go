// SPDX-License-Identifier: Apache-2.0

package archives

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// outdated is how old the last successful check of an archive may be.
const outdated = 24 * time.Hour

// maxBases is how many bases of an Image are looked at. The server refuses more.
const maxBases = 32

// Candidates returns the newer versions of the packages in the latest successful build of an Image, whose builds are in the order of their
// numbers. It returns nil if nobody asks for them, or no build has succeeded. They are unknown if that build was deleted. Packages that the base has
// are left out, because only a build of the base can replace them. again is when to ask again without an event, if the packages are unknown or a
// resolve runs. An error is an error of the API.
func (a *Archives) Candidates(ctx context.Context, image *v1alpha1.Image, builds []v1alpha1.ImageBuild) (found *trigger.Candidates, again time.Duration, err error) {
	if image.Spec.Triggers.OnPackageChange == nil {
		return nil, 0, nil
	}
	if ok, unsupported := watched(image, a.Builders); !ok {
		return &trigger.Candidates{Unknown: unsupported, NotSupported: true}, 0, nil
	}
	build, last := trigger.LatestSuccessful(builds), image.Status.LatestSuccessful
	switch {
	case last != nil && (build == nil || *build.Spec.Number < last.Number):
		return &trigger.Candidates{Unknown: fmt.Sprintf("the packages of build %s are unknown, because it was deleted: ask for a build", last.Name)}, 0, nil
	case build == nil:
		return nil, 0, nil
	}
	content, err := a.locks.of(ctx, build, a.Clock.Now())
	if err != nil {
		return nil, 0, err
	}
	if content.unknown != "" {
		return &trigger.Candidates{Unknown: content.unknown}, content.again(), nil
	}
	base, _, err := a.baseContent(ctx, image, build)
	if err != nil {
		return nil, 0, err
	}
	if base != nil && base.unknown != "" {
		return &trigger.Candidates{Unknown: base.unknown}, base.again(), nil
	}
	found = &trigger.Candidates{Build: build.Name}
	var unknown []string
	checked := 0
	for _, of := range content.archives() {
		archive := &v1alpha1.Archive{} // one that is not there yet is not checked
		if err := a.cache.Get(ctx, client.ObjectKey{Name: of.objectName()}, archive, client.UnsafeDisableDeepCopy); client.IgnoreNotFound(err) != nil {
			return nil, 0, fmt.Errorf("get archive %s: %w", of.objectName(), err)
		}
		why := unchecked(archive, a.Clock.Now())
		if why == "" && archive.Spec != of.spec() {
			why = "is another archive of this name: delete it"
		}
		if why != "" {
			unknown = append(unknown, fmt.Sprintf("archive %s %s", of.objectName(), why))
			keepStored(found, image.Status.Packages, of.objectName())
			continue
		}
		checked++
		if int(archive.Status.UpdateCount) > len(archive.Status.Updates) {
			unknown = append(unknown, fmt.Sprintf("archive %s has more newer versions than its status lists", archive.Name))
		}
		found.Archives = append(found.Archives, v1alpha1.ArchiveState{Name: archive.Name, Date: archive.Status.Release.Date})
		for i := range archive.Status.Updates {
			update := &archive.Status.Updates[i]
			if content.packages[pkg{update.Name, update.From, update.Architecture}] && (base == nil || !base.names[named{update.Name, update.Architecture}]) {
				its := *update.DeepCopy()
				its.Archive = archive.Name
				found.Updates = append(found.Updates, its)
			}
		}
	}
	switch {
	case checked == 0:
		return &trigger.Candidates{Unknown: unknown[0]}, 0, nil
	case len(unknown) > 0:
		found.Partial = unknown[0]
	}
	if image.Spec.Base.ImageRef == nil {
		again, err = a.addResolve(ctx, whole{image, build, content}, found)
	}
	return found, again, err
}

// keepStored adds what the status of an Image has of an archive that cannot be checked, so that the other archives go on.
func keepStored(found *trigger.Candidates, stored *v1alpha1.ImagePackages, archive string) {
	if stored == nil || stored.Build != found.Build {
		return
	}
	for _, state := range stored.Archives {
		if state.Name == archive {
			found.Archives = append(found.Archives, state)
		}
	}
	for _, update := range stored.Updates {
		if update.Archive == archive && !trigger.IsResolved(&update) {
			found.Updates = append(found.Updates, update)
		}
	}
}

// unchecked returns why nothing is known of an archive, or "".
func unchecked(archive *v1alpha1.Archive, now time.Time) string {
	status := &archive.Status
	if last := status.LastCheckTime; status.Release != nil && last != nil && now.Sub(last.Time).Abs() < outdated {
		return ""
	}
	if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ArchiveReady); ready != nil && ready.Status == metav1.ConditionFalse {
		return "cannot be checked: " + ready.Message
	}
	return "is not checked yet"
}

// baseContent returns the content of the build of the base that a build was made from, or of a later one if that build was deleted. It is nil for a
// build without a base, or whose base has no lock. Nobody knows it if all builds of the base were deleted.
func (a *Archives) baseContent(ctx context.Context, image *v1alpha1.Image, build *v1alpha1.ImageBuild) (found *content, of types.UID, err error) {
	ref := image.Spec.Base.ImageRef
	if ref == nil {
		return nil, "", nil
	}
	base := &v1alpha1.ImageBuild{}
	err = a.cache.Get(ctx, client.ObjectKey{Namespace: build.Namespace, Name: baseName(build)}, base, client.UnsafeDisableDeepCopy)
	if client.IgnoreNotFound(err) != nil {
		return nil, "", fmt.Errorf("get build %s: %w", baseName(build), err)
	}
	if err != nil {
		builds, err := a.buildsOfBase(ctx, build.Namespace, ref.Name)
		if err != nil {
			return nil, "", err
		}
		if base = trigger.LatestSuccessful(builds); base == nil {
			return &content{final: true, unknown: fmt.Sprintf("the builds of the base (image %s) were deleted, and nobody knows their packages: ask for a build of it", ref.Name)}, "", nil
		}
	}
	if !hasLock(base) {
		return nil, "", nil
	}
	found, err = a.locks.of(ctx, base, a.Clock.Now())
	return found, base.UID, err
}

// buildsOfBase returns the builds of the Image with a name, or none if it does not exist.
func (a *Archives) buildsOfBase(ctx context.Context, namespace, image string) ([]v1alpha1.ImageBuild, error) {
	found := &v1alpha1.Image{}
	if err := a.cache.Get(ctx, client.ObjectKey{Namespace: namespace, Name: image}, found, client.UnsafeDisableDeepCopy); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return caches.BuildsOf(ctx, a.cache, found)
}

// BaseComing reports whether a base of an Image, or an Image that it is based on, is built because of new packages, will be, or is about to change. A build
// of the Image waits for it, so that each Image is built once.
func (a *Archives) BaseComing(ctx context.Context, image *v1alpha1.Image) (bool, error) {
	for range maxBases {
		ref := image.Spec.Base.ImageRef
		if ref == nil || !*image.Spec.Triggers.OnBaseChange {
			return false, nil
		}
		base := &v1alpha1.Image{}
		if err := a.cache.Get(ctx, client.ObjectKey{Namespace: image.Namespace, Name: ref.Name}, base); err != nil {
			return false, client.IgnoreNotFound(err)
		}
		v1alpha1.SetObjectDefaults_Image(base)
		follows, coming := trigger.Follows(base, ref.Channel, a.Clock.Now())
		if !follows || coming {
			return coming, nil
		}
		builds, err := caches.BuildsOf(ctx, a.cache, base)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(builds, func(build v1alpha1.ImageBuild) bool { return !build.Status.Finished && build.Counts() }) {
			return true, nil // which the status may not tell yet
		}
		found, _, err := a.Candidates(ctx, base, builds)
		if err != nil {
			return false, err
		}
		if found != nil && trigger.PackagesDue(trigger.Observed{Image: base, Candidates: found, Now: a.Clock.Now()}) {
			return true, nil
		}
		image = base
	}
	return false, nil
}
