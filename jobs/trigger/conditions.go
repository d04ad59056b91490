// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// notAgain follows the ending of a build that did not succeed.
const notAgain = ". The same inputs are not built again: change the inputs, or ask for a build"

// FirstConditions are the conditions of an Image that was created at this time, until the controller has observed it. Without them
// a client would take the Image for finished.
func FirstConditions(created metav1.Time) []metav1.Condition {
	const message = "the controller has not observed the image yet"
	return []metav1.Condition{
		{Type: v1alpha1.ImageReady, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonWaitingForController, Message: message, LastTransitionTime: created},
		{Type: v1alpha1.ImageReconciling, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonWaitingForController, Message: message, LastTransitionTime: created},
	}
}

// conditions sets the conditions of an Image's status.
type conditions struct {
	Observed
	status *v1alpha1.ImageStatus
}

// setConditions sets all conditions. due is whether a build is due.
func setConditions(o Observed, status *v1alpha1.ImageStatus, s schedule, due bool) {
	c := conditions{Observed: o, status: status}
	c.setInputsResolved()
	c.setReady()
	c.setPackagesUpToDate()
	c.setVulnerable()
	c.setUpToDate()
	c.setBuilding()
	c.setScheduleActive(s)
	c.setProgress(s, due)
}

func (c conditions) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&c.status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: c.Image.Generation, LastTransitionTime: metav1.NewTime(c.Now),
	})
}

func (c conditions) setInputsResolved() {
	if c.Unresolved != nil {
		c.set(v1alpha1.ImageInputsResolved, metav1.ConditionFalse, string(c.Unresolved.Reason), c.Unresolved.Message)
		return
	}
	message := ""
	if checks := c.Image.Status.Source; checks != nil && checks.Failure != nil && c.Resolved != nil && c.Resolved.Source != nil {
		message = fmt.Sprintf("the last check of the source failed, so %s stays: %s", inputs.ShortRevision(c.Resolved.Source.Revision), checks.Failure.Message)
	}
	c.set(v1alpha1.ImageInputsResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved, v1alpha1.CutMessage(message))
}

// setReady sets whether the last finished build succeeded, and is not revoked. While no build has finished, it reports the first one.
func (c conditions) setReady() {
	switch last := c.status.LastFinished; {
	case last == nil:
		reason, message := c.unbuilt()
		c.set(v1alpha1.ImageReady, metav1.ConditionFalse, reason, message)
	case last.Phase == v1alpha1.BuildSucceeded && c.missing(c.status) != "":
		c.set(v1alpha1.ImageReady, metav1.ConditionFalse, v1alpha1.ReasonArtifactMissing, c.missing(c.status))
	case last.Phase == v1alpha1.BuildSucceeded && c.revoked(c.status) != "":
		c.set(v1alpha1.ImageReady, metav1.ConditionFalse, string(v1alpha1.ReasonRevoked), c.revoked(c.status))
	case last.Phase == v1alpha1.BuildSucceeded:
		c.set(v1alpha1.ImageReady, metav1.ConditionTrue, v1alpha1.ReasonBuildSucceeded, "build "+last.Name+" succeeded")
	default:
		c.set(v1alpha1.ImageReady, metav1.ConditionFalse, v1alpha1.ReasonBuildFailed, c.failure(last))
	}
}

// missing describes an artifact of the latest successful build that the server has lost. It is empty if there is none. An artifact
// with another location, such as that of a registry, is there.
func (o Observed) missing(status *v1alpha1.ImageStatus) string {
	latest := status.LatestSuccessful
	if latest == nil {
		return ""
	}
	if target := o.lost(latest.Artifacts); target != "" {
		return fmt.Sprintf("artifact %s of build %s is lost: build again, or restore a backup that has artifacts", target, latest.Name)
	}
	return ""
}

// lost returns the target of an artifact that the server has lost. It is empty if there is none.
func (o Observed) lost(artifacts []v1alpha1.Artifact) string {
	if o.Kept == nil {
		return ""
	}
	for i := range artifacts {
		artifact := &artifacts[i]
		elsewhere := artifact.Location != "" && !strings.HasPrefix(artifact.Location, "/")
		if artifact.Verified == v1alpha1.ArtifactVerifiedContent && !elsewhere && !o.Kept(artifact.Digest) {
			return artifact.Target
		}
	}
	return ""
}

