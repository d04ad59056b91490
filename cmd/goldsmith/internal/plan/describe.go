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
	"unicode"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// describe writes a plan for people: a headline, and below it what there is to say, aligned.
func describe(plan *v1alpha1.ImagePlan, out io.Writer) error {
	status := &plan.Status
	headline := fmt.Sprintf("image %s would not be built now", plan.Name)
	if status.Build {
		headline = fmt.Sprintf("image %s would be built now, as %s", plan.Name, status.BuildName)
	}
	if _, err := fmt.Fprintln(out, headline); err != nil {
		return err
	}
	lines := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	list(lines, "why", reason(status))
	list(lines, "changes", changes(status.Changes)...)
	list(lines, "inputs", status.InputsDigest)
	list(lines, "base", status.BaseDigest)
	if !status.Build && status.Job != nil {
		list(lines, "next build", status.BuildName)
	}
	if err := listJob(lines, plan); err != nil {
		return err
	}
	if next := status.NextScheduleTime; next != nil {
		list(lines, "next start", next.UTC().Format(time.RFC3339)+" by the schedule")
	}
	return lines.Flush()
}

// list writes values below each other, beside their label, each on its line. The writer keeps its errors until it is flushed.
func list(lines *tabwriter.Writer, label string, values ...string) {
	for _, value := range values {
		if value != "" {
			_, _ = fmt.Fprintf(lines, "  %s\t%s\n", label, output.OneLine(value))
			label = ""
		}
	}
}

func reason(status *v1alpha1.ImagePlanStatus) string {
	if status.Reason == "" || status.Message == "" {
		return status.Reason + status.Message
	}
	return status.Reason + ": " + status.Message
}

// changes are aligned among themselves.
func changes(changed []v1alpha1.InputChange) []string {
	paths, befores := 0, 0
	for _, change := range changed {
		paths, befores = max(paths, width(change.Path)), max(befores, width(valueOf(change.From)))
	}
	var written []string
	for _, change := range changed {
		written = append(written, fmt.Sprintf("%-*s   %-*s → %s", paths, change.Path, befores, valueOf(change.From), valueOf(change.To)))
	}
	return written
}

func width(text string) int {
	return len([]rune(text))
}

// valueOf shows where a value has other lines.
func valueOf(value string) string {
	switch {
	case value == "":
		return "none"
	case strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Sprintf("%q", value)
	}
	return value
}

// listJob writes what a person wants to know of the Job: its name, and the images and resources of its containers.
func listJob(lines *tabwriter.Writer, plan *v1alpha1.ImagePlan) error {
	if plan.Status.Job == nil {
		return nil
	}
	job := &batchv1.Job{}
	if err := json.Unmarshal(plan.Status.Job.Raw, job); err != nil {
		return fmt.Errorf("read the Job in the plan of image %s: %w", plan.Name, err)
	}
	list(lines, "job", job.Name+" (its end depends on the UID of the build)")
	for _, container := range job.Spec.Template.Spec.Containers {
		list(lines, "builder", container.Image)
		list(lines, "command", strings.Join(slices.Concat(container.Command, container.Args), " "))
		list(lines, "resources", resources("requests", container.Resources.Requests), resources("limits", container.Resources.Limits))
	}
	return nil
}

// resources are amounts by name, in the order of the names.
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
