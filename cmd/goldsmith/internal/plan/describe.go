// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// describe writes a plan for people: a headline, and below it aligned details.
func describe(plan *v1alpha1.ImagePlan, now time.Time, out io.Writer) error {
	status := &plan.Status
	headline := fmt.Sprintf("image %s would not be built now", plan.Name)
	if status.Build {
		headline = fmt.Sprintf("image %s would be built now, as %s", plan.Name, status.BuildName)
	}
	if _, err := fmt.Fprintln(out, headline); err != nil {
		return err
	}
	lines := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	output.Labelled(lines, "why", reason(status))
	output.Labelled(lines, "changes", output.Changes(status.Changes)...)
	output.Labelled(lines, "inputs", status.InputsDigest)
	output.Labelled(lines, "base", status.BaseDigest)
	output.Labelled(lines, "source", output.Source(status.Source))
	if !status.Build && status.Job != nil {
		output.Labelled(lines, "next build", status.BuildName)
	}
	if err := listJob(lines, plan); err != nil {
		return err
	}
	output.Labelled(lines, "packages", listPackages(status.Packages, now)...)
	if next := status.NextScheduleTime; next != nil {
		output.Labelled(lines, "next start", next.UTC().Format(time.RFC3339)+" by the schedule")
	}
	return lines.Flush()
}

func reason(status *v1alpha1.ImagePlanStatus) string {
	if status.Reason == "" || status.Message == "" {
		return status.Reason + status.Message
	}
	return status.Reason + ": " + status.Message
}

// listPackages returns whether newer versions of packages start a build, when the archives were checked, and these versions.
func listPackages(plan *v1alpha1.PackagesPlan, now time.Time) []string {
	if plan == nil {
		return nil
	}
	text := plan.Reason + ": " + plan.Message
	if checked := plan.CheckTime; checked != nil {
		text += fmt.Sprintf(" (archives checked %s ago)", duration.HumanDuration(now.Sub(checked.Time)))
	}
	return append([]string{text}, output.Updates(plan.Updates, plan.UpdateCount)...)
}

// listJob writes the name of the Job, and the images and resources of its containers.
func listJob(lines *tabwriter.Writer, plan *v1alpha1.ImagePlan) error {
	if plan.Status.Job == nil {
		return nil
	}
	job := &batchv1.Job{}
	if err := json.Unmarshal(plan.Status.Job.Raw, job); err != nil {
		return fmt.Errorf("read the Job in the plan of image %s: %w", plan.Name, err)
	}
	output.Labelled(lines, "job", job.Name+" (the end of the name depends on the UID of the build)")
	for _, container := range job.Spec.Template.Spec.Containers {
		output.Labelled(lines, "builder", container.Image)
		output.Labelled(lines, "command", strings.Join(slices.Concat(container.Command, container.Args), " "))
		output.Labelled(lines, "resources", resources("requests", container.Resources.Requests), resources("limits", container.Resources.Limits))
	}
	return nil
}

// resources returns amounts by name, sorted by name.
func resources(kind string, amounts corev1.ResourceList) string {
	var written []string
	for name, amount := range amounts {
		written = append(written, fmt.Sprintf("%s=%s", name, amount.String()))
	}
	if len(written) == 0 {
		return ""
	}
	slices.Sort(written)
	return kind + " " + strings.Join(written, ", ")
}