// failure describes the failure of the last finished build. If that build was deleted, or is not finished in an outdated cache, only the
// stored condition has the message of the failure.
func (c conditions) failure(last *v1alpha1.FinishedBuild) string {
	build := newest(c.Builds, func(build *v1alpha1.ImageBuild) bool {
		return number(build) == last.Number && build.Status.Failure != nil
	})
	stored := meta.FindStatusCondition(c.Image.Status.Conditions, v1alpha1.ImageReady)
	switch before := c.Image.Status.LastFinished; {
	case build != nil:
		return ending(last) + ": " + build.Status.Failure.Message
	case stored != nil && stored.Reason == v1alpha1.ReasonBuildFailed && (before == nil || before.Number == last.Number):
		return stored.Message
	}
	return ending(last)
}

// ending names a failed build and the reason of its failure.
func ending(last *v1alpha1.FinishedBuild) string {
	return fmt.Sprintf("build %s ended with %s", last.Name, last.Reason)
}

// unbuilt returns the reason and message of an Image of which no build has finished that counts.
func (c conditions) unbuilt() (reason, message string) {
	latest := c.status.LatestBuild
	if latest == nil {
		return v1alpha1.ReasonNeverBuilt, "no build has succeeded or failed yet"
	}
	return unfinishedReason(latest.Phase), fmt.Sprintf("build %s has not finished, and no earlier build has", latest.Name)
}

func (c conditions) setUpToDate() {
	latest := c.status.LatestSuccessful
	switch {
	case c.status.InputsDigest == "":
		c.set(v1alpha1.ImageUpToDate, metav1.ConditionUnknown, v1alpha1.ReasonInputsNotResolved, "the inputs cannot be resolved: see the condition InputsResolved")
	case latest == nil && c.status.LastFinished == nil:
		reason, message := c.unbuilt()
		c.set(v1alpha1.ImageUpToDate, metav1.ConditionFalse, reason, message)
	case latest == nil:
		c.set(v1alpha1.ImageUpToDate, metav1.ConditionFalse, v1alpha1.ReasonNeverBuilt, "no build has succeeded yet")
	case latest.InputsDigest == c.status.InputsDigest && c.testsDiffer(latest):
		c.set(v1alpha1.ImageUpToDate, metav1.ConditionFalse, v1alpha1.ReasonTestsChanged, "the inputs are those of build "+latest.Name+", and the tests differ")
	case latest.InputsDigest == c.status.InputsDigest && latest.RevokedBase != nil:
		c.set(v1alpha1.ImageUpToDate, metav1.ConditionFalse, string(v1alpha1.ReasonBaseRevoked), OnRevokedBase(latest))
	case latest.InputsDigest == c.status.InputsDigest && c.changedPackages() != "":
		c.set(v1alpha1.ImageUpToDate, metav1.ConditionFalse, v1alpha1.ReasonPackagesChanged, c.changedPackages())
	case latest.InputsDigest == c.status.InputsDigest:
		c.set(v1alpha1.ImageUpToDate, metav1.ConditionTrue, v1alpha1.ReasonInputsUnchanged, "the inputs are those of build "+latest.Name)
	default:
		c.set(v1alpha1.ImageUpToDate, metav1.ConditionFalse, v1alpha1.ReasonInputsChanged, "the inputs differ from those of build "+latest.Name)
	}
}

func (c conditions) setBuilding() {
	switch {
	case c.status.ActiveBuilds > 0:
		c.set(v1alpha1.ImageBuilding, metav1.ConditionTrue, v1alpha1.ReasonBuildActive, "")
	case c.status.QueuedBuilds > 0:
		c.set(v1alpha1.ImageBuilding, metav1.ConditionTrue, v1alpha1.ReasonBuildQueued, "")
	default:
		c.set(v1alpha1.ImageBuilding, metav1.ConditionFalse, v1alpha1.ReasonIdle, "")
	}
}

// setScheduleActive also sets since when the schedule is active in this form. Times before that are not missed.
func (c conditions) setScheduleActive(s schedule) {
	if !s.active() {
		c.set(v1alpha1.ImageScheduleActive, metav1.ConditionFalse, s.reason, s.message)
		return
	}
	c.set(v1alpha1.ImageScheduleActive, metav1.ConditionTrue, s.reason, s.message)
	meta.FindStatusCondition(c.status.Conditions, v1alpha1.ImageScheduleActive).LastTransitionTime = metav1.NewTime(s.since)
}

// hasScheduleReason reports whether the condition ScheduleActive reports this reason.
func hasScheduleReason(status *v1alpha1.ImageStatus, reason string) bool {
	said := meta.FindStatusCondition(status.Conditions, v1alpha1.ImageScheduleActive)
	return said != nil && said.Reason == reason
}

