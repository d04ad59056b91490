// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// all are the versions of all packages of a content, also of those that came with the base.
func (c *content) all() map[string]int {
	versions := maps.Clone(c.base)
	maps.Copy(versions, c.own)
	return versions
}

// contentBefore returns what the last success of an Image before a build was made of, or nil. A build whose artifacts this one tests again does not
// count: it can succeed before the packages of the other one are known.
func (w *environment) contentBefore(of numbered) *content {
	for number := of.number - 1; number > 0; number-- {
		if how := w.truth.ended[numbered{of.image, number}]; how.counts && how.phase == v1alpha1.BuildSucceeded && how.artifact != w.truth.ended[of].artifact {
			return w.truth.contents[how.artifact]
		}
	}
	return nil
}

// contentCompared returns what the last success before a build was made of whose packages the status of an Image compares with the archives. Successes
// that followed each other too fast are not compared.
func (w *environment) contentCompared(image *v1alpha1.Image, of numbered) *content {
	if compared := image.Status.Packages; compared != nil {
		for number := of.number - 1; number > 0; number-- {
			if how := w.truth.ended[numbered{of.image, number}]; how.name == compared.Build {
				return w.truth.contents[how.artifact]
			}
		}
	}
	return w.contentBefore(of)
}

// newerThan returns when the first version that one content has, and another one lacks, was published. It is zero if there is none.
func (w *environment) newerThan(has, lacks *content) (since time.Time) {
	for name, version := range lacks.all() {
		if has.all()[name] > version {
			since = earlier(since, w.mirrorOf(name).published[name][version])
		}
	}
	return since
}

// checkFixes holds that each build that the status of an Image reports as a fix installed a newer version than the success before it, that it is reported
// once, and that its channels had it.
func (w *environment) checkFixes(image *v1alpha1.Image, status *v1alpha1.ImageStatus) {
	for i := range status.Fixes {
		fix, known := &status.Fixes[i], v1alpha1.PackageFix{}
		if at := slices.IndexFunc(image.Status.Fixes, func(of v1alpha1.PackageFix) bool { return of.Build == fix.Build }); at >= 0 {
			known = image.Status.Fixes[at]
		}
		if known.Build == "" || !known.Since.Equal(&fix.Since) {
			w.checkFix(image, fix, known.Build == "")
		}
		for _, channel := range fix.Channels {
			if slices.Contains(known.Channels, channel) {
				continue
			}
			at := slices.IndexFunc(image.Status.Channels, func(of v1alpha1.ImageChannel) bool { return of.Name == channel.Name })
			if build, ok := w.builds.get(image.Status.Channels[max(0, at)].Build); at < 0 || ok && (numberOf(build) < fix.Number || build.IsOneOff()) || !channel.Time.Equal(&image.Status.Channels[at].Time) {
				w.broken("%s is told to be in %s since %s, and that is at %+v", fix.Build, channel.Name, channel.Time, image.Status.Channels)
			}
			w.cover.point("a fix reaches a channel")
		}
	}
	for _, fix := range image.Status.Fixes {
		if !slices.ContainsFunc(status.Fixes, func(of v1alpha1.PackageFix) bool { return of.Build == fix.Build }) && len(status.Fixes) < v1alpha1.MaxImageFixes {
			w.broken("%s was a fix of %s, and is none any more", fix.Build, image.Name)
		}
	}
}

func (w *environment) checkFix(image *v1alpha1.Image, fix *v1alpha1.PackageFix, isNew bool) {
	of := numbered{image.UID, fix.Number}
	how := w.truth.ended[of]
	if !how.counts || how.phase != v1alpha1.BuildSucceeded || how.name != fix.Build || !fix.ReadyTime.Time.Equal(how.at) {
		w.broken("%+v is told to be a fix, and ended as %+v", fix, how)
	}
	before := w.contentCompared(image, of)
	if before == nil {
		w.broken("%s is told to be a fix, and no build before it has succeeded", fix.Build)
	}
	switch since := w.newerThan(w.truth.contents[how.artifact], before); {
	case since.IsZero():
		w.broken("%s is told to be a fix, and has %v after %v", fix.Build, w.truth.contents[how.artifact].all(), before.all())
	case fix.Since.Time.Before(since):
		w.broken("%s is told to be a fix since %s, and its first newer version is there since %s", fix.Build, fix.Since, since)
	}
	if isNew && w.truth.fixes[of] {
		w.broken("%s is counted as a fix for the second time", fix.Build)
	}
	w.truth.fixes[of] = true
	w.cover.point("a fix is counted")
	if image.Spec.Base.ImageRef != nil {
		w.cover.point("a fix of an Image with a base is counted")
	}
}

// checkFixed holds that the latest success of an Image is a fix if it was started for new packages, and installed one of them.
func (w *environment) checkFixed(image *v1alpha1.Image) {
	last := image.Status.LatestSuccessful
	if last == nil {
		return
	}
	build, ok := w.builds.get(last.Name)
	if !ok || build.Spec.ImageRef.UID != image.UID || build.Spec.Trigger.Packages == nil || build.Spec.Retests != nil || *build.Spec.ImageGeneration != image.Generation {
		return
	}
	has := w.truth.contents[last.Artifacts[0].Digest]
	before := w.contentBefore(numbered{image.UID, last.Number})
	if before == nil || meta.IsStatusConditionPresentAndEqual(image.Status.Conditions, v1alpha1.ImagePackagesUpToDate, metav1.ConditionUnknown) {
		return // such as after all builds of its base were deleted
	}
	for _, update := range build.Spec.Trigger.Packages.Updates {
		if has.own[update.Name] > before.own[update.Name] && !slices.ContainsFunc(image.Status.Fixes, func(fix v1alpha1.PackageFix) bool { return fix.Build == last.Name }) {
			w.broken("%s has a newer %s, and is no fix: %+v", last.Name, update.Name, image.Status.Fixes)
		}
	}
}
