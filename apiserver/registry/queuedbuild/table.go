// SPDX-License-Identifier: Apache-2.0

package queuedbuild

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

var columns = []metav1.TableColumnDefinition{
	{Name: "Position", Type: "integer", Description: "Place in the order in which builds of all namespaces would be admitted."},
	{Name: "Name", Type: "string", Format: "name", Description: "Name of the build."},
	{Name: "Image", Type: "string", Description: "Image of the build."},
	{Name: "Priority", Type: "integer", Description: "Priority among the builds of the namespace."},
	{Name: "Waiting", Type: "string", Description: "Time that the build has waited."},
	{Name: "Estimate", Type: "string", Description: "Estimated time until the build starts, from the durations of earlier builds."},
	{Name: "Why", Type: "string", Description: "What the build waits for."},
}

func newTable(clock clock.PassiveClock) resources.Table[*v1alpha1.QueuedBuild] {
	return table.New(columns, func(queued *v1alpha1.QueuedBuild) []any {
		status := &queued.Status
		return []any{
			position(status), queued.Name, imageName(status), int64(status.Priority),
			waitTime(clock, status), estimate(clock, status), status.Message,
		}
	})
}

func position(status *v1alpha1.QueuedBuildStatus) any {
	if status.Position == 0 {
		return "<none>"
	}
	return int64(status.Position)
}

func imageName(status *v1alpha1.QueuedBuildStatus) string {
	if status.ImageName == "" {
		return "<none>"
	}
	return status.ImageName
}

func waitTime(clock clock.PassiveClock, status *v1alpha1.QueuedBuildStatus) string {
	if status.QueuedTime == nil {
		return ""
	}
	return duration.HumanDuration(clock.Since(status.QueuedTime.Time))
}

func estimate(clock clock.PassiveClock, status *v1alpha1.QueuedBuildStatus) string {
	if status.EstimatedStartTime == nil {
		return ""
	}
	return duration.HumanDuration(max(0, status.EstimatedStartTime.Sub(clock.Now())))
}