// setProgress sets Reconciling and Stalled. At most one of them is True: Reconciling until the present inputs are built, Stalled if the
// Image needs a user. Tools that know kstatus report such an Image as in progress or failed, and any other as current if it is Ready.
func (c conditions) setProgress(s schedule, due bool) {
	last, prevented := c.status.LastFinished, inputsChanged(c.status)
	if c.testsChanged(c.status) && c.retested(c.status) != nil {
		prevented = true
	}
	untested, why := c.untested(c.status)
	always := s.active() && c.Image.Spec.Triggers.Schedule.Mode == v1alpha1.ScheduleAlways
	switch build := newest(c.Builds, unfinishedAndCounts); {
	case build != nil:
		c.reconciling(unfinishedReason(build.Status.Phase), "build "+build.Name+" has not finished")
	case c.Unresolved != nil && !c.MayAppear:
		c.stalled(string(c.Unresolved.Reason), c.Unresolved.Message)
	case due:
		c.reconciling(v1alpha1.ReasonBuildDue, fmt.Sprintf("build %s will be created", BuildName(c.Image.Name, c.status.BuildCounter+1)))
	case s.disabled():
		c.stalled(s.reason, s.message)
	case c.Unresolved != nil && !c.waitsForBase(): // until the missing object appears
		c.reconciling(string(c.Unresolved.Reason), c.Unresolved.Message)
	case c.Unresolved != nil:
		c.waitForBase()
	case s.active() && prevented, always:
		c.unlessBuilt(v1alpha1.ReasonScheduled, "the schedule starts the next build"+c.nextTime())
	case prevented:
		message := "the inputs have changed, but the image is suspended or its triggers are off: resume it, or ask for a build"
		if !inputsChanged(c.status) {
			message = "the tests have changed, but the image is suspended or its triggers are off: resume it, or test the last build with \"goldsmith test\""
		}
		c.unlessBuilt(v1alpha1.ReasonSuspended, message)
		c.set(v1alpha1.ImageStalled, metav1.ConditionFalse, v1alpha1.ReasonSuspended, message)
	case c.lastBuildAbandoned(c.status) && c.remade(c.status) != nil:
		c.stalled(string(v1alpha1.ReasonRevoked), c.remade(c.status).Message)
	case c.lastBuildAbandoned(c.status):
		c.stalled(v1alpha1.ReasonBuildCancelled,
			"build "+BuildName(c.Image.Name, c.status.LastAttempted.Number)+" was cancelled or deleted"+notAgain)
	case last != nil && last.Phase == v1alpha1.BuildFailed:
		c.stalled(string(last.Reason), ending(last)+notAgain)
	case last != nil && last.Phase == v1alpha1.BuildSucceeded && c.missing(c.status) != "":
		c.stalled(v1alpha1.ReasonArtifactMissing, c.missing(c.status))
	case last != nil && last.Phase == v1alpha1.BuildSucceeded && c.revoked(c.status) != "":
		c.stalled(string(v1alpha1.ReasonRevoked), c.revoked(c.status))
	case untested != "":
		c.stalled(untested, why)
	case OnRevokedBase(c.status.LatestSuccessful) != "" && !c.waitsForBase():
		c.reconciling(string(v1alpha1.ReasonBaseRevoked), OnRevokedBase(c.status.LatestSuccessful))
	default:
		c.setSettled()
	}
}

// unlessBuilt sets Reconciling, unless the newest build that counts succeeded and has the present inputs: they can return to earlier ones.
func (c conditions) unlessBuilt(reason, message string) {
	if meta.IsStatusConditionTrue(c.status.Conditions, v1alpha1.ImageReady) && meta.IsStatusConditionTrue(c.status.Conditions, v1alpha1.ImageUpToDate) {
		c.setSettled()
		return
	}
	c.reconciling(reason, message)
}

// nextTime names the next time of the schedule, if there is one.
func (c conditions) nextTime() string {
	if next := c.status.NextScheduleTime; next != nil {
		return " at " + next.UTC().Format(time.RFC3339)
	}
	return ""
}

func (c conditions) reconciling(reason, message string) {
	c.set(v1alpha1.ImageReconciling, metav1.ConditionTrue, reason, message)
	c.set(v1alpha1.ImageStalled, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "")
}

func (c conditions) stalled(reason, message string) {
	c.set(v1alpha1.ImageReconciling, metav1.ConditionFalse, v1alpha1.ReasonIdle, "")
	c.set(v1alpha1.ImageStalled, metav1.ConditionTrue, reason, message)
}

