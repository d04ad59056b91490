// SPDX-License-Identifier: Apache-2.0

package image

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/apiserver/internal/images/table"
)

var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "Name of the image."},
	{Name: "Ready", Type: "string", Description: "Whether there is an artifact and the last finished build succeeded."},
	{Name: "UpToDate", Type: "string", Description: "Whether the latest successful build was made from the inputs as they are now."},
	{Name: "Latest", Type: "string", Description: "Build with the highest number."},
	{Name: "Digest", Type: "string", Description: "Beginning of the latest artifact's digest, and how many more artifacts there are."},
	{Name: "Active", Type: "integer", Description: "Number of builds that are starting, running, retrying or being cancelled."},
	{Name: "Next", Type: "string", Description: "Time until the schedule starts the next build."},
	{Name: "Age", Type: "string", Description: "Time since the image was created."},
}

func newTable(clock clock.PassiveClock) builder.Table[*images.Image] {
	return builder.NewTable(columns, func(image *images.Image) []any {
		return []any{
			image.Name, conditionStatus(image, v1alpha1.ImageReady), conditionStatus(image, v1alpha1.ImageUpToDate),
			latest(image), digest(image), int64(image.Status.ActiveBuilds), next(clock, image), table.Age(clock, image.CreationTimestamp),
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

// next is how long it is until the schedule starts a build. One that is late is due now.
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
