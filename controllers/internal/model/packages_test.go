// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/probe"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// mirror is a suite of an archive as it really is. Only builders and checks read it.
type mirror struct {
	suite string
	// security is whether it publishes all versions for security.
	security bool
	released time.Time
	// published is when each version of a package was published, by its name. The first version is 1.
	published map[string][]time.Time
}

// packagesOf are the packages of mirrors, by their suites.
var packagesOf = [...]struct {
	suite    string
	packages []string
}{
	{"stable", []string{"libc", "web", "db"}},
	{"stable-security", []string{"ssl", "tls", "sql"}},
}

// installed are the packages that an Image installs besides those of its base.
var installed = map[string][]string{"a": {"libc", "ssl"}, "b": {"web", "tls"}, "d": {"db", "sql"}}

// content is what an artifact is made of: the versions of packages, and the dates of the mirrors that they are from.
type content struct {
	base, own map[string]int
	dates     map[string]time.Time
}

// mirrorURI is the address of all mirrors.
const mirrorURI = "http://mirror.example"

// objectName is the name of the Archive of a mirror.
func (m *mirror) objectName() string {
	return probe.Archive{Builder: "mock", URI: mirrorURI, Suite: m.suite}.Name()
}

// at returns the newest version of a package that was published at a time.
func (m *mirror) at(name string, date time.Time) int {
	return len(slices.DeleteFunc(slices.Clone(m.published[name]), func(at time.Time) bool { return at.After(date) }))
}

// openMirrors begins the archives of packages.
func (w *environment) openMirrors() {
	for i, of := range packagesOf {
		one := &mirror{suite: of.suite, security: i == 1, released: w.now.Truncate(time.Second), published: map[string][]time.Time{}}
		for _, name := range of.packages {
			one.published[name] = []time.Time{one.released}
		}
		w.mirrors = append(w.mirrors, one)
	}
}

// mirrorOf returns the mirror that has a package.
func (w *environment) mirrorOf(name string) *mirror {
	at := slices.IndexFunc(w.mirrors, func(m *mirror) bool { return m.published[name] != nil })
	return w.mirrors[at]
}

// packageTrigger is the trigger for new packages that a number stands for.
func packageTrigger(choice uint32) *v1alpha1.PackageTrigger {
	given := &v1alpha1.PackageTrigger{Mode: v1alpha1.PackagesAny}
	if choice%2 == 0 {
		given.Mode = v1alpha1.PackagesSecurity
	}
	switch choice % 8 {
	case 0:
		return nil
	case 5, 6:
		given.MinimumAge = &v1alpha1.Duration{Duration: 20 * time.Minute}
	case 7:
		given.Window = &v1alpha1.TriggerWindow{Cron: "0 * * * *", Duration: v1alpha1.Duration{Duration: 10 * time.Minute}}
	}
	return given
}

// setPackageTrigger replaces the trigger for new packages of an Image by the one that a number stands for.
func (w *environment) setPackageTrigger(image *v1alpha1.Image, choice int) {
	w.edit(image, func(spec *v1alpha1.ImageSpec) {
		edited := &v1alpha1.Image{Spec: v1alpha1.ImageSpec{Triggers: spec.Triggers.DeepCopy()}}
		edited.Spec.Triggers.OnPackageChange = packageTrigger(uint32(choice))
		v1alpha1.SetObjectDefaults_Image(edited)
		spec.Triggers = edited.Spec.Triggers
	})
}

// updatePackage publishes a newer version of a package.
func (w *environment) updatePackage(which int) {
	if len(w.mirrors) == 0 {
		return
	}
	of := packagesOf[which%len(packagesOf)].packages
	name := of[which/2%len(of)]
	one := w.mirrorOf(name)
	at := w.now.Truncate(time.Second)
	if !at.After(one.released) {
		at = one.released.Add(time.Second)
	}
	one.released, one.published[name] = at, append(one.published[name], at)
	w.note("%s publishes %s %d", one.suite, name, len(one.published[name]))
}

