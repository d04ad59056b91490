// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"fmt"
	"slices"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/result"
)

var testOutcomes = []v1alpha1.TestOutcome{v1alpha1.TestPassed, v1alpha1.TestFlaky, v1alpha1.TestFailed, v1alpha1.TestError}

// validateMade checks the artifacts of a build that has not finished yet. A build has artifacts once they are tested or it succeeded, and then it
// keeps them. Only the tags and locations of artifacts may change, because tags are given after the tests.
func validateMade(build *v1alpha1.ImageBuild, stored *v1alpha1.ImageBuildStatus) field.ErrorList {
	path, current := status.Child("artifacts"), &build.Status
	errs := validation.Artifacts(current.Artifacts, path)
	if current.Phase == v1alpha1.BuildTesting && len(build.Spec.Tests) == 0 && build.Spec.Retests == nil {
		return append(errs, field.Invalid(status.Child("phase"), current.Phase, "must not be Testing: the build has no tests"))
	}
	made := lastMaking(current.Attempts)
	if current.Phase == v1alpha1.BuildTesting && build.Spec.Retests == nil && (made == nil || made.Outcome != v1alpha1.AttemptSucceeded) {
		return append(errs, field.Required(status.Child("attempts"), "let an attempt succeed that makes artifacts, before they are tested"))
	}
	want := stored.Artifacts
	if want == nil && build.Spec.Retests != nil && current.Artifacts != nil {
		want = build.Spec.Retests.Artifacts
	}
	switch ready := current.Phase == v1alpha1.BuildTesting || current.Phase == v1alpha1.BuildSucceeded; {
	case ready && len(current.Artifacts) == 0:
		return append(errs, field.Required(path, "list one artifact for each target"))
	case !ready && len(stored.Artifacts) == 0 && len(current.Artifacts) > 0:
		return append(errs, field.Forbidden(path, fmt.Sprintf("remove artifacts: in phase %s a build has none that were tested or are to be tested", current.Phase)))
	case len(want) > 0 && !slices.EqualFunc(current.Artifacts, want, sameArtifact):
		return append(errs, field.Invalid(path, field.OmitValueType{}, "must be the artifacts that the build tests: their targets, digests, sizes and media types do not change"))
	}
	return errs
}

// lastMaking returns the last attempt that makes artifacts, or nil.
func lastMaking(attempts []v1alpha1.BuildAttempt) *v1alpha1.BuildAttempt {
	for i := range slices.Backward(attempts) {
		if len(attempts[i].Tests) == 0 {
			return &attempts[i]
		}
	}
	return nil
}

func sameArtifact(a, b v1alpha1.Artifact) bool {
	return a.Target == b.Target && a.Digest == b.Digest && a.SizeBytes == b.SizeBytes && a.MediaType == b.MediaType
}

// validateAttemptTests checks which tests a new attempt runs. Only an attempt of a build that is Testing runs tests, and a build that tests the
// artifacts of another build has no other attempts.
func validateAttemptTests(build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, path *field.Path) field.ErrorList {
	switch {
	case len(attempt.Tests) == 0 && build.Spec.Retests != nil:
		return field.ErrorList{field.Required(path, "name the tests that the attempt runs: the build tests artifacts of another build, and makes none")}
	case len(attempt.Tests) > 0 && build.Status.Phase != v1alpha1.BuildTesting:
		return field.ErrorList{field.Forbidden(path, fmt.Sprintf("remove tests: in phase %s an attempt makes artifacts", build.Status.Phase))}
	}
	var errs field.ErrorList
	for i, name := range attempt.Tests {
		switch {
		case inputs.FindTest(build.Spec.Tests, name) == nil:
			errs = append(errs, field.Invalid(path.Index(i), name, "is no test of spec.tests"))
		case slices.Index(attempt.Tests, name) < i:
			errs = append(errs, field.Duplicate(path.Index(i), name))
		}
	}
	return errs
}

