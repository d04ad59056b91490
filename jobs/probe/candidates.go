// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/result"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// outdated is how old the last successful check of an archive may be.
const outdated = 24 * time.Hour

// API is what is known of the objects in the API. An object that does not exist is nil. Objects that are returned are shared. Errors are those of the API.
type API interface {
	Image(ctx context.Context, namespace, name string) (*v1alpha1.Image, error)
	Build(ctx context.Context, namespace, name string) (*v1alpha1.ImageBuild, error)
	// BuildsOf returns the builds of an Image in the order of their numbers.
	BuildsOf(ctx context.Context, image *v1alpha1.Image) ([]v1alpha1.ImageBuild, error)
	Archive(ctx context.Context, name string) (*v1alpha1.Archive, error)
	// Content returns what a build that has a lock is made of.
	Content(ctx context.Context, build *v1alpha1.ImageBuild) (*Content, error)
}

// Packages are those of the latest successful build of an Image.
type Packages struct {
	// Build is that build, and Content what it is made of. They are nil if no build has succeeded, or it was deleted.
	Build   *v1alpha1.ImageBuild
	Content *Content
	// BaseBuild is the build of the base that it is based on, and Base what that is made of. They are nil for a build without a base, and Base is nil
	// if the base has no lock.
	BaseBuild *v1alpha1.ImageBuild
	Base      *Content
	// Missing is why Content is nil. It is empty if no build has succeeded.
	Missing string
	// NotSupported is whether that is because the builder checks no archives.
	NotSupported bool
}

// PackagesOf returns the packages of the latest successful build of an Image with triggers.onPackageChange, whose builds are in the order of their numbers.
func PackagesOf(ctx context.Context, known API, builders inputs.Builders, image *v1alpha1.Image, builds []v1alpha1.ImageBuild) (found Packages, err error) {
	if ok, unsupported := Watched(image, builders); !ok {
		return Packages{Missing: unsupported, NotSupported: true}, nil
	}
	build, last := trigger.LatestSuccessful(builds), image.Status.LatestSuccessful
	switch {
	case last != nil && (build == nil || *build.Spec.Number < last.Number):
		return Packages{Missing: fmt.Sprintf("the packages of build %s are unknown, because it was deleted: ask for a build", last.Name)}, nil
	case build == nil:
		return Packages{}, nil
	}
	found.Build = build
	if !HasLock(build) {
		found.Content = NoLock(build)
		return found, nil
	}
	if found.Content, err = known.Content(ctx, build); err != nil {
		return Packages{}, err
	}
	var missing string
	if found.BaseBuild, missing, err = baseBuild(ctx, known, image, build); err != nil {
		return Packages{}, err
	}
	switch {
	case missing != "":
		found.Base = &Content{Final: true, Unknown: missing}
	case found.BaseBuild != nil && HasLock(found.BaseBuild):
		if found.Base, err = known.Content(ctx, found.BaseBuild); err != nil {
			return Packages{}, err
		}
	}
	return found, nil
}

// Unknown returns the content that is unknown, so that no newer version is known, or nil.
func (p Packages) Unknown() *Content {
	for _, content := range []*Content{p.Content, p.Base} {
		if content != nil && content.Unknown != "" {
			return content
		}
	}
	return nil
}

// baseBuild returns the build of the base that a build was made from, or a later one if that build was deleted. It is nil for a build without a base.
// missing is why it is unknown, if all builds of the base were deleted.
func baseBuild(ctx context.Context, known API, image *v1alpha1.Image, build *v1alpha1.ImageBuild) (base *v1alpha1.ImageBuild, missing string, err error) {
	ref := image.Spec.Base.ImageRef
	if ref == nil {
		return nil, "", nil
	}
	if name := baseName(build); name != "" {
		base, err = known.Build(ctx, build.Namespace, name)
		if err != nil || base != nil {
			return base, "", err
		}
	}
	found, err := known.Image(ctx, build.Namespace, ref.Name)
	if err != nil {
		return nil, "", err
	}
	var builds []v1alpha1.ImageBuild
	if found != nil {
		if builds, err = known.BuildsOf(ctx, found); err != nil {
			return nil, "", err
		}
	}
	if base = trigger.LatestSuccessful(builds); base == nil {
		missing = fmt.Sprintf("the builds of the base (image %s) were deleted, and nobody knows their packages: ask for a build of it", ref.Name)
	}
	return base, missing, nil
}

// baseName returns the name of the build that a build is based on, or "".
func baseName(build *v1alpha1.ImageBuild) string {
	if resolved := build.Status.Resolved; resolved != nil && resolved.Base != nil {
		return resolved.Base.Name
	}
	return ""
}