// contentOf is what an attempt of a build installs if it begins now. A package that its Image holds back stays at its first version.
func (w *environment) contentOf(build *v1alpha1.ImageBuild) *content {
	made := &content{base: map[string]int{}, own: map[string]int{}, dates: map[string]time.Time{}}
	if resolved := build.Status.Resolved; resolved != nil {
		if base := w.truth.contents[resolved.BaseDigest]; base != nil {
			maps.Copy(made.base, base.base)
			maps.Copy(made.base, base.own)
		}
	}
	name, held := "", ""
	if ref := build.Spec.ImageRef; ref != nil {
		name, held = ref.Name, w.truth.held[ref.UID]
	}
	for _, one := range w.installs[name] {
		made.own[one] = len(w.mirrorOf(one).published[one])
		if one == held {
			made.own[one] = 1
		}
	}
	for name := range made.own {
		made.dates[w.mirrorOf(name).suite] = w.mirrorOf(name).released
	}
	for name := range made.base {
		made.dates[w.mirrorOf(name).suite] = w.mirrorOf(name).released
	}
	return made
}

// beginContent has the builder of a pod read the mirrors.
func (w *environment) beginContent(pod *corev1.Pod) {
	if build, ok := w.builds.get(pod.Labels[v1alpha1.LabelBuild]); ok && len(w.mirrors) > 0 {
		w.truth.pods[pod.UID].content = w.contentOf(build)
	}
}

// runsTests reports whether a pod runs tests.
func (w *environment) runsTests(pod *corev1.Pod) bool {
	build, _ := w.testedBy(pod)
	return build != nil
}

// lock is the end of a result, which tells of the lock of an artifact.
func (w *environment) lock(pod *corev1.Pod, artifact string) string {
	made := w.truth.pods[pod.UID].content
	if made == nil {
		return "}]"
	}
	if w.truth.contents[artifact] == nil {
		w.truth.contents[artifact] = made
	}
	return fmt.Sprintf(`,"lock":{"file":"lock","digest":%q,"sizeBytes":1,"verified":%q}}],"check":{}`, artifact, v1alpha1.ArtifactVerifiedContent)
}

// GetPackages reads the packages of a build.
func (c buildClient) GetPackages(_ context.Context, name string, _ metav1.GetOptions) (*v1alpha1.ImageBuildPackages, error) {
	if err := c.p.read(ofGoldsmith); err != nil {
		return nil, err
	}
	build, ok := c.p.builds.get(name)
	if !ok || len(build.Status.Artifacts) == 0 {
		return nil, notFound(name)
	}
	its := c.p.truth.contents[build.Status.Artifacts[0].Digest]
	lock := v1alpha1.Lock{Version: 1}
	for _, suite := range slices.Sorted(maps.Keys(its.dates)) {
		lock.Sources = append(lock.Sources, v1alpha1.PackageSource{
			URI: mirrorURI, Suite: suite, Release: &v1alpha1.ReleaseFile{Date: new(metav1.NewTime(its.dates[suite]))},
		})
	}
	for _, packages := range []map[string]int{its.base, its.own} {
		for name, version := range packages {
			lock.Packages = append(lock.Packages, v1alpha1.Package{Name: name, Version: strconv.Itoa(version), Architecture: "all"})
		}
	}
	return &v1alpha1.ImageBuildPackages{BuildUID: build.UID, Locks: []v1alpha1.ArtifactLock{{Lock: lock}}}, nil
}

// checkMirror brings the Archive of a mirror up to date, or fails. A version is there since the first check that has found it, as long as a lock
// has an older one.
func (w *environment) checkMirror(which int, fails bool) {
	if len(w.mirrors) == 0 {
		return
	}
	one := w.mirrors[which%len(w.mirrors)]
	next := &v1alpha1.Archive{ObjectMeta: metav1.ObjectMeta{Name: one.objectName(), UID: w.uid()}, Spec: v1alpha1.ArchiveSpec{Builder: "mock", URI: mirrorURI, Suite: one.suite}}
	if known, ok := w.archives.get(next.Name); ok {
		next = known.DeepCopy()
	}
	status := &next.Status
	if fails {
		status.ConsecutiveFailures++
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: v1alpha1.ArchiveReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonArchiveCheckFailed, LastTransitionTime: w.time(),
		})
		put(w, &w.archives, next)
		return
	}
	since := map[string]metav1.Time{}
	for _, update := range status.Updates {
		since[update.Name+update.To] = update.Since
	}
	asked := map[string]v1alpha1.PackageUpdate{}
	for _, image := range w.images.all {
		if its := w.latestContent(image); its != nil && image.Spec.Triggers.OnPackageChange != nil {
			for _, packages := range []map[string]int{its.base, its.own} {
				for name, version := range packages {
					if newest := len(one.published[name]); newest > version {
						update := v1alpha1.PackageUpdate{Name: name, Architecture: "all", From: strconv.Itoa(version), To: strconv.Itoa(newest), Security: one.security}
						update.Since = metav1.NewTime(one.released)
						if first, ok := since[name+update.To]; ok {
							update.Since = first
						}
						asked[fmt.Sprint(name, version)] = update
					}
				}
			}
		}
	}
	status.Updates = nil
	for _, key := range slices.Sorted(maps.Keys(asked)) {
		status.Updates = append(status.Updates, asked[key])
	}
	status.Release, status.LastCheckTime, status.ConsecutiveFailures = &v1alpha1.ArchiveRelease{Date: metav1.NewTime(one.released)}, new(w.time()), 0
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ArchiveReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonArchiveChecked, LastTransitionTime: w.time(),
	})
	put(w, &w.archives, next)
}