// validateTests checks the results of tests: there is one for each test from the first moment of Testing, its outcome is final, and a build
// succeeds only with all that gate.
func validateTests(build *v1alpha1.ImageBuild, stored *v1alpha1.ImageBuildStatus) field.ErrorList {
	path, current := status.Child("tests"), &build.Status
	if len(current.Artifacts) == 0 {
		if len(current.Tests) > 0 {
			return field.ErrorList{field.Forbidden(path, "remove tests: there is no artifact to test")}
		}
		return nil
	}
	if !slices.EqualFunc(current.Tests, build.Spec.Tests, func(result v1alpha1.TestStatus, test v1alpha1.ImageTest) bool { return result.Name == test.Name }) {
		return field.ErrorList{field.Invalid(path, field.OmitValueType{}, "must have one entry for each test of spec.tests, in the same order")}
	}
	var errs field.ErrorList
	for i := range current.Tests {
		result, path := &current.Tests[i], path.Index(i)
		errs = append(errs, validateTest(build, result, &build.Spec.Tests[i], path)...)
		if i < len(stored.Tests) && stored.Tests[i].Outcome != "" {
			before := &stored.Tests[i]
			errs = append(errs, validation.Immutable(result.Outcome, before.Outcome, path.Child("outcome"), "is immutable once it is set: a test has one result")...)
			errs = append(errs, validation.Immutable(result.Attempt, before.Attempt, path.Child("attempt"), "is immutable once outcome is set")...)
		}
		switch succeeded := current.Phase == v1alpha1.BuildSucceeded; {
		case succeeded && result.Gates && !result.Outcome.Passed():
			errs = append(errs, field.Invalid(path.Child("outcome"), result.Outcome, "must be Passed or Flaky: the build can succeed only with this test"))
		case succeeded && result.Outcome == "":
			errs = append(errs, field.Required(path.Child("outcome"), "set the outcome of each test of a build that has succeeded"))
		}
	}
	return errs
}

// validateTest checks the result of one test.
func validateTest(build *v1alpha1.ImageBuild, its *v1alpha1.TestStatus, test *v1alpha1.ImageTest, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if want := inputs.TestTarget(test, build.Spec.Inputs.Targets); its.Target != want {
		errs = append(errs, field.Invalid(path.Child("target"), its.Target, fmt.Sprintf("must be %s, the target of the test", want)))
	}
	if want := inputs.Gates(build, test); its.Gates != want {
		errs = append(errs, field.Invalid(path.Child("gates"), its.Gates, fmt.Sprintf("must be %t, because of required and quarantine of the test", want)))
	}
	if its.Outcome != "" {
		errs = append(errs, validation.Enum(its.Outcome, testOutcomes, path.Child("outcome"))...)
	}
	attempts := build.Status.Attempts
	switch number := int(its.Attempt); {
	case number == 0 && its.Outcome != "" && its.Outcome != v1alpha1.TestError: // a test that cannot be run here has no attempt
		errs = append(errs, field.Required(path.Child("attempt"), "set the number of the attempt that ran the test"))
	case number < 0, number > len(attempts), number > 0 && !slices.Contains(attempts[number-1].Tests, its.Name):
		errs = append(errs, field.Invalid(path.Child("attempt"), its.Attempt, "must be the number of an attempt that runs the test"))
	}
	for name, count := range map[string]int32{"runs": its.Runs, "passed": its.Passed, "failed": its.Failed} {
		errs = append(errs, apivalidation.ValidateNonnegativeField(int64(count), path.Child(name))...)
	}
	if its.Duration != nil {
		errs = append(errs, apivalidation.ValidateNonnegativeField(int64(its.Duration.Duration), path.Child("duration"))...)
	}
	if len(its.Message) > result.MaxTestMessage {
		errs = append(errs, field.TooLong(path.Child("message"), "", result.MaxTestMessage))
	}
	if its.Report != nil {
		errs = append(errs, validation.TestReport(its.Report, path.Child("report"))...)
	}
	return errs
}