// Candidates returns the newer versions of packages in their archives. It is nil if no build has succeeded. Packages that the base has are left out,
// because only a build of the base can replace them. stored is what the status of the Image has of archives that cannot be checked.
func (p Packages) Candidates(ctx context.Context, known API, stored *v1alpha1.ImagePackages, now time.Time) (*trigger.Candidates, error) {
	switch {
	case p.Missing != "":
		return &trigger.Candidates{Unknown: p.Missing, NotSupported: p.NotSupported}, nil
	case p.Content == nil:
		return nil, nil
	case p.Unknown() != nil:
		return &trigger.Candidates{Unknown: p.Unknown().Unknown}, nil
	}
	found := &trigger.Candidates{Build: p.Build.Name, Has: p.Content.has, Unchecked: p.Content.Unchecked()}
	var unknown []string
	checked := 0
	for _, of := range p.Content.Archives() {
		name := of.Name()
		archive, err := known.Archive(ctx, name)
		if err != nil {
			return nil, err
		}
		if why := uncheckedOf(archive, of, now); why != "" {
			unknown = append(unknown, fmt.Sprintf("archive %s %s", name, why))
			keepStored(found, stored, name)
			continue
		}
		checked++
		if int(archive.Status.UpdateCount) > len(archive.Status.Updates) {
			unknown = append(unknown, fmt.Sprintf("archive %s has more newer versions than its status lists", archive.Name))
		}
		found.Archives = append(found.Archives, v1alpha1.ArchiveState{Name: archive.Name, Date: archive.Status.Release.Date})
		for i := range archive.Status.Updates {
			update := &archive.Status.Updates[i]
			if found.Has(update.Name, update.From, update.Architecture) && (p.Base == nil || !p.Base.names[named{update.Name, update.Architecture}]) {
				its := *update.DeepCopy()
				its.Archive = archive.Name
				found.Updates = append(found.Updates, its)
			}
		}
	}
	switch {
	case checked == 0:
		return &trigger.Candidates{Unknown: unknown[0]}, nil
	case len(unknown) > 0:
		found.Partial = unknown[0]
	}
	return found, nil
}

// uncheckedOf returns why nothing is known of an archive, or "". One that is not there yet is not checked.
func uncheckedOf(archive *v1alpha1.Archive, of Archive, now time.Time) string {
	if archive == nil {
		archive = &v1alpha1.Archive{Spec: of.Spec()}
	}
	why := Unchecked(archive, now)
	if why == "" && archive.Spec != of.Spec() {
		why = "is another archive of this name: delete it"
	}
	return why
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

// Unchecked returns why nothing is known of an archive, or "".
func Unchecked(archive *v1alpha1.Archive, now time.Time) string {
	status := &archive.Status
	if last := status.LastCheckTime; status.Release != nil && last != nil && now.Sub(last.Time).Abs() < outdated {
		return ""
	}
	if ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ArchiveReady); ready != nil && ready.Status == metav1.ConditionFalse {
		return "cannot be checked: " + ready.Message
	}
	return "is not checked yet"
}

// Changed reports whether an archive of packages has changed since they came from it.
func (p Packages) Changed(ctx context.Context, known API, now time.Time) (bool, error) {
	for _, of := range p.Content.origins {
		archive, err := known.Archive(ctx, of.archive.Name())
		if err != nil {
			return false, err
		}
		if archive != nil && Unchecked(archive, now) == "" && archive.Status.Release.Date.After(of.date) {
			return true, nil
		}
	}
	return false, nil
}

// Changes returns the packages that a build would add to a content, or remove from it, as updates of the archive that has changed last. Other versions
// of its packages are left to the checks of archives.
func (c *Content) Changes(answer *result.Resolution, states []v1alpha1.ArchiveState) (updates []v1alpha1.PackageUpdate) {
	newest := slices.MaxFunc(states, func(a, b v1alpha1.ArchiveState) int { return a.Date.Compare(b.Date.Time) })
	add := func(name, architecture, from, to string) {
		updates = append(updates, v1alpha1.PackageUpdate{
			Name: name, Architecture: architecture, From: from, To: to, Since: newest.Date, Archive: newest.Name,
		})
	}
	installed := map[named]bool{}
	for _, one := range answer.Packages {
		its := named{one.Name, one.Architecture}
		if installed[its] = true; !c.names[its] {
			add(one.Name, one.Architecture, "", one.Version)
		}
	}
	for one := range c.packages {
		if answer.Complete && !installed[named{one.Name, one.Architecture}] {
			add(one.Name, one.Architecture, one.Version, "")
		}
	}
	return updates
}