// checkMirrors checks all mirrors.
func (w *environment) checkMirrors() {
	for i := range w.mirrors {
		w.checkMirror(i, false)
	}
}

// latestContent returns what the newest successful build of an Image is made of, or nil if it is unknown.
func (w *environment) latestContent(image *v1alpha1.Image) *content {
	for _, build := range slices.Backward(w.buildsOf(image)) {
		if build.Status.Phase == v1alpha1.BuildSucceeded && build.Counts() && !build.IsOneOff() {
			return w.truth.contents[build.Status.Artifacts[0].Digest]
		}
	}
	return nil
}

// attempts reports whether a build that was started for new packages counts as an attempt: nobody deleted it, and it neither was superseded nor
// failed because of anything but the Image.
func (w *environment) attempts(build *v1alpha1.ImageBuild) bool {
	how, over := w.truth.ended[numbered{build.Spec.ImageRef.UID, numberOf(build)}]
	switch {
	case w.truth.byHand[build.UID]:
		return false
	case !over || how.phase != v1alpha1.BuildFailed:
		return how.reason != v1alpha1.ReasonSuperseded
	}
	return !slices.Contains([]v1alpha1.FailureClass{v1alpha1.FailureInfrastructure, v1alpha1.FailureRegistry, v1alpha1.FailureTimeout}, how.class)
}

// checkOnce holds that no update starts two builds of an Image. A build that failed for another reason than the Image may be repeated an hour later.
func (w *environment) checkOnce(build *v1alpha1.ImageBuild) {
	its := build.Spec.Trigger.Packages
	if its == nil || len(its.Updates) == 0 {
		w.broken("%s was started for new packages, and has none", build.Name)
	}
	for _, earlier := range w.truth.created {
		if w.truth.excused || earlier.Spec.ImageRef.UID != build.Spec.ImageRef.UID || earlier.Spec.Trigger.Packages == nil {
			continue
		}
		same := slices.ContainsFunc(its.Updates, func(update v1alpha1.PackageUpdate) bool {
			return slices.ContainsFunc(earlier.Spec.Trigger.Packages.Updates, func(other v1alpha1.PackageUpdate) bool {
				return update.Name == other.Name && update.To == other.To
			})
		})
		how := w.truth.ended[numbered{earlier.Spec.ImageRef.UID, numberOf(earlier)}]
		switch {
		case !same:
		case w.attempts(earlier):
			w.broken("%s was started for %+v, for which %s was started before", build.Name, its.Updates, earlier.Name)
		case how.phase == v1alpha1.BuildFailed && !w.truth.byHand[earlier.UID] && w.now.Before(how.at.Add(time.Hour-longestTurnBack)):
			w.broken("%s repeats %s, which failed at %s", build.Name, earlier.Name, how.at)
		case how.phase == v1alpha1.BuildFailed:
			w.cover.point("packages are attempted again")
		}
	}
}

// checkSelected holds that the trigger of an Image selects the packages that a build is started for, and the time.
func (w *environment) checkSelected(build *v1alpha1.ImageBuild, image *v1alpha1.Image) {
	its, oldest := image.Spec.Triggers.OnPackageChange, time.Time{}
	if w.truth.excused || its == nil || image.Status.ObservedGeneration != image.Generation { // the trigger was edited after the decision
		return
	}
	for _, update := range build.Spec.Trigger.Packages.Updates {
		if its.Mode == v1alpha1.PackagesSecurity && !update.Security {
			w.broken("%s was started for %s, which is not for security", build.Name, update.Name)
		}
		oldest = earlier(oldest, update.Since.Time)
	}
	for _, other := range w.buildsOf(image) {
		if other.Counts() && !other.Status.Finished {
			w.broken("%s was started for packages that %s may have, which goes on", build.Name, other.Name)
		}
	}
	switch {
	case w.now.Add(longestTurnBack).Before(oldest.Add(its.MinimumAge.Duration)):
		w.broken("%s was started for packages that are there since %s", build.Name, oldest)
	case its.Window != nil && w.now.Sub(w.now.Truncate(time.Hour)) > its.Window.Duration.Duration:
		w.broken("%s was started at %s, outside of the window", build.Name, w.now)
	}
}

