// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/invariants"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// maxRounds limits the rounds of controllers and cluster until nothing is due. More rounds mean an endless loop.
const maxRounds = 4000

// makePeace ends all faults, and then lets the controllers and the cluster finish their work.
func (w *environment) makePeace() {
	w.note("peace")
	w.peace, w.rejecting, w.former = true, false, nil
	if w.builderGone {
		w.builderGone = false
		w.start(0)
	}
	w.answerAll()
	w.truth.endedAt = w.now
	for _, image := range slices.Clone(w.images.all) {
		if w.queueGone && image.Spec.Triggers.Schedule != nil { // or there are ever more builds that wait in vain
			w.edit(image, func(spec *v1alpha1.ImageSpec) { spec.Suspend = new(true) })
		}
	}
	for len(w.late) > 0 {
		w.arrive(0)
	}
	for len(w.promotions) > 0 {
		w.finishPromotion()
	}
	w.repeatRequests()
	w.process.relist()
	w.settle()
	if len(w.mirrors) > 0 {
		w.settlePackages()
	}
	if len(w.repositories) > 0 {
		w.settleSources()
	}
	w.checkPeace()
}

// repeatRequests has people repeat the requests that have no answer.
func (w *environment) repeatRequests() {
	for i := range w.truth.asked {
		if w.truth.asked[i].answer == "" {
			w.askAgain(i)
		}
	}
}

// settle lets the controllers and the cluster work until nothing is due.
func (w *environment) settle() {
	for range maxRounds {
		before := w.version
		w.lookAtAll()
		worked := w.clusterWorks()
		if worked || w.version != before || w.deliverAll() {
			w.deliverAll()
			continue
		}
		if !w.waitForNext() {
			return
		}
	}
	w.broken("there is no end to it")
}

func (w *environment) deliverAll() bool {
	p := w.process
	behind := p.imageCache.at < len(w.images.log) || p.buildCache.at < len(w.builds.log) ||
		p.jobCache.at < len(w.jobs.log) || p.podCache.at < len(w.pods.log) || p.archiveCache.at < len(w.archives.log)
	for kind := range p.caches() {
		p.deliver(kind, 1<<30)
	}
	return behind
}

func (w *environment) lookAtAll() {
	p := w.process
	for range maxRounds {
		rest := true
		for _, c := range p.controllers() {
			if name, ok := c.work.pick(0); ok {
				p.reconcile(c, name)
				rest = false
			}
		}
		if rest {
			return
		}
		w.deliverAll()
	}
	w.broken("a controller does not come to rest")
}

func (w *environment) clusterWorks() (worked bool) {
	worked = w.sign(1 + w.version%3)
	for _, job := range slices.Clone(w.jobs.all) {
		worked = w.resumeJob(job) || w.workOnJob(job, 0) || worked
	}
	for _, pod := range slices.Clone(w.pods.all) {
		for range 3 { // scheduled, started, ended; the publisher follows when it has been told
			if now, ok := w.pods.get(pod.Name); ok {
				worked = w.workOnPod(now, 0) || worked
			}
		}
	}
	return worked
}

