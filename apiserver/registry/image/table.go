// SPDX-License-Identifier: Apache-2.0

package image

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// wide is the priority of columns that only kubectl get -o wide prints.
const wide = 1

var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "Name of the image."},
	{Name: "Ready", Type: "string", Description: "Whether the last finished build that counts succeeded. One-off and cancelled builds do not count."},
	{Name: "UpToDate", Type: "string", Description: "Whether the latest successful build was made from the inputs as they are now."},
	{Name: "Reason", Type: "string", Description: "Why the image is not ready, or why no build of its inputs starts."},
	{Name: "Latest", Type: "string", Description: "Newest build that counts, and whether it was deleted."},
	{Name: "Digest", Type: "string", Description: "Beginning of the latest artifact's digest, how many more artifacts there are, and their build if it is not the latest one."},
	{Name: "Active", Type: "integer", Description: "Number of builds that are starting, running, retrying or being cancelled."},
	{Name: "Next", Type: "string", Description: "Time until the schedule starts the next build."},
	{Name: "Age", Type: "string", Description: "Time since the image was created."},
	{Name: "Builder", Type: "string", Description: "Name or container image of the builder.", Priority: wide},
	{Name: "Base", Type: "string", Description: "What the image starts from.", Priority: wide},
	{Name: "Channels", Type: "string", Description: "Build of each channel, whether that is revoked, and channels that wait for their first build.", Priority: wide},
	{Name: "LastFailure", Type: "string", Description: "How the last finished build that counts ended, if it failed.", Priority: wide},
	{Name: "Since", Type: "string", Format: "date-time", Description: "Since when the image is not ready, or else stalled, or else not up to date.", Priority: wide},
	{Name: "Suspended", Type: "string", Description: "Whether the image is suspended.", Priority: wide},
	{Name: "Vulnerabilities", Type: "string", Description: "Open vulnerabilities of the latest successful build, and packages whose vulnerabilities are unknown.", Priority: wide},
}

func newTable(clock clock.PassiveClock) resources.Table[*v1alpha1.Image] {
	return table.New(columns, func(image *v1alpha1.Image) []any {
		summary := trigger.Summarize(image)
		return []any{
			image.Name, string(summary.Ready), string(summary.UpToDate), summary.Reason,
			summary.Latest, digest(image, summary.Source), int64(image.Status.ActiveBuilds), next(clock, image), table.Age(clock, image.CreationTimestamp),
			cmp.Or(image.Spec.Builder.Name, image.Spec.Builder.Image), base(image), channels(clock.Now(), image), lastFailure(image),
			since(image), strconv.FormatBool(image.IsSuspended()), vulnerabilities(image),
		}
	})
}

func base(image *v1alpha1.Image) string {
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

// channels lists the channels that an Image has or declares, with their builds.
func channels(now time.Time, image *v1alpha1.Image) string {
	var found []string
	for i := range image.Status.Channels {
		channel := &image.Status.Channels[i]
		text := channel.Name + "=" + channel.Build
		if channel.Revoked.InEffect(now) {
			text += " (revoked)"
		}
		found = append(found, text)
	}
	for i := range image.Spec.Channels {
		name := image.Spec.Channels[i].Name
		if !slices.ContainsFunc(image.Status.Channels, func(channel v1alpha1.ImageChannel) bool { return channel.Name == name }) {
			found = append(found, name+"=<none>")
		}
	}
	return strings.Join(found, ", ")
}

// lastFailure returns how the last finished build ended, unless it succeeded. In the status of an Image, only the condition Ready has the message.
func lastFailure(image *v1alpha1.Image) string {
	ready := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImageReady)
	if ready == nil || ready.Reason != v1alpha1.ReasonBuildFailed {
		return ""
	}
	return ready.Message
}

// since is when the first condition with a problem took its status: a time for programs, or empty.
func since(image *v1alpha1.Image) string {
	for _, problem := range []metav1.Condition{
		{Type: v1alpha1.ImageReady, Status: metav1.ConditionFalse}, {Type: v1alpha1.ImageStalled, Status: metav1.ConditionTrue},
		{Type: v1alpha1.ImageUpToDate, Status: metav1.ConditionFalse},
	} {
		if said := meta.FindStatusCondition(image.Status.Conditions, problem.Type); said != nil && said.Status == problem.Status {
			return said.LastTransitionTime.UTC().Format(time.RFC3339)
		}
	}
	return ""
}

// vulnerabilities counts the open vulnerabilities of the latest artifacts. It is empty if the server knows no advisories.
func vulnerabilities(image *v1alpha1.Image) string {
	found := image.Status.Vulnerabilities
	if found == nil {
		return ""
	}
	_, text, open := strings.Cut(trigger.DescribeVulnerabilities(found.Counts), ": ")
	if !open {
		text = "none"
	}
	if found.Counts.Unmatched > 0 {
		text += fmt.Sprintf(", %d unmatched", found.Counts.Unmatched)
	}
	return text
}

// next is the time until the schedule starts a build. A late build is due now.
func next(clock clock.PassiveClock, image *v1alpha1.Image) string {
	at := image.Status.NextScheduleTime
	if at.IsZero() {
		return ""
	}
	return duration.HumanDuration(max(0, at.Sub(clock.Now())))
}

// digest shows the latest artifacts. source is the name of their build, or empty if it is the latest build.
func digest(image *v1alpha1.Image, source string) string {
	switch {
	case image.Status.LatestSuccessful == nil:
		return ""
	case source == "":
		return table.Digest(image.Status.LatestSuccessful.Artifacts)
	}
	return fmt.Sprintf("%s (%s)", table.Digest(image.Status.LatestSuccessful.Artifacts), source)
}
