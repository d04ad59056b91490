// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	declared "goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
)

const (
	// minReportInterval is the minimum time between two stored reports of a build.
	minReportInterval = time.Second
	// reportedBytes is how many bytes the reports of a build write a second, because each report writes the whole build.
	reportedBytes = 16 << 10

	maxStages = 32
)

// validateReport checks a report without its build.
func validateReport(report *v1alpha1.BuildReport, build string) field.ErrorList {
	errs := validation.RequestName(report.Name, build)
	errs = append(errs, validation.Line(report.Stage, field.NewPath("stage"))...)
	errs = append(errs, validation.Line(report.Message, field.NewPath("message"))...)
	return validation.Declared(declared.Validate_BuildReport, report, nil, errs)
}

// takeReport sets the progress of a build from a report. It does not change the build if the report has no news. It is an
// error if the last report is more recent than the build's reportInterval, by the clocks of all replicas.
func takeReport(build *v1alpha1.ImageBuild, attempt int32, report *v1alpha1.BuildReport, now time.Time) error {
	status := &build.Status
	if status.Progress == nil || status.Progress.Attempt != attempt {
		status.Progress, status.Stages = nil, nil
	}
	next := v1alpha1.BuildProgress{
		Stage: report.Stage, Percent: report.Percent, Message: v1alpha1.HidePasswords(report.Message),
		Time: metav1.NewMicroTime(now.Truncate(time.Microsecond)), Attempt: attempt,
	}
	if last := status.Progress; last != nil {
		if next.Stage == "" {
			next.Stage = last.Stage
		}
		if next.Stage == last.Stage && ptr.Equal(next.Percent, last.Percent) && next.Message == last.Message {
			return nil
		}
		if early := reportInterval(build) - now.Sub(last.Time.Time).Abs(); early > 0 {
			again := int((early + time.Second - 1) / time.Second)
			return apierrors.NewTooManyRequests(fmt.Sprintf("the last report of imagebuild %q is less than %v old: combine reports and send them later",
				build.Name, reportInterval(build)), again)
		}
	}
	if errs := enterStage(status, next.Stage, now); len(errs) > 0 {
		return subresource.Invalid(v1alpha1.Kind("BuildReport").GroupKind(), build.Name, errs)
	}
	status.Progress = &next
	return nil
}

// reportInterval is the minimum time between two stored reports of a build, in whole seconds. It grows with the build, which the
// database gets anew with each report.
func reportInterval(build *v1alpha1.ImageBuild) time.Duration {
	encoded, err := json.Marshal(build)
	if err != nil { // every build that was stored can be encoded
		return minReportInterval
	}
	return max(minReportInterval, time.Duration(len(encoded)/reportedBytes)*time.Second)
}

// enterStage ends the current stage of a build and begins a new one, if the stage has changed.
func enterStage(status *v1alpha1.ImageBuildStatus, name string, now time.Time) field.ErrorList {
	last := len(status.Stages) - 1
	if name == "" || last >= 0 && status.Stages[last].Name == name {
		return nil
	}
	path, at := field.NewPath("stage"), metav1.NewTime(now).Rfc3339Copy()
	if slices.ContainsFunc(status.Stages, func(stage v1alpha1.BuildStage) bool { return stage.Name == name }) {
		return field.ErrorList{field.Invalid(path, name, fmt.Sprintf("this stage ended when stage %q began, and a stage cannot be entered again: "+
			"use a new name", status.Stages[last].Name))}
	}
	if len(status.Stages) >= maxStages {
		return field.ErrorList{field.Invalid(path, name, fmt.Sprintf("an attempt has at most %d stages: use the message for more detail", maxStages))}
	}
	if last >= 0 {
		status.Stages[last].CompletionTime = &at
	}
	status.Stages = append(status.Stages, v1alpha1.BuildStage{Name: name, StartTime: at})
	return nil
}
