// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
)

const (
	maxAttempts = 64
	maxLogTail  = 2 << 10
)

// afterwards are the conditions of a finished build that may still change: its log is archived, it is recorded, another build reproduces
// it, and it is revoked, once it has ended.
var afterwards = []string{v1alpha1.BuildLogArchived, v1alpha1.BuildRecorded, v1alpha1.BuildReproduced, v1alpha1.BuildRevoked}

var attemptOutcomes = []v1alpha1.AttemptOutcome{
	v1alpha1.AttemptSucceeded, v1alpha1.AttemptFailed, v1alpha1.AttemptDisrupted, v1alpha1.AttemptCancelled,
}

// ValidateStatusUpdate validates a change of an ImageBuild's status. It enforces rules that hold for every controller:
// phases follow the table, a final status does not change, and attempts are only added.
func ValidateStatusUpdate(build, old *v1alpha1.ImageBuild) field.ErrorList {
	current, stored := &build.Status, &old.Status
	errs := validatePhaseChange(stored.Phase, current.Phase, status.Child("phase"))
	if stored.Phase.Finished() {
		if len(errs) == 0 && !equality.Semantic.DeepEqual(withoutAfterwards(current), withoutAfterwards(stored)) {
			errs = append(errs, field.Forbidden(status, fmt.Sprintf("status is final in phase %s: change only the conditions %s",
				stored.Phase, strings.Join(afterwards, ", "))))
		}
		return append(errs, metav1validation.ValidateConditions(current.Conditions, status.Child("conditions"))...)
	}
	if current.Phase == v1alpha1.BuildSucceeded && stored.Revoked != nil && stored.Revoked.EffectiveTime == nil {
		errs = append(errs, field.Forbidden(status.Child("phase"), "the build is revoked, so that it cannot succeed: set phase to Cancelled"))
	}
	errs = append(errs, validateResolved(current.Resolved, stored.Resolved, status.Child("resolved"))...)
	errs = append(errs, validateAttempts(build, stored, status.Child("attempts"))...)
	if n := len(current.Attempts); int(current.CurrentAttempt) != n {
		errs = append(errs, field.Invalid(status.Child("currentAttempt"), current.CurrentAttempt,
			fmt.Sprintf("must be %d, the number of the last attempt", n)))
	}
	errs = append(errs, validateCurrentAttempt(build)...)
	errs = append(errs, validateMade(build, stored)...)
	errs = append(errs, validateTests(build, stored)...)
	errs = append(errs, validateEnd(current)...)
	return append(errs, metav1validation.ValidateConditions(current.Conditions, status.Child("conditions"))...)
}

func withoutAfterwards(status *v1alpha1.ImageBuildStatus) *v1alpha1.ImageBuildStatus {
	status = status.DeepCopy()
	status.Finished = status.Phase.Finished() // the server sets it from the phase
	status.Conditions = slices.DeleteFunc(status.Conditions, func(condition metav1.Condition) bool {
		return slices.Contains(afterwards, condition.Type)
	})
	return status
}

func validateResolved(resolved, stored *v1alpha1.ResolvedInputs, path *field.Path) field.ErrorList {
	if stored != nil {
		return validation.Immutable(resolved, stored, path, "is immutable once it is set: a build keeps its inputs")
	}
	if resolved == nil {
		return nil
	}
	errs := validation.RequiredDigest(resolved.InputsDigest, path.Child("inputsDigest"))
	errs = append(errs, validation.Digest(resolved.BaseDigest, path.Child("baseDigest"))...)
	errs = append(errs, validation.SourceRevision(resolved.Source, path.Child("source"))...)
	if resolved.Base != nil {
		errs = append(errs, validation.BuildName(resolved.Base.Name, path.Child("base", "name"))...)
		errs = append(errs, validation.Artifacts(resolved.Base.Artifacts, path.Child("base", "artifacts"))...)
	}
	return append(errs, validation.Files(resolved.Files, path.Child("files"))...)
}

// currentOutcomes are the outcomes that the last attempt may have in a phase. An unfinished attempt has the empty outcome. A
// phase without an entry has no rule for attempts.
var currentOutcomes = map[v1alpha1.BuildPhase][]v1alpha1.AttemptOutcome{
	v1alpha1.BuildStarting:   {""},
	v1alpha1.BuildRunning:    {""},
	v1alpha1.BuildCancelling: {""},
	v1alpha1.BuildRetrying:   {v1alpha1.AttemptFailed, v1alpha1.AttemptDisrupted},
	v1alpha1.BuildTesting:    {"", v1alpha1.AttemptSucceeded, v1alpha1.AttemptFailed, v1alpha1.AttemptDisrupted},
	v1alpha1.BuildSucceeded:  {v1alpha1.AttemptSucceeded},
}

