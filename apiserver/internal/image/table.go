// SPDX-License-Identifier: Apache-2.0

package image

import (
	"cmp"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/apiserver/internal/images/table"
)

// wide is the priority of columns that only kubectl get -o wide prints.
const wide = 1

var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "Name of the image."},
	{Name: "Ready", Type: "string", Description: "Whether there is an artifact and the last finished build succeeded."},
	{Name: "UpToDate", Type: "string", Description: "Whether the latest successful build was made from the inputs as they are now."},
	{Name: "Reason", Type: "string", Description: "Reason of the first condition that reports a problem, in the order Stalled, InputsResolved, Ready."},
	{Name: "Latest", Type: "string", Description: "Build with the highest number."},
	{Name: "Digest", Type: "string", Description: "Beginning of the latest artifact's digest, and how many more artifacts there are."},
	{Name: "Active", Type: "integer", Description: "Number of builds that are starting, running, retrying or being cancelled."},
	{Name: "Next", Type: "string", Description: "Time until the schedule starts the next build."},
	{Name: "Age", Type: "string", Description: "Time since the image was created."},
	{Name: "Builder", Type: "string", Description: "Name or container image of the builder.", Priority: wide},
	{Name: "Base", Type: "string", Description: "What the image starts from.", Priority: wide},
	{Name: "LastFailure", Type: "string", Description: "How the last finished build ended, if it failed or was cancelled.", Priority: wide},
}

func newTable(clock clock.PassiveClock) builder.Table[*images.Image] {
	return builder.NewTable(columns, func(image *images.Image) []any {
		return []any{
			image.Name, conditionStatus(image, v1alpha1.ImageReady), conditionStatus(image, v1alpha1.ImageUpToDate), reason(image),
			latest(image), digest(image), int64(image.Status.ActiveBuilds), next(clock, image), table.Age(clock, image.CreationTimestamp),
			cmp.Or(image.Spec.Builder.Name, image.Spec.Builder.Image), base(image), lastFailure(image),
		}
	})
}

func conditionStatus(image *images.Image, kind string) string {
	condition := meta.FindStatusCondition(image.Status.Conditions, kind)
	if condition == nil {
		return string(metav1.ConditionUnknown)
	}
	return string(condition.Status)
}

// reason returns the reason of the first condition that reports a problem of the Image.
func reason(image *images.Image) string {
	for _, usual := range []struct{ kind, reason string }{
		{v1alpha1.ImageStalled, v1alpha1.ReasonProgressing},
		{v1alpha1.ImageInputsResolved, v1alpha1.ReasonResolved},
		{v1alpha1.ImageReady, v1alpha1.ReasonBuildSucceeded},
	} {
		if condition := meta.FindStatusCondition(image.Status.Conditions, usual.kind); condition != nil && condition.Reason != usual.reason {
			return condition.Reason
		}
	}
	return ""
}

func base(image *images.Image) string {
	ref := image.Spec.Base.ImageRef
	switch {
	case ref == nil:
		return image.Spec.Base.Reference
	case ref.Channel == "":
		return "image " + ref.Name
	default:
		return fmt.Sprintf("image %s, channel %s", ref.Name, ref.Channel)
	}
}

// lastFailure returns how the last finished build ended, unless it succeeded. Only the condition Ready has the message.
func lastFailure(image *images.Image) string {
	ready := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImageReady)
	if ready == nil || ready.Reason != v1alpha1.ReasonBuildFailed && ready.Reason != v1alpha1.ReasonBuildCancelled {
		return ""
	}
	return ready.Message
}

// next is the time until the schedule starts a build. A late build is due now.
func next(clock clock.PassiveClock, image *images.Image) string {
	at := image.Status.NextScheduleTime
	if at.IsZero() {
		return ""
	}
	return duration.HumanDuration(max(0, at.Sub(clock.Now())))
}

func latest(image *images.Image) string {
	if image.Status.LatestBuild == nil {
		return ""
	}
	return image.Status.LatestBuild.Name
}

func digest(image *images.Image) string {
	if image.Status.LatestSuccessful == nil {
		return ""
	}
	return table.Digest(image.Status.LatestSuccessful.Artifacts)
}