// checkBasesFirst holds that a build is started for packages that a build of the Image replaces, and not before its bases were built for theirs. A decision
// on an outdated cache may not know of that.
func (w *environment) checkBasesFirst(build *v1alpha1.ImageBuild, image *v1alpha1.Image) {
	p, its := w.process, build.Spec.Trigger.Packages
	if w.truth.excused {
		return
	}
	last := image.Status.LatestSuccessful
	if last == nil || last.Name != its.Build {
		w.broken("%s was started for packages of %s, which is not the latest success", build.Name, its.Build)
	}
	for _, update := range its.Updates {
		if has := w.truth.contents[last.Artifacts[0].Digest]; has.own[update.Name] == 0 {
			w.broken("%s was started for %s, which %s has from its base", build.Name, update.Name, its.Build)
		}
	}
	for ref := image.Spec.Base.ImageRef; ref != nil && ref.Channel == "" && *image.Spec.Triggers.OnBaseChange; ref = image.Spec.Base.ImageRef {
		base, ok := w.images.get(ref.Name)
		if cached, known := p.imageCache.get(ref.Name); !ok || !known || cached != base || p.archiveCache.at < len(w.archives.log) || p.buildCache.at < len(w.builds.log) {
			return
		}
		for _, other := range w.builds.all {
			if other.Spec.ImageRef != nil && other.Spec.ImageRef.UID == base.UID && other.Counts() && !other.Status.Finished {
				w.broken("%s was started for packages, and its base %s has not finished", build.Name, other.Name)
			}
		}
		if late := w.overdue(base, func(*v1alpha1.ImageBuild) bool { return true }); late != "" && w.startsBuilds(base) && w.anyTime(base) {
			w.broken("%s was started for packages before its base %s, which waits for %s", build.Name, base.Name, late)
		}
		image = base
	}
}

// anyTime reports whether new packages start builds of an Image at once.
func (w *environment) anyTime(image *v1alpha1.Image) bool {
	its := image.Spec.Triggers.OnPackageChange
	return its.MinimumAge.Duration == 0 && its.Window == nil
}

// startsBuilds reports whether new packages may start a build of an Image: it is not suspended, does not fail again and again, and its inputs are those of
// its last build.
func (w *environment) startsBuilds(image *v1alpha1.Image) bool {
	limit, status := *image.Spec.Triggers.DisableAfterFailures, &image.Status
	attempted := status.LastAttempted
	return !*image.Spec.Suspend && (limit == 0 || status.ConsecutiveFailures < limit) && attempted != nil &&
		!meta.IsStatusConditionFalse(status.Conditions, v1alpha1.ImageInputsResolved) && attempted.InputsDigest == status.InputsDigest && attempted.TestsDigest == inputs.TestsDigest(image.Spec.Tests) &&
		image.Generation == status.ObservedGeneration
}

// overdue returns an update of a package that the latest successful build of an Image lacks, that its Archive has, and that no build has attempted. It is empty
// if no update is like that, or nobody knows.
func (w *environment) overdue(image *v1alpha1.Image, counts func(*v1alpha1.ImageBuild) bool) string {
	its, last := image.Spec.Triggers.OnPackageChange, image.Status.LatestSuccessful
	if its == nil || last == nil {
		return ""
	}
	if build, ok := w.builds.get(last.Name); !ok || build.Spec.ImageRef == nil || build.Spec.ImageRef.UID != image.UID {
		return "" // nobody knows its packages
	}
	if ref := image.Spec.Base.ImageRef; ref != nil {
		if base, ok := w.images.get(ref.Name); !ok || w.latestContent(base) == nil {
			return "" // nobody knows which of them are those of the base
		}
	}
	has := w.truth.contents[last.Artifacts[0].Digest]
	for _, name := range slices.Sorted(maps.Keys(has.own)) {
		of := w.mirrorOf(name)
		archive, ok := w.archives.get(of.objectName())
		if !ok || archive.Status.Release == nil || archive.Status.Release.Date.After(w.now) || its.Mode == v1alpha1.PackagesSecurity && !of.security {
			continue
		}
		newest := of.at(name, archive.Status.Release.Date.Time)
		if newest > has.own[name] && !w.attempted(image.UID, name, newest, counts) {
			return fmt.Sprintf("%s %d → %d", name, has.own[name], newest)
		}
	}
	return ""
}