// validateCurrentAttempt checks that an attempt exists if the phase requires one, and that its outcome fits the phase. A build that tests the
// artifacts of another build needs no attempt without a test.
func validateCurrentAttempt(build *v1alpha1.ImageBuild) field.ErrorList {
	current := &build.Status
	attempts, last := status.Child("attempts"), len(current.Attempts)-1
	allowed, speaksOfOne := currentOutcomes[current.Phase]
	if last >= 0 && current.Phase == v1alpha1.BuildSucceeded && len(current.Attempts[last].Tests) > 0 {
		allowed = []v1alpha1.AttemptOutcome{v1alpha1.AttemptSucceeded, v1alpha1.AttemptFailed, v1alpha1.AttemptDisrupted} // of tests that do not gate
	}
	if last < 0 {
		if speaksOfOne && (build.Spec.Retests == nil || current.Phase == v1alpha1.BuildCancelling) {
			return field.ErrorList{field.Required(attempts, fmt.Sprintf("add an attempt: in phase %s a build must have an attempt", current.Phase))}
		}
		return nil
	}
	outcome, path := current.Attempts[last].Outcome, attempts.Index(last).Child("outcome")
	switch {
	case outcome == "" && current.Phase.Finished():
		return field.ErrorList{field.Required(path, "set the outcome of the last attempt: the build has finished")}
	case !speaksOfOne || slices.Contains(allowed, outcome):
		return nil
	case outcome == "":
		return field.ErrorList{field.Required(path, fmt.Sprintf("set one of %v: in phase %s the last attempt has ended", allowed, current.Phase))}
	case len(allowed) == 1 && allowed[0] == "":
		return field.ErrorList{field.Invalid(path, outcome, fmt.Sprintf("add a new attempt, or change phase %s: in this phase the last attempt must have no outcome", current.Phase))}
	}
	return field.ErrorList{field.Invalid(path, outcome, fmt.Sprintf("must be one of %v for the last attempt in phase %s", allowed, current.Phase))}
}

// validateEnd checks the fields that a final phase requires, and other phases forbid.
func validateEnd(current *v1alpha1.ImageBuildStatus) field.ErrorList {
	errs := validateFailure(current.Failure, status.Child("failure"))
	finished, succeeded := current.Phase.Finished(), current.Phase == v1alpha1.BuildSucceeded
	switch {
	case succeeded && current.Failure != nil:
		errs = append(errs, field.Forbidden(status.Child("failure"), "remove failure: the build succeeded"))
	case finished && !succeeded && current.Failure == nil:
		errs = append(errs, field.Required(status.Child("failure"), "set the failure of the build that failed or was cancelled"))
	}
	switch {
	case finished && current.CompletionTime.IsZero():
		errs = append(errs, field.Required(status.Child("completionTime"), "set completionTime of the finished build"))
	case !finished && current.CompletionTime != nil:
		errs = append(errs, field.Forbidden(status.Child("completionTime"), "remove completionTime: the build has not finished"))
	}
	if succeeded && current.StartTime.IsZero() && len(current.Attempts) > 0 {
		errs = append(errs, field.Required(status.Child("startTime"), "set the start time of the first attempt"))
	}
	return errs
}

func validateAttempts(build *v1alpha1.ImageBuild, before *v1alpha1.ImageBuildStatus, path *field.Path) field.ErrorList {
	attempts, stored := build.Status.Attempts, before.Attempts
	suspended := isSuspended(&build.Status, before)
	if len(attempts) < len(stored) {
		return field.ErrorList{field.Forbidden(path, fmt.Sprintf("keep all %d stored attempts", len(stored)))}
	}
	var errs field.ErrorList
	if n := len(attempts); n > maxAttempts {
		errs = append(errs, field.TooMany(path, n, maxAttempts))
	}
	for i := range attempts {
		if i < len(stored) {
			errs = append(errs, validateAttemptUpdate(&attempts[i], &stored[i], suspended, path.Index(i))...)
		}
		errs = append(errs, validateAttempt(&attempts[i], i, path.Index(i))...)
		if i >= len(stored) {
			errs = append(errs, validateAttemptTests(build, &attempts[i], path.Index(i).Child("tests"))...)
		}
		if i > len(stored) || i > 0 && i == len(stored) && stored[i-1].Outcome == "" {
			errs = append(errs, field.Forbidden(path.Index(i), "store the outcome of the previous attempt before adding an attempt"))
		}
	}
	return errs
}

