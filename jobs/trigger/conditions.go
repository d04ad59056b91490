// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// notAgain follows the ending of a build that did not succeed.
const notAgain = ". The same inputs are not built again: change the inputs, or ask for a build"

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
	c.setUpToDate()
	c.setBuilding()
	c.setScheduleActive(s)
	c.setStalled(s, due)
}

func (c conditions) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&c.status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: c.Image.Generation, LastTransitionTime: metav1.NewTime(c.Now),
	})
}

// keep keeps a condition, which also holds for this generation. It returns false if the condition does not exist.
func (c conditions) keep(kind string) bool {
	stands := meta.FindStatusCondition(c.status.Conditions, kind)
	if stands == nil {
		return false
	}
	c.set(kind, stands.Status, stands.Reason, stands.Message)
	return true
}

func (c conditions) setInputsResolved() {
	if c.Unresolved != nil {
		c.set(v1alpha1.ImageInputsResolved, metav1.ConditionFalse, string(c.Unresolved.Reason), c.Unresolved.Message)
		return
	}
	c.set(v1alpha1.ImageInputsResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved, "")
}

// lastFinished is the newest finished build that counts. It is nil if there is none, or if that build was deleted.
func (c conditions) lastFinished() *v1alpha1.ImageBuild {
	last := newest(c.Builds, finishedAndCounts)
	if attempted := c.status.LastAttempted; last != nil && attempted != nil && attempted.Number > number(last) && c.deleted(attempted.Number) {
		return nil
	}
	return last
}

// deleted reports whether the last attempted build was seen and later deleted. It may have finished before its deletion.
func (c conditions) deleted(attempted int64) bool {
	latest := c.status.LatestBuild
	if latest.Number == attempted {
		return latest.Phase.Finished()
	}
	return latest.Number > attempted && newest(c.Builds, func(b *v1alpha1.ImageBuild) bool { return number(b) == attempted }) == nil
}

func finishedAndCounts(build *v1alpha1.ImageBuild) bool {
	return build.Status.Finished && build.Counts()
}

// lastAttempted is the last attempted build if it has finished. It is nil if that build was deleted.
func (c conditions) lastAttempted() *v1alpha1.ImageBuild {
	last := newest(c.Builds, finishedAndCounts)
	if attempted := c.status.LastAttempted; last != nil && attempted != nil && attempted.Number > number(last) {
		return nil
	}
	return last
}

func newest(builds []v1alpha1.ImageBuild, is func(*v1alpha1.ImageBuild) bool) *v1alpha1.ImageBuild {
	for i := range slices.Backward(builds) {
		if is(&builds[i]) {
			return &builds[i]
		}
	}
	return nil
}

func (c conditions) setReady() {
	last := c.lastFinished()
	switch {
	case last == nil && c.status.LastAttempted != nil && c.keep(v1alpha1.ImageReady):
		// The build that finished last was deleted.
	case last == nil:
		c.set(v1alpha1.ImageReady, metav1.ConditionFalse, v1alpha1.ReasonNeverBuilt, "no build has finished yet")
	case last.Status.Phase == v1alpha1.BuildSucceeded:
		c.set(v1alpha1.ImageReady, metav1.ConditionTrue, v1alpha1.ReasonBuildSucceeded, "build "+last.Name+" succeeded")
	default:
		reason := v1alpha1.ReasonBuildFailed
		if last.Status.Phase == v1alpha1.BuildCancelled {
			reason = v1alpha1.ReasonBuildCancelled
		}
		c.set(v1alpha1.ImageReady, metav1.ConditionFalse, reason, ending(last))
	}
}

func (c conditions) setUpToDate() {
	latest := c.status.LatestSuccessful
	switch {
	case c.status.InputsDigest == "":
		c.set(v1alpha1.ImageUpToDate, metav1.ConditionUnknown, v1alpha1.ReasonInputsNotResolved, "the inputs cannot be resolved: see the condition InputsResolved")
	case latest == nil:
		c.set(v1alpha1.ImageUpToDate, metav1.ConditionFalse, v1alpha1.ReasonNeverBuilt, "no build has succeeded yet")
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

// saysDisabled reports whether the condition ScheduleActive reports this reason.
func saysDisabled(status *v1alpha1.ImageStatus, reason string) bool {
	said := meta.FindStatusCondition(status.Conditions, v1alpha1.ImageScheduleActive)
	return said != nil && said.Reason == reason
}

// setStalled sets whether the Image needs a user: because its inputs do not resolve, its last build failed, too many builds
// failed, or its schedule is invalid.
func (c conditions) setStalled(s schedule, due bool) {
	last := c.lastAttempted()
	progressing := func() { c.set(v1alpha1.ImageStalled, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "") }
	switch {
	case c.status.ActiveBuilds+c.status.QueuedBuilds > 0:
		progressing()
	case c.Unresolved != nil && !c.MayAppear:
		c.set(v1alpha1.ImageStalled, metav1.ConditionTrue, string(c.Unresolved.Reason), c.Unresolved.Message)
	case due:
		progressing()
	case s.disabled():
		c.set(v1alpha1.ImageStalled, metav1.ConditionTrue, s.reason, s.message)
	case c.Unresolved != nil, s.active() && (changed(c.status) || c.Image.Spec.Triggers.Schedule.Mode == v1alpha1.ScheduleAlways):
		progressing() // once the missing object appears, or at the next time of the schedule
	case changed(c.status):
		c.set(v1alpha1.ImageStalled, metav1.ConditionFalse, v1alpha1.ReasonSuspended, "the inputs have changed, but the image is suspended or its triggers are off: resume it, or ask for a build")
	case last == nil && c.status.LastAttempted != nil && c.stallsByBuildThatIsGone():
	case last != nil && last.Status.Failure != nil:
		c.set(v1alpha1.ImageStalled, metav1.ConditionTrue, string(last.Status.Failure.Reason),
			ending(last)+notAgain)
	default:
		progressing()
	}
}

// stallsByBuildThatIsGone sets Stalled if the last attempted build was deleted, and Ready still reports that it did not
// succeed. Its inputs are still those of the Image.
func (c conditions) stallsByBuildThatIsGone() bool {
	ready := meta.FindStatusCondition(c.status.Conditions, v1alpha1.ImageReady)
	if ready.Reason != v1alpha1.ReasonBuildFailed && ready.Reason != v1alpha1.ReasonBuildCancelled {
		return false
	}
	said := meta.FindStatusCondition(c.status.Conditions, v1alpha1.ImageStalled)
	if said != nil && said.Status == metav1.ConditionTrue && said.Message == ready.Message+notAgain {
		return c.keep(v1alpha1.ImageStalled)
	}
	c.set(v1alpha1.ImageStalled, metav1.ConditionTrue, ready.Reason, ready.Message+notAgain)
	return true
}

// ending describes how a build ended that did not succeed.
func ending(build *v1alpha1.ImageBuild) string {
	return fmt.Sprintf("build %s ended with %s: %s", build.Name, build.Status.Failure.Reason, build.Status.Failure.Message)
}
