// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Tester is the name of the registered builder that runs tests without a runner of their own.
const Tester = "tester"

// TestsDigest returns the digest of tests, with their defaults, or "" if there are none. Neither their order counts nor another text for the
// same duration or quantity, nor the reason of a quarantine. The digest of the inputs does not depend on tests.
func TestsDigest(tests []v1alpha1.ImageTest) string {
	if len(tests) == 0 {
		return ""
	}
	given := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{Tests: tests}}
	counted := given.DeepCopy()
	v1alpha1.SetObjectDefaults_ImageBuild(counted)
	tests = counted.Spec.Tests
	for i := range tests {
		test := &tests[i]
		test.Timeout.Written = ""
		if test.Boot != nil && validQuantity(test.Boot.Memory) {
			*test.Boot.Memory = v1alpha1.NewQuantity(test.Boot.Memory.Amount())
		}
		if test.Quarantine != nil {
			test.Quarantine.Reason = ""
		}
	}
	slices.SortStableFunc(tests, func(a, b v1alpha1.ImageTest) int { return strings.Compare(a.Name, b.Name) })
	return contents.Digest(mustCanonicalJSON(tests))
}

// SameTest reports whether a build ran a test as an Image declares it now: whatever decides the outcome of the test is equal, with the artifact that is tested,
// the environment of a runner, and a file that the test reads. resolved are the inputs that the Image resolves to, or nil: then nobody knows a file of a
// ConfigMap. Whether the test is required does not decide its outcome.
func SameTest(build *v1alpha1.ImageBuild, image *v1alpha1.ImageSpec, resolved *v1alpha1.ResolvedInputs, name string) bool {
	ran, declared := FindTest(build.Spec.Tests, name), FindTest(image.Tests, name)
	if ran == nil || declared == nil {
		return ran == declared
	}
	counted := func(test v1alpha1.ImageTest, targets []v1alpha1.Target) string {
		test.Required, test.Quarantine = nil, nil
		test.Target = cmp.Or(TestTarget(&test, targets), test.Target)
		return TestsDigest([]v1alpha1.ImageTest{test})
	}
	if counted(*ran, build.Spec.Inputs.Targets) != counted(*declared, image.Targets) {
		return false
	}
	if declared.Runner != nil && !equality.Semantic.DeepEqual(environment(&build.Spec.Inputs), environment(&image.BuildInputs)) {
		return false
	}
	now, known := Files(image.BuildInputs, resolved)[declared.Goss]
	then, was := Files(build.Spec.Inputs, build.Status.Resolved)[declared.Goss]
	return declared.Goss == "" || !known || !was || now == then
}

// environment returns the environment of the pods of inputs.
func environment(of *v1alpha1.BuildInputs) []corev1.EnvVar {
	if of.Template == nil {
		return nil
	}
	return of.Template.Env
}

func validQuantity(quantity *v1alpha1.Quantity) bool {
	if quantity == nil {
		return false
	}
	_, err := quantity.Parse()
	return err == nil
}

// Runner returns the name of the registered builder that runs a test.
func Runner(test *v1alpha1.ImageTest) string {
	if test.Runner != nil {
		return test.Runner.Name
	}
	return Tester
}

// Gates reports whether a build can succeed only if a test passes. It depends on nothing that changes after the creation of the build.
func Gates(build *v1alpha1.ImageBuild, test *v1alpha1.ImageTest) bool {
	quarantined := test.Quarantine != nil && build.CreationTimestamp.Before(&test.Quarantine.Until)
	return (test.Required == nil || *test.Required) && !quarantined
}

// TestTarget returns the name of the target that a test tests, or "" if no target fits.
func TestTarget(test *v1alpha1.ImageTest, targets []v1alpha1.Target) string {
	best := ""
	for _, target := range targets {
		name := target.Platform + "/" + string(target.Format)
		switch {
		case test.Target != "" && test.Target != name:
		case test.Runner != nil:
			return name
		case !bootable(target):
		case target.Format == v1alpha1.ArtifactFormatQCOW2:
			return name
		case best == "":
			best = name
		}
	}
	return best
}

// bootable reports whether the artifact of a target is a disk for amd64.
func bootable(target v1alpha1.Target) bool {
	return (target.Format == v1alpha1.ArtifactFormatRaw || target.Format == v1alpha1.ArtifactFormatQCOW2) &&
		slices.Contains(strings.Split(target.Platform, "/"), "amd64")
}

// FindTest returns the test of a name, or nil.
func FindTest(tests []v1alpha1.ImageTest, name string) *v1alpha1.ImageTest {
	at := slices.IndexFunc(tests, func(test v1alpha1.ImageTest) bool { return test.Name == name })
	if at < 0 {
		return nil
	}
	return &tests[at]
}

// NoRunner returns the failure of a build with a test whose runner is not registered. Another reason than that of a build whose own builder is not
// registered, because the inputs of the build resolve, and would be built again and again.
func NoRunner(test string, missing *v1alpha1.BuildFailure) *v1alpha1.BuildFailure {
	return v1alpha1.ReasonTestsNotPossible.Failure("the runner of test %s is missing: %s", test, missing.Message)
}

// CheckTests returns why the tests without which a build cannot succeed cannot run here. It is nil if they can.
func (b Builders) CheckTests(build *v1alpha1.ImageBuild) *v1alpha1.BuildFailure {
	for i := range build.Spec.Tests {
		test := &build.Spec.Tests[i]
		if !Gates(build, test) {
			continue
		}
		if _, failure := b.Lookup(v1alpha1.BuilderReference{Name: Runner(test)}); failure != nil {
			return NoRunner(test.Name, failure)
		}
		if !b.Publisher.Agent && build.Spec.Inputs.Output == nil {
			return v1alpha1.ReasonTestsNotPossible.Failure(
				"test %s needs spec.output: in a cluster the artifacts are tested after they are published, and are deleted with their pod otherwise", test.Name)
		}
	}
	return nil
}