// setSettled sets that nothing is left to do, unless the base is about to change.
func (c conditions) setSettled() {
	if c.waitsForBase() {
		c.waitForBase()
		return
	}
	c.set(v1alpha1.ImageReconciling, metav1.ConditionFalse, v1alpha1.ReasonIdle, "")
	c.set(v1alpha1.ImageStalled, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "")
}

// BaseBuildPending reports whether a build of the Image that a reference selects is under way or due, or will be once that of its own base has
// succeeded. A channel does not change with a build. The Image may be nil.
func BaseBuildPending(ref *v1alpha1.BaseImageReference, base *v1alpha1.Image) bool {
	if ref == nil || ref.Channel != "" || base == nil {
		return false
	}
	progress := meta.FindStatusCondition(base.Status.Conditions, v1alpha1.ImageReconciling)
	if progress == nil || progress.Status != metav1.ConditionTrue {
		return false
	}
	return slices.Contains([]string{
		v1alpha1.ReasonBuildActive, v1alpha1.ReasonBuildQueued, v1alpha1.ReasonBuildDue, v1alpha1.ReasonWaitingForController, v1alpha1.ReasonWaitingForBase,
	}, progress.Reason)
}

// waitsForBase reports whether a build of the base that is coming starts one of the Image.
func (c conditions) waitsForBase() bool {
	if !c.BaseComing || c.Image.IsSuspended() {
		return false
	}
	if c.Unresolved != nil {
		return c.Unresolved.Reason == v1alpha1.ReasonBaseNotFound || c.Unresolved.Reason == v1alpha1.ReasonBaseRevoked
	}
	return c.followsBase()
}

// waitForBase names no build of the base, so that the status is written once for each of them.
func (c conditions) waitForBase() {
	c.reconciling(v1alpha1.ReasonWaitingForBase,
		fmt.Sprintf("the base (image %s) is being built: a build of this image follows if the artifacts of the base change", c.Image.Spec.Base.ImageRef.Name))
}

// RefusedStatus returns the status to store if the server refuses the build that is due. final is whether it refuses the build until
// the Image changes. Otherwise a later request can succeed.
func (o Observed) RefusedStatus(status v1alpha1.ImageStatus, final bool, message string) v1alpha1.ImageStatus {
	c := conditions{Observed: o, status: status.DeepCopy()}
	for _, kind := range []string{v1alpha1.ImageReconciling, v1alpha1.ImageStalled} { // with the time of its last change
		if stored := meta.FindStatusCondition(o.Image.Status.Conditions, kind); stored != nil {
			*meta.FindStatusCondition(c.status.Conditions, kind) = *stored
		}
	}
	message = v1alpha1.CutMessage(message)
	if final {
		c.stalled(v1alpha1.ReasonBuildRefused, message)
		return *c.status
	}
	c.set(v1alpha1.ImageReconciling, metav1.ConditionTrue, v1alpha1.ReasonBuildRefused, message)
	c.set(v1alpha1.ImageStalled, metav1.ConditionFalse, v1alpha1.ReasonBuildRefused, message)
	return *c.status
}

func unfinishedAndCounts(build *v1alpha1.ImageBuild) bool {
	return !build.Status.Finished && build.Counts()
}

// remade returns how the last attempted build ended, if that was because it made an artifact of a revoked build, or was revoked itself. Otherwise it is nil.
func (o Observed) remade(status *v1alpha1.ImageStatus) *v1alpha1.BuildFailure {
	for i := range o.Builds {
		failure := o.Builds[i].Status.Failure
		if number(&o.Builds[i]) == status.LastAttempted.Number && failure != nil && failure.Reason == v1alpha1.ReasonRevoked {
			return failure
		}
	}
	return nil
}

// lastBuildAbandoned reports whether the current inputs have no build but the last attempted one, which was cancelled, or deleted before the
// controller observed its end.
func (o Observed) lastBuildAbandoned(status *v1alpha1.ImageStatus) bool {
	attempted, last, latest := status.LastAttempted, status.LastFinished, status.LatestSuccessful
	return attempted != nil && attempted.InputsDigest == status.InputsDigest &&
		(last == nil || last.Number < attempted.Number && last.InputsDigest != status.InputsDigest) &&
		(latest == nil || latest.InputsDigest != status.InputsDigest) &&
		!slices.ContainsFunc(o.Builds, func(build v1alpha1.ImageBuild) bool {
			return number(&build) == attempted.Number && !build.Status.Finished
		})
}
