// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// wide is the priority of columns that only kubectl get -o wide prints.
const wide = 1

var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "Name of the build."},
	{Name: "Image", Type: "string", Description: "Image of the build."},
	{Name: "Phase", Type: "string", Description: "Phase of the build."},
	{Name: "Why", Type: "string", Description: "What the build waits for, why it failed, or that it is revoked."},
	{Name: "Progress", Type: "string", Description: "Progress that the builder reports, in percent, and the current stage. How many tests have ended, while the artifacts are tested."},
	{Name: "Attempt", Type: "integer", Description: "Number of the current attempt at the artifacts. Attempts that run tests do not count."},
	{Name: "Duration", Type: "string", Description: "Time since the build started, until it finished, without the time that it was queued again."},
	{Name: "Age", Type: "string", Description: "Time since the build was created."},
	{Name: "Trigger", Type: "string", Description: "What started the build.", Priority: wide},
	{Name: "Node", Type: "string", Description: "Where the current attempt runs.", Priority: wide},
	{Name: "Digest", Type: "string", Description: "Beginning of the first artifact's digest, and how many more artifacts there are.", Priority: wide},
	{Name: "OneOff", Type: "string", Description: "Whether the inputs of the build differ from the inputs of its image. A one-off build does not change the status of the image.", Priority: wide},
	{Name: "Started", Type: "string", Format: "date-time", Description: "When the first attempt started.", Priority: wide},
	{Name: "Finished", Type: "string", Format: "date-time", Description: "When the build finished.", Priority: wide},
}

func newTable(clock clock.PassiveClock) resources.Table[*v1alpha1.ImageBuild] {
	return table.New(columns, func(build *v1alpha1.ImageBuild) []any {
		return []any{
			build.Name, imageName(build), string(build.Status.Phase), why(build, clock.Now()), progress(build), int64(build.Status.AttemptsToMake()),
			elapsed(clock, build), table.Age(clock, build.CreationTimestamp),
			trigger(build), node(build), table.Digest(build.Status.Artifacts), oneOff(build),
			timestamp(build.Status.StartTime), timestamp(build.Status.CompletionTime),
		}
	})
}

// timestamp is a time for programs, which know the time zone of their users, or empty.
func timestamp(at *metav1.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

func imageName(build *v1alpha1.ImageBuild) string {
	if build.Spec.ImageRef == nil {
		return "<none>"
	}
	return build.Spec.ImageRef.Name
}

// why is what an unfinished build waits for, why a finished build failed, or that it is revoked.
func why(build *v1alpha1.ImageBuild, now time.Time) string {
	if v1alpha1.Revoked(build, now) {
		return string(v1alpha1.ReasonRevoked)
	}
	if build.Status.Failure != nil {
		return string(build.Status.Failure.Reason)
	}
	if delay := build.Status.Delay(); delay != nil {
		return delay.Reason
	}
	return ""
}

// progress is the builder's last report or, while the artifacts are tested, how many tests have ended.
func progress(build *v1alpha1.ImageBuild) string {
	said, tests := build.Status.Progress, build.Status.Tests
	switch {
	case build.Status.Phase == v1alpha1.BuildTesting:
		ended := 0
		for i := range tests {
			if tests[i].Outcome != "" {
				ended++
			}
		}
		return fmt.Sprintf("%d of %d tests", ended, len(tests))
	case said == nil, build.Status.Phase == v1alpha1.BuildSucceeded: // a failed build keeps its last progress
		return ""
	case said.Percent == nil:
		return said.Stage
	}
	return strings.TrimSpace(fmt.Sprintf("%d%% %s", *said.Percent, said.Stage))
}

func elapsed(clock clock.PassiveClock, build *v1alpha1.ImageBuild) string {
	took, started := build.Status.DurationAt(clock.Now())
	if !started {
		return ""
	}
	return duration.HumanDuration(took)
}

func trigger(build *v1alpha1.ImageBuild) string {
	trigger := build.Spec.Trigger
	switch {
	case trigger == nil:
		return ""
	case trigger.RequestedBy == "":
		return string(trigger.Reason)
	}
	return fmt.Sprintf("%s (%s)", trigger.Reason, trigger.RequestedBy)
}

func oneOff(build *v1alpha1.ImageBuild) string {
	return strconv.FormatBool(build.IsOneOff())
}

func node(build *v1alpha1.ImageBuild) string {
	attempts := build.Status.Attempts
	if len(attempts) == 0 {
		return ""
	}
	return attempts[len(attempts)-1].NodeName
}