// attempted reports whether a build of an Image was started for new packages when a version of a package was there.
func (w *environment) attempted(image types.UID, name string, version int, counts func(*v1alpha1.ImageBuild) bool) bool {
	of := w.mirrorOf(name)
	return slices.ContainsFunc(w.truth.created, func(build *v1alpha1.ImageBuild) bool {
		if build.Spec.ImageRef.UID != image || build.Spec.Trigger.Packages == nil || !counts(build) {
			return false
		}
		return slices.ContainsFunc(build.Spec.Trigger.Packages.Archives, func(state v1alpha1.ArchiveState) bool {
			return state.Name == of.objectName() && of.at(name, state.Date.Time) >= version
		})
	})
}

// settlePackages lets newer packages come while all else is in peace, and holds that each of them gets its build.
func (w *environment) settlePackages() {
	for round := range 4 {
		w.now = w.now.Truncate(time.Hour).Add(time.Hour + time.Second)
		if round < 2 {
			w.updatePackage(w.version)
			w.updatePackage(w.version / 3)
		}
		w.troubled = round < 2
		w.checkMirrors()
		if w.troubled {
			w.meddle()
		}
		w.settle()
		w.checkMirrors() // of what new locks ask for
		w.settle()
		for _, image := range w.images.all {
			w.checkFixed(image)
		}
	}
	for _, image := range w.images.all {
		counts := func(build *v1alpha1.ImageBuild) bool { // a later build of another reason that succeeded has attempted the same
			return w.attempts(build) || w.truth.byHand[build.UID] || image.Status.LatestSuccessful.Number > numberOf(build)
		}
		if late := w.overdue(image, counts); late != "" && w.startsBuilds(image) && (!w.queueGone || image.Spec.Template == nil) {
			w.broken("%s is not built for %s", image.Name, late)
		}
		w.checkUpToDate(image)
		w.process.ofImages.work.Add(requestOf(image)) // its schedule may have its next time
	}
	w.settle()
}

// meddle lets users do something once the builds of new packages are created, and before they start.
func (w *environment) meddle() {
	w.deliverAll()
	w.now = w.now.Add(2 * time.Second)
	w.lookAtAll()
	kinds := [...]kind{editImage, askForBuild, cancelBuild, deleteBuild, holdSomething, editImage, askForBuild}
	for i := range w.version % 3 {
		w.happen(kinds[(w.version/3+i)%len(kinds)], w.version/7, w.version/5*2+1)
	}
}

func requestOf(image *v1alpha1.Image) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: image.Namespace, Name: image.Name}}
}

// checkUpToDate holds that the condition of an Image tells the truth about its packages.
func (w *environment) checkUpToDate(image *v1alpha1.Image) {
	told := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImagePackagesUpToDate)
	if (told != nil) != (image.Spec.Triggers.OnPackageChange != nil) {
		w.broken("%s has the condition %+v, and its trigger is %+v", image.Name, told, image.Spec.Triggers.OnPackageChange)
	}
	if told == nil || told.Status == metav1.ConditionUnknown {
		return
	}
	w.cover.point("PackagesUpToDate is " + told.Reason)
	has, newer := w.truth.contents[image.Status.LatestSuccessful.Artifacts[0].Digest], false
	for name, version := range has.own {
		newer = newer || len(w.mirrorOf(name).published[name]) > version
	}
	if newer == (told.Status == metav1.ConditionTrue) {
		w.broken("%s is told to have newer packages: %s, and that is %t", image.Name, told.Status, newer)
	}
}

// knownPackages adds the newer packages to what is known of an Image in peace.
func (w *environment) knownPackages(observed *trigger.Observed) {
	var err, err2 error
	if w.process.packages == nil || observed.Image.Spec.Triggers.OnPackageChange == nil {
		return
	}
	observed.Candidates, _, err = w.process.packages.Candidates(w.ctx, observed.Image, observed.Builds)
	observed.BasePackages, err2 = w.process.packages.BaseComing(w.ctx, observed.Image)
	if err != nil || err2 != nil {
		w.broken("the packages of %s are unknown: %v, %v", observed.Image.Name, err, err2)
	}
}
