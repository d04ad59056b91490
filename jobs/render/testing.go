// SPDX-License-Identifier: Apache-2.0

package render

import (
	"slices"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// An attempt that runs tests has a pod like any other: its builder is the runner of the tests, and its base is the artifacts under test.

// TestsOf returns the names of the tests that an attempt runs. It is empty for an attempt that makes artifacts.
func TestsOf(build *v1alpha1.ImageBuild, attempt int32) []string {
	if attempt < 1 || int(attempt) > len(build.Status.Attempts) {
		return nil
	}
	return build.Status.Attempts[attempt-1].Tests
}

// BuilderOf returns the builder of an attempt: that of the build, or the runner of the tests.
func BuilderOf(build *v1alpha1.ImageBuild, attempt int32) v1alpha1.BuilderReference {
	if tests := testsOf(build, attempt); len(tests) > 0 {
		return v1alpha1.BuilderReference{Name: inputs.Runner(&tests[0])}
	}
	return build.Spec.Inputs.Builder
}

// RunLimit returns how long the pod of an attempt may run.
func RunLimit(build *v1alpha1.ImageBuild, attempt int32) time.Duration {
	if tests := testsOf(build, attempt); len(tests) > 0 {
		return testLimit(tests)
	}
	return build.Spec.Timeouts.Run.Duration
}

const (
	// emulation is how many times longer a test may take if the machine emulates the processor.
	emulation = 4
	// testOverhead is how long the runner may take beside its tests, for example to copy disks.
	testOverhead = 5 * time.Minute
	// maxTestLimit is the longest time of all tests of an attempt.
	maxTestLimit = 7 * 24 * time.Hour
)

// testLimit returns how long tests may take that run one after the other, each as often as it may.
func testLimit(tests []v1alpha1.ImageTest) time.Duration {
	limit := testOverhead
	for i := range tests {
		runs := time.Duration(1)
		if flaky := tests[i].Flaky; flaky != nil {
			runs = time.Duration(flaky.Attempts)
		}
		limit += emulation * runs * tests[i].Timeout.Duration
	}
	return min(limit, maxTestLimit)
}

// testsOf returns the tests that an attempt runs, each with its target. It is empty for an attempt that makes artifacts.
func testsOf(build *v1alpha1.ImageBuild, attempt int32) (tests []v1alpha1.ImageTest) {
	for _, name := range TestsOf(build, attempt) {
		if test := inputs.FindTest(build.Spec.Tests, name); test != nil {
			test = test.DeepCopy()
			v1alpha1.SetDefaults_ImageTest(test)
			test.Target = inputs.TestTarget(test, build.Spec.Inputs.Targets)
			tests = append(tests, *test)
		}
	}
	return tests
}

// basisOf returns the build with the artifacts that an attempt starts from: its own if it runs tests, because tags name all of them, or those of the
// base. It is nil if there are none.
func basisOf(build *v1alpha1.ImageBuild, attempt int32) *v1alpha1.BaseBuild {
	switch {
	case len(testsOf(build, attempt)) > 0:
		return &v1alpha1.BaseBuild{Name: build.Name, Artifacts: build.Status.Artifacts}
	case build.Status.Resolved == nil:
		return nil
	}
	return build.Status.Resolved.Base
}

// reads reports whether the builder of an attempt reads an artifact that the attempt starts from. A runner of tests reads only those under test.
func reads(tests []v1alpha1.ImageTest, artifact *v1alpha1.Artifact) bool {
	return len(tests) == 0 || slices.ContainsFunc(tests, func(test v1alpha1.ImageTest) bool { return test.Target == artifact.Target })
}

// published reports whether Goldsmith has published the artifact of a target in the repository of the output of a build.
func published(build *v1alpha1.ImageBuild, target string) bool {
	return slices.ContainsFunc(build.Status.Artifacts, func(artifact v1alpha1.Artifact) bool {
		return artifact.Target == target && artifact.Verified == v1alpha1.ArtifactVerifiedContent && strings.HasPrefix(artifact.Location, build.Spec.Inputs.Output.Repository+"@")
	})
}

// signed reports whether all artifacts of a build have statements that are signed.
func signed(build *v1alpha1.ImageBuild) bool {
	for i := range build.Status.Artifacts {
		its := attestation.Find(&build.Status, build.Status.Artifacts[i].Target)
		if its == nil || len(its.Statements) == 0 || slices.ContainsFunc(its.Statements, func(statement v1alpha1.AttestedStatement) bool { return len(statement.Signatures) == 0 }) {
			return false
		}
	}
	return true
}

// Gates returns the names of the tests of an attempt without which the build cannot succeed.
func Gates(build *v1alpha1.ImageBuild, attempt int32) (names []string) {
	for _, test := range testsOf(build, attempt) {
		if inputs.Gates(build, &test) {
			names = append(names, test.Name)
		}
	}
	return names
}

// movesTags reports whether an attempt moves tags if it succeeds: it makes artifacts that no test gates, or it runs the last tests that gate. If none of
// the tests gates, of artifacts that are tested again, any attempt does: the tests may have gated before.
func movesTags(build *v1alpha1.ImageBuild, attempt int32) bool {
	running, gated := TestsOf(build, attempt), false
	for i := range build.Spec.Tests {
		test := &build.Spec.Tests[i]
		gates := inputs.Gates(build, test)
		gated = gated || gates
		if !gates || slices.Contains(running, test.Name) {
			continue
		}
		if at := slices.IndexFunc(build.Status.Tests, func(known v1alpha1.TestStatus) bool { return known.Name == test.Name }); at < 0 || !build.Status.Tests[at].Outcome.Passed() {
			return false
		}
	}
	return len(running) == 0 || len(Gates(build, attempt)) > 0 || build.Spec.Retests != nil && !gated
}