// isSuspended reports whether the Job of the last attempt was suspended: the build is queued again or, if the attempt tests artifacts, not admitted.
func isSuspended(current, before *v1alpha1.ImageBuildStatus) bool {
	if current.Phase == v1alpha1.BuildTesting {
		return meta.IsStatusConditionFalse(current.Conditions, v1alpha1.BuildAdmitted)
	}
	return current.Phase == v1alpha1.BuildQueued && before.Phase != v1alpha1.BuildQueued
}

func validateAttempt(attempt *v1alpha1.BuildAttempt, index int, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if want := index + 1; int(attempt.Number) != want {
		errs = append(errs, field.Invalid(path.Child("number"), attempt.Number, fmt.Sprintf("must be %d: attempts are numbered from 1 without gaps", want)))
	}
	if attempt.JobName == "" {
		errs = append(errs, field.Required(path.Child("jobName"), "set jobName before the Job is created"))
	} else {
		errs = append(errs, validation.Names(utilvalidation.IsDNS1123Label(attempt.JobName), attempt.JobName, path.Child("jobName"))...)
	}
	if (attempt.PodName == "") != (attempt.PodUID == "") {
		errs = append(errs, field.Required(path.Child("podUID"), "set podName and podUID together"))
	}
	if attempt.StartTime.IsZero() {
		errs = append(errs, field.Required(path.Child("startTime"), "set startTime with the new attempt"))
	}
	switch {
	case attempt.Outcome != "":
		errs = append(errs, validation.Enum(attempt.Outcome, attemptOutcomes, path.Child("outcome"))...)
		if attempt.CompletionTime.IsZero() {
			errs = append(errs, field.Required(path.Child("completionTime"), "set completionTime of the attempt that has an outcome"))
		}
	case attempt.CompletionTime != nil:
		errs = append(errs, field.Forbidden(path.Child("completionTime"), "remove completionTime: the attempt has no outcome"))
	}
	if attempt.Failure == nil && (attempt.Outcome == v1alpha1.AttemptFailed || attempt.Outcome == v1alpha1.AttemptDisrupted) {
		errs = append(errs, field.Required(path.Child("failure"), "set the failure of the attempt that did not succeed"))
	}
	return append(errs, validateFailure(attempt.Failure, path.Child("failure"))...)
}

// validateAttemptUpdate checks a change of an attempt. Its pod stays the same, unless its Job was suspended, for example by
// Kueue. Then the pod is deleted, and the attempt gets a new pod later.
func validateAttemptUpdate(attempt, stored *v1alpha1.BuildAttempt, suspended bool, path *field.Path) field.ErrorList {
	if stored.Outcome != "" {
		return validation.Immutable(attempt, stored, path, "is immutable: the attempt has its outcome")
	}
	errs := validation.Immutable(attempt.JobName, stored.JobName, path.Child("jobName"), "is immutable: it names the Job of this attempt")
	errs = append(errs, validation.Immutable(attempt.Tests, stored.Tests, path.Child("tests"), "is immutable: an attempt runs the tests that it began with")...)
	errs = append(errs, setOnce(attempt.JobUID, stored.JobUID, path.Child("jobUID"))...)
	if stored.StopTime != nil {
		errs = append(errs, validation.Immutable(attempt.StopTime, stored.StopTime, path.Child("stopTime"), "is immutable once it is set: it is the time at which the stop of the attempt began")...)
	}
	if suspended && attempt.PodName == "" && attempt.PodUID == "" {
		return errs
	}
	errs = append(errs, setOnce(attempt.BuilderImage, stored.BuilderImage, path.Child("builderImage"))...)
	errs = append(errs, setOnce(attempt.PodName, stored.PodName, path.Child("podName"))...)
	return append(errs, setOnce(attempt.PodUID, stored.PodUID, path.Child("podUID"))...)
}

func setOnce[T ~string](value, stored T, path *field.Path) field.ErrorList {
	if stored == "" {
		return nil
	}
	return validation.Immutable(value, stored, path, "is immutable once it is set: an attempt keeps its Job and its pod")
}

func validateFailure(failure *v1alpha1.BuildFailure, path *field.Path) field.ErrorList {
	if failure == nil {
		return nil
	}
	var errs field.ErrorList
	switch class := failure.Reason.Class(); {
	case class == "":
		errs = append(errs, field.Invalid(path.Child("reason"), failure.Reason, "must be a reason of this API: see docs/reasons.md"))
	case class != failure.Class:
		errs = append(errs, field.Invalid(path.Child("class"), failure.Class, fmt.Sprintf("must be %s, the class of %s", class, failure.Reason)))
	}
	if len(failure.LogTail) > maxLogTail {
		errs = append(errs, field.TooLong(path.Child("logTail"), failure.LogTail, maxLogTail))
	}
	return errs
}
