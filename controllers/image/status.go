// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/resolution"
)

// nextStatus is what the status of an Image should say, given its builds in the order of their numbers and what its
// inputs resolve to. It is pure. What builds that are gone have left in the status stays.
func nextStatus(image *v1alpha1.Image, builds []v1alpha1.ImageBuild, resolved resolution.Resolution, now metav1.Time) *v1alpha1.ImageStatus {
	status := image.Status.DeepCopy()
	status.ObservedGeneration = image.Generation
	status.InputsDigest = ""
	if resolved.Resolved != nil {
		status.InputsDigest = resolved.Resolved.InputsDigest
	}
	status.ActiveBuilds, status.QueuedBuilds = 0, 0
	var lastFinished *v1alpha1.ImageBuild
	for i := range builds {
		build := &builds[i]
		count(status, build)
		if build.Status.Finished {
			lastFinished = build
		}
	}
	if latest := status.LatestBuild; lastFinished != nil && latest.Phase.Finished() && latest.Number > number(lastFinished) {
		lastFinished = nil // the one that finished last is gone
	}
	conditions := conditions{image: image, status: status, now: now}
	conditions.setInputsResolved(resolved)
	conditions.setReady(lastFinished)
	conditions.setUpToDate()
	conditions.setBuilding()
	conditions.setStalled(resolved, lastFinished)
	return status
}

// count takes one build into account. Builds come in the order of their numbers.
func count(status *v1alpha1.ImageStatus, build *v1alpha1.ImageBuild) {
	n := number(build)
	switch {
	case build.Status.Phase.Active():
		status.ActiveBuilds++
	case !build.Status.Phase.Finished():
		status.QueuedBuilds++
	}
	for i := range status.RecentRequests {
		if status.RecentRequests[i].Number == n {
			status.RecentRequests[i].UID = build.UID
		}
	}
	if status.LatestBuild == nil || n >= status.LatestBuild.Number {
		status.LatestBuild = &v1alpha1.LatestBuild{Name: build.Name, Number: n, Phase: build.Status.Phase}
	}
	if attempted := status.LastAttempted; (build.Status.Resolved != nil || build.Status.Finished) && (attempted == nil || n > attempted.Number) {
		status.LastAttempted = &v1alpha1.AttemptedBuild{Number: n, InputsDigest: digest(build)}
	}
	if latest := status.LatestSuccessful; build.Status.Phase == v1alpha1.BuildSucceeded && (latest == nil || n > latest.Number) {
		status.LatestSuccessful = &v1alpha1.SuccessfulBuild{
			Name: build.Name, Number: n, InputsDigest: digest(build),
			CompletionTime: *build.Status.CompletionTime, Artifacts: build.Status.Artifacts,
		}
	}
}

func digest(build *v1alpha1.ImageBuild) string {
	if build.Status.Resolved == nil {
		return ""
	}
	return build.Status.Resolved.InputsDigest
}

// conditions sets the conditions of an Image's status.
type conditions struct {
	image  *v1alpha1.Image
	status *v1alpha1.ImageStatus
	now    metav1.Time
}

func (c conditions) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&c.status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: c.image.Generation, LastTransitionTime: c.now,
	})
}

// keep leaves a condition as it is: what it says still holds, of this generation too. It returns false if there is none.
func (c conditions) keep(kind string) bool {
	stands := meta.FindStatusCondition(c.status.Conditions, kind)
	if stands == nil {
		return false
	}
	c.set(kind, stands.Status, stands.Reason, stands.Message)
	return true
}

func (c conditions) setInputsResolved(resolved resolution.Resolution) {
	if resolved.Unresolved != nil {
		c.set(v1alpha1.ImageInputsResolved, metav1.ConditionFalse, string(resolved.Unresolved.Reason), resolved.Unresolved.Message)
		return
	}
	c.set(v1alpha1.ImageInputsResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved, "")
}

func (c conditions) setReady(last *v1alpha1.ImageBuild) {
	switch {
	case last == nil && c.status.LastAttempted != nil && c.keep(v1alpha1.ImageReady):
		// The build that finished last is gone.
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
		c.set(v1alpha1.ImageUpToDate, metav1.ConditionUnknown, v1alpha1.ReasonInputsNotResolved, "see the condition InputsResolved")
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

// setStalled says whether a person is needed: to make the inputs resolve, or to change them after a failed build.
func (c conditions) setStalled(resolved resolution.Resolution, last *v1alpha1.ImageBuild) {
	progressing := func() { c.set(v1alpha1.ImageStalled, metav1.ConditionFalse, v1alpha1.ReasonProgressing, "") }
	switch {
	case c.status.ActiveBuilds+c.status.QueuedBuilds > 0:
		progressing()
	case resolved.Unresolved != nil && !resolved.MayAppear:
		c.set(v1alpha1.ImageStalled, metav1.ConditionTrue, string(resolved.Unresolved.Reason), resolved.Unresolved.Message)
	case changed(c.status) && !triggered(c.image):
		c.set(v1alpha1.ImageStalled, metav1.ConditionFalse, v1alpha1.ReasonSuspended, "the inputs have changed, and the triggers are suspended or off")
	case resolved.Unresolved != nil || changed(c.status):
		progressing()
	case last == nil && meta.IsStatusConditionTrue(c.status.Conditions, v1alpha1.ImageStalled) && c.keep(v1alpha1.ImageStalled):
		// The build that failed is gone. Its inputs are still those of the Image.
	case last != nil && last.Status.Failure != nil:
		c.set(v1alpha1.ImageStalled, metav1.ConditionTrue, string(last.Status.Failure.Reason),
			ending(last)+". It is not built again for the same inputs: change them, or ask for a build")
	default:
		progressing()
	}
}

// ending says how a build that did not succeed ended.
func ending(build *v1alpha1.ImageBuild) string {
	return fmt.Sprintf("build %s ended with %s: %s", build.Name, build.Status.Failure.Reason, build.Status.Failure.Message)
}