// waitForNext advances the clock until an object is due to be reconciled. It returns false if no object is.
func (w *environment) waitForNext() bool {
	w.checkSlots()
	p := w.process
	next := time.Time{}
	for _, item := range p.ofExpiry.work.items {
		next = earlier(next, item.due)
	}
	for _, item := range p.ofOrphans.work.items {
		next = earlier(next, item.due)
	}
	for _, item := range p.ofImages.work.items {
		if !item.due.After(w.now.Add(2 * time.Minute)) {
			next = earlier(next, item.due)
		}
	}
	for _, build := range w.builds.all {
		at := slices.IndexFunc(p.ofBuilds.work.items, func(i item) bool { return i.name.Name == build.Name })
		if build.Status.Finished { // its result, or its revocation, may be due to be stored
			if at >= 0 && !p.ofBuilds.work.items[at].due.After(w.now.Add(2*time.Minute)) {
				next = earlier(next, p.ofBuilds.work.items[at].due)
			}
			continue
		}
		if at >= 0 {
			next = earlier(next, p.ofBuilds.work.items[at].due)
			continue
		}
		if active(build) {
			w.broken("%s is %s, and nobody looks at it", build.Name, build.Status.Phase)
		}
	}
	if next.IsZero() || next.After(w.now.Add(time.Minute)) {
		w.checkTold()
	}
	if next.IsZero() {
		return false
	}
	if next.After(w.now) {
		w.now = next
	}
	return true
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// checkPeace holds that nothing was lost.
func (w *environment) checkPeace() {
	byUID, byName := w.buildsByUID(), map[string]*v1alpha1.ImageBuild{}
	for _, job := range w.jobs.all {
		if checksSource(job) {
			w.broken("Job %s of a check stays", job.Name)
		}
		if len(job.OwnerReferences) > 0 { // or it is a stranger's
			_, orphaned := invariants.Owner(job, byUID)
			w.hold(orphaned)
		}
	}
	for _, build := range w.builds.all {
		byName[build.Name] = build
		w.hold(invariants.End(build, w.truth.endedPod))
		if build.Spec.ImageRef == nil && build.DeletionTimestamp == nil && !v1alpha1.UnderLegalHold(build) {
			w.broken("%s stays, which was created directly", build.Name)
		}
	}
	w.checkReproduced(byUID)
	w.checkRevocations()
	for i := range w.truth.asked {
		if w.truth.asked[i].answer == "" {
			w.broken("request %s has no answer", w.truth.asked[i].id)
		}
	}
	for _, given := range w.truth.given {
		w.checkNumber(given)
	}
	for _, image := range w.images.all {
		w.checkImage(image)
		w.checkFollowed(image)
		w.checkAttempted(image)
		w.hold(invariants.Latest(image, byName))
	}
}

// checkReproduced holds that each build has the results of the builds that reproduce it.
func (w *environment) checkReproduced(byUID map[types.UID]*v1alpha1.ImageBuild) {
	for _, by := range w.builds.all {
		if by.Spec.Reproduces == nil {
			continue
		}
		of := byUID[by.Spec.Reproduces.UID]
		if of == nil {
			continue
		}
		if missing := attestation.Verdict(by, of, w.now); missing != nil {
			w.broken("%s does not have the result of %s: %s", of.Name, by.Name, missing.Message)
		}
		if meta.FindStatusCondition(of.Status.Conditions, v1alpha1.BuildReproduced) != nil {
			w.cover.point("a build has the result of another one")
		}
	}
}

// checkNumber holds that a number has, or had, its build. One of the controller's has none only if its request was
// overtaken: the Image has changed before it could be asked for again.
func (w *environment) checkNumber(given given) {
	for _, build := range w.truth.created {
		if build.Spec.ImageRef.UID == given.image && numberOf(build) == given.record.Number {
			return
		}
	}
	for _, build := range w.builds.all { // a stranger's, which took the name: the request has another number
		if build.Name == fmt.Sprintf("%s-%d", given.name, given.record.Number) {
			return
		}
	}
	if given.overtaken || w.truth.moved[given.name] != given.moved || strings.HasPrefix(given.record.RequestID, "schedule:") || trigger.IsPackageRequest(given.record.RequestID) {
		return
	}
	w.broken("number %d of %s, given to request %s, has no build", given.record.Number, given.name, given.record.RequestID)
}

// checkImage checks that the status of an Image is correct, and that no change was missed.
func (w *environment) checkImage(image *v1alpha1.Image) {
	status, spec := &image.Status, &image.Spec
	newest := int64(0)
	for _, build := range w.builds.all {
		if build.Spec.ImageRef != nil && build.Spec.ImageRef.UID == image.UID && build.Counts() {
			newest = max(newest, numberOf(build))
		}
	}
	w.checkSettled(image)
	w.checkCounted(image)
	w.checkWaiting(image)
	now := w.resolveImage(image)
	digest := ""
	if now.resolved != nil {
		digest = now.resolved.InputsDigest
	}
	tooMany := *spec.Triggers.DisableAfterFailures > 0 && status.ConsecutiveFailures >= *spec.Triggers.DisableAfterFailures
	switch {
	case status.ActiveBuilds != 0 || status.QueuedBuilds != 0:
		w.broken("%s says that builds go on", image.Name)
	case newest > 0 && (status.LastFinished == nil || status.LastFinished.Number < newest):
		w.broken("%s does not know its build %d", image.Name, newest)
	case status.LastFinished != nil && (status.LatestBuild == nil || status.LatestBuild.Deleted != (status.LastFinished.Number > newest)):
		w.broken("%s reports %+v as the latest build, and the newest that exists is %d", image.Name, status.LatestBuild, newest)
	case status.InputsDigest != digest:
		w.broken("%s does not know what its inputs resolve to", image.Name)
	case digest == "" || status.LastAttempted != nil && status.LastAttempted.InputsDigest == digest:
	case w.startsBuild(image, now.resolved, tooMany):
		w.broken("%s has changed, and there is no build", image.Name)
	}
}

// checkSettled checks that there is nothing left to do for an Image: its controller has missed nothing.
func (w *environment) checkSettled(image *v1alpha1.Image) {
	now := w.resolveImage(image)
	observed := trigger.Observed{
		Image: image, Builds: w.buildsOf(image), Now: w.now, Resolved: now.resolved, Unresolved: now.unresolved,
		MayAppear:  now.unresolved != nil && (now.unresolved.Reason == v1alpha1.ReasonBaseNotFound || now.unresolved.Reason == v1alpha1.ReasonBaseRevoked || strings.HasPrefix(string(now.unresolved.Reason), "Source")),
		BaseComing: w.baseComing(image),
	}
	w.knownPackages(&observed)
	if ref := image.Spec.Base.ImageRef; ref != nil {
		if base, ok := w.images.get(ref.Name); ok {
			observed.BaseFixes = base.Status.Fixes
		}
	}
	decision := trigger.Next(observed)
	switch {
	case decision.Request != nil:
		w.broken("a build of %s is due in the end: %s", image.Name, decision.Message)
	case len(decision.Supersede) > 0:
		w.broken("%s stays, and %s supersedes it", decision.Supersede[0].Name, decision.SupersededBy)
	case len(decision.Promote) > 0:
		w.broken("channel %s of %s waits for %s in the end", decision.Promote[0].Channel, image.Name, decision.Promote[0].Build)
	case len(decision.Prune) > 0:
		w.broken("%s stays, and is too old or one too many", decision.Prune[0].Name)
	case !equality.Semantic.DeepEqual(decision.Status, image.Status):
		if w.tracing {
			w.note("%s", cmp.Diff(image.Status, decision.Status))
		}
		w.broken("the status of %s is outdated in the end", image.Name)
	}
}

func (w *environment) baseComing(image *v1alpha1.Image) bool {
	ref := image.Spec.Base.ImageRef
	if ref == nil {
		return false
	}
	base, _ := w.images.get(ref.Name)
	return trigger.BaseBuildPending(ref, base)
}

// checkCounted checks that an Image reports only builds of its own inputs: the newest successful build, and the newest
// attempted build.
func (w *environment) checkCounted(image *v1alpha1.Image) {
	for _, build := range w.truth.created {
		if build.Spec.ImageRef.UID != image.UID || !build.IsOneOff() {
			continue
		}
		if latest := image.Status.LatestSuccessful; latest != nil && latest.Number == numberOf(build) {
			w.broken("%s has %s as its latest success, which is one-off", image.Name, build.Name)
		}
		if attempted := image.Status.LastAttempted; attempted != nil && attempted.Number == numberOf(build) {
			w.broken("%s has %s as its last attempt, which is one-off", image.Name, build.Name)
		}
	}
	for _, build := range w.builds.all {
		if build.Spec.ImageRef == nil || build.Spec.ImageRef.UID != image.UID || build.Status.Phase != v1alpha1.BuildSucceeded || !build.Counts() {
			continue
		}
		if latest := image.Status.LatestSuccessful; latest == nil || latest.Number < numberOf(build) {
			w.broken("%s does not have %s as its latest success, or a newer one", image.Name, build.Name)
		}
	}
}
