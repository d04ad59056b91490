// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"encoding/json"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// otherRunner is the name of a runner of tests besides that of Goldsmith.
const otherRunner = "theirs"

// testsOf returns the tests that a number stands for: none for half of the numbers.
func testsOf(choice uint32) (tests []v1alpha1.ImageTest) {
	boots := v1alpha1.ImageTest{Name: "boots", Boot: &v1alpha1.TestBoot{}}
	slow := v1alpha1.ImageTest{Name: "slow", Boot: &v1alpha1.TestBoot{}, Required: new(false), Timeout: &v1alpha1.Duration{Duration: time.Minute}}
	theirs := v1alpha1.ImageTest{Name: "theirs", Runner: &v1alpha1.TestRunner{Name: otherRunner}}
	switch choice % 8 {
	case 4:
		return []v1alpha1.ImageTest{boots}
	case 5:
		return []v1alpha1.ImageTest{slow, boots}
	case 6:
		return []v1alpha1.ImageTest{boots, slow, theirs}
	case 7:
		return []v1alpha1.ImageTest{slow}
	}
	return nil
}

// setTests replaces the tests of an Image by those that a number stands for.
func (w *environment) setTests(image *v1alpha1.Image, choice int) *v1alpha1.Image {
	w.edit(image, func(spec *v1alpha1.ImageSpec) {
		edited := &v1alpha1.Image{Spec: v1alpha1.ImageSpec{Tests: testsOf(uint32(choice))}}
		v1alpha1.SetObjectDefaults_Image(edited)
		spec.Tests = edited.Spec.Tests
	})
	edited, _ := w.images.get(image.Name)
	return edited
}

// testedBy returns the build whose tests a pod runs, and the attempt. Both are nil for a pod that makes artifacts, or whose build is gone.
func (w *environment) testedBy(pod *corev1.Pod) (*v1alpha1.ImageBuild, *v1alpha1.BuildAttempt) {
	uid, known := w.truth.owners[w.truth.pods[pod.UID].job] // unless a restore came since: the name of a Job has the UID of its build
	for _, build := range w.builds.all {
		if known && build.UID != uid {
			continue
		}
		for i := range build.Status.Attempts {
			if attempt := &build.Status.Attempts[i]; attempt.JobName == pod.Labels["batch.kubernetes.io/job-name"] && len(attempt.Tests) > 0 {
				return build, attempt
			}
		}
	}
	return nil, nil
}

// runTests lets a runner end that tells the results of its tests, and returns its message.
func (w *environment) runTests(pod *corev1.Pod, attempt *v1alpha1.BuildAttempt) string {
	truth := w.truth.pods[pod.UID]
	truth.tested = map[string]v1alpha1.TestOutcome{}
	told := result.Result{Version: result.Version, Outcome: result.OutcomeSucceeded}
	for _, name := range attempt.Tests {
		w.truth.results++
		outcome := []v1alpha1.TestOutcome{
			v1alpha1.TestPassed, v1alpha1.TestPassed, v1alpha1.TestFlaky, v1alpha1.TestError, v1alpha1.TestPassed, v1alpha1.TestFailed, v1alpha1.TestPassed,
		}[w.truth.results%7]
		truth.tested[name] = outcome
		test := result.Test{Name: name, Outcome: outcome}
		if outcome == v1alpha1.TestError && w.truth.results%2 == 0 {
			test.Class = v1alpha1.FailureConfig
		}
		told.Tests = append(told.Tests, test)
	}
	message, err := json.Marshal(told)
	if err != nil {
		panic(err)
	}
	return string(message)
}

// failTests lets a runner end with exit code 1, by which one that is not Goldsmith's tells that its tests have failed.
func (w *environment) failTests(pod *corev1.Pod, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt) {
	truth := w.truth.pods[pod.UID]
	truth.tested = map[string]v1alpha1.TestOutcome{}
	for _, name := range attempt.Tests {
		if test := inputs.FindTest(build.Spec.Tests, name); test != nil && inputs.Runner(test) == otherRunner {
			truth.tested[name] = v1alpha1.TestFailed
		}
	}
}

// checkTags checks that the publisher of a pod moves tags only after all tests that gate have passed.
func (w *environment) checkTags(pod *corev1.Pod) {
	build, attempt := w.testedBy(pod)
	if build == nil {
		return
	}
	if len(render.Tags(build, attempt.Number)) == 0 {
		return
	}
	for i := range build.Spec.Tests {
		test := &build.Spec.Tests[i]
		if !inputs.Gates(build, test) || slices.Contains(attempt.Tests, test.Name) {
			continue
		}
		if !w.truth.passed[passedTest{build.UID, test.Name}] {
			w.broken("attempt %d of %s would move tags, and test %s has not passed", attempt.Number, build.Name, test.Name)
		}
	}
	w.cover.point("tests move tags")
}

// passedTest is a test of a build.
type passedTest struct {
	build types.UID
	test  string
}

// checkTests holds the results of tests against what their runners have told.
func (w *environment) checkTests(build *v1alpha1.ImageBuild, before, after *v1alpha1.ImageBuildStatus) {
	for i := range after.Tests {
		test := &after.Tests[i]
		if test.Outcome == "" || i < len(before.Tests) && before.Tests[i].Outcome != "" {
			continue
		}
		w.cover.point("a test is " + string(test.Outcome))
		attempt := &after.Attempts[test.Attempt-1]
		var told v1alpha1.TestOutcome
		if pod := w.truth.pods[attempt.PodUID]; pod != nil {
			told = pod.tested[test.Name]
		}
		if told != test.Outcome && test.Outcome != v1alpha1.TestError {
			w.broken("%s reports test %s as %s, and attempt %d told %q", build.Name, test.Name, test.Outcome, attempt.Number, told)
		}
		if test.Outcome.Passed() {
			w.truth.passed[passedTest{build.UID, test.Name}] = true
		}
	}
}

// checkTested checks that a build that has succeeded has passed all tests that gate, by the truth.
func (w *environment) checkTested(build *v1alpha1.ImageBuild) {
	for i := range build.Spec.Tests {
		if test := &build.Spec.Tests[i]; inputs.Gates(build, test) && !w.truth.passed[passedTest{build.UID, test.Name}] {
			w.broken("%s succeeded, and test %s has not passed", build.Name, test.Name)
		}
	}
	if len(build.Spec.Tests) > 0 {
		w.cover.point("a tested build succeeds")
	}
}

// maker returns the last attempt of a build that makes artifacts. It is nil if no attempt makes artifacts.
func maker(build *v1alpha1.ImageBuild) *v1alpha1.BuildAttempt {
	for i := range slices.Backward(build.Status.Attempts) {
		if len(build.Status.Attempts[i].Tests) == 0 {
			return &build.Status.Attempts[i]
		}
	}
	return nil
}
