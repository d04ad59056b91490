// SPDX-License-Identifier: Apache-2.0

package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// testedBuild is a build with four tests: two of Goldsmith's, of which one is not required, and two of other runners.
func testedBuild() *scenario {
	w := given(v1alpha1.BuildRunning).recorded()
	w.Build.Spec.Tests = []v1alpha1.ImageTest{
		{Name: "extra", Runner: &v1alpha1.TestRunner{Name: "theirs"}, Required: new(false)},
		{Name: "boots", Boot: &v1alpha1.TestBoot{}},
		{Name: "slow", Boot: &v1alpha1.TestBoot{}, Required: new(false)},
		{Name: "ours", Runner: &v1alpha1.TestRunner{Name: "ours"}},
	}
	v1alpha1.SetObjectDefaults_ImageBuild(w.Build)
	return w
}

// steps lets a build go on until it waits for its pod, or has finished.
func (w *scenario) steps(t *testing.T) {
	t.Helper()
	for range 10 {
		decision := Next(w.Observed)
		if cmp.Equal(decision.Status, w.Build.Status) {
			return
		}
		w.Build.Status = decision.Status
		if len(w.Build.Status.Attempts) == 0 {
			continue
		}
		if last := w.current(); last.Outcome == "" && last.JobUID == "" { // a new attempt
			w.Job, w.Pod, w.Living = nil, nil, nil
		}
	}
	t.Fatal("the status changes without end")
}

// runs lets the pod of the current attempt end, and the time of a backoff pass.
func (w *scenario) runs(t *testing.T, end func(*corev1.Pod)) {
	t.Helper()
	w.job().pod(corev1.PodRunning, running())
	w.steps(t)
	phase := corev1.PodSucceeded
	w.pod(phase, end)
	if terminated(w.Pod).ExitCode != 0 {
		w.Pod.Status.Phase = corev1.PodFailed
	}
	w.steps(t)
	if w.current().Outcome != "" && !w.Build.Status.Finished {
		w.Now = w.Now.Add(time.Hour)
		w.steps(t)
	}
}

// found is the result of a runner: NAME=OUTCOME, with a message for those that did not pass.
func found(results ...string) func(*corev1.Pod) {
	var tests []string
	for _, result := range results {
		name, outcome, _ := strings.Cut(result, "=")
		message := ""
		if outcome != "Passed" && outcome != "Flaky" {
			message = `,"message":"no ` + name + `"`
		}
		class := ""
		if outcome == "Config" {
			outcome, class = "Error", `,"class":"Config"`
		}
		tests = append(tests, fmt.Sprintf(`{"name":%q,"outcome":%q%s%s}`, name, outcome, message, class))
	}
	return exited(0, `{"version":1,"outcome":"Succeeded","tests":[`+strings.Join(tests, ",")+`]}`)
}

// outcomes returns the outcomes of the tests, with the attempt that ran each.
func (w *scenario) outcomes() (all []string) {
	for _, test := range w.Build.Status.Tests {
		all = append(all, fmt.Sprintf("%s=%s/%d", test.Name, test.Outcome, test.Attempt))
	}
	return all
}

func TestTests(t *testing.T) {
	made := exited(0, goodResult)
	lost := func(pod *corev1.Pod) {
		exited(137, "")(pod)
		podReason("Evicted")(pod)
	}
	for title, test := range map[string]struct {
		ends     []func(*corev1.Pod) // of the attempts
		attempts []string            // the tests of each
		want     string              // the phase, the reason of the failure, and that of the condition Tested
		outcomes []string
		message  string // part of that of the failure or of the condition Tested
	}{
		"all pass": {
			ends:     []func(*corev1.Pod){made, found("boots=Passed", "slow=Passed"), found("ours=Flaky"), found("extra=Passed")},
			attempts: []string{"", "boots slow", "ours", "extra"},
			want:     "Succeeded//TestsPassed", outcomes: []string{"extra=Passed/4", "boots=Passed/2", "slow=Passed/2", "ours=Flaky/3"},
		},
		"one fails, and the others run all the same": {
			ends:     []func(*corev1.Pod){made, found("boots=Failed", "slow=Passed"), found("ours=Passed"), found("extra=Passed")},
			attempts: []string{"", "boots slow", "ours", "extra"},
			want:     "Failed/TestsFailed/TestsFailed", outcomes: []string{"extra=Passed/4", "boots=Failed/2", "slow=Passed/2", "ours=Passed/3"}, message: "test boots: no boots",
		},
		"two fail alike": {
			ends:     []func(*corev1.Pod){made, found("boots=Failed", "slow=Passed"), found("ours=Failed"), found("extra=Passed")},
			attempts: []string{"", "boots slow", "ours", "extra"},
			want:     "Failed/TestsFailed/TestsFailed", outcomes: []string{"extra=Passed/4", "boots=Failed/2", "slow=Passed/2", "ours=Failed/3"},
			message: "2 tests failed, such as boots: no boots",
		},
		"those that are not required do not pass": {
			ends:     []func(*corev1.Pod){made, found("boots=Passed", "slow=Failed"), found("ours=Passed"), exited(1, "")},
			attempts: []string{"", "boots slow", "ours", "extra"},
			want:     "Succeeded//TestsPassed", outcomes: []string{"extra=Failed/4", "boots=Passed/2", "slow=Failed/2", "ours=Passed/3"},
			message: "2 tests that are not required did not pass: extra: the runner ended with exit code 1; slow: no slow",
		},
		"a machine starves, and only what it did not tell runs again": {
			ends:     []func(*corev1.Pod){made, found("boots=Error", "slow=Passed"), found("boots=Passed"), found("ours=Passed"), found("extra=Passed")},
			attempts: []string{"", "boots slow", "boots", "ours", "extra"},
			want:     "Succeeded//TestsPassed", outcomes: []string{"extra=Passed/5", "boots=Passed/3", "slow=Passed/2", "ours=Passed/4"},
		},
		"a machine starves each time": {
			ends:     []func(*corev1.Pod){made, found("boots=Error", "slow=Error"), found("boots=Error"), found("boots=Error"), found("ours=Passed"), found("extra=Passed")},
			attempts: []string{"", "boots slow", "boots", "boots", "ours", "extra"},
			want:     "Failed/TestMachineFailed/TestsNotRun", outcomes: []string{"extra=Passed/6", "boots=Error/4", "slow=Error/2", "ours=Passed/5"}, message: "test boots: no boots",
		},
		"that counts less than a failed test": {
			ends:     []func(*corev1.Pod){made, found("boots=Error", "slow=Passed"), found("boots=Failed"), found("ours=Error"), found("extra=Passed")},
			attempts: []string{"", "boots slow", "boots", "ours", "extra"},
			want:     "Failed/TestsFailed/TestsFailed", outcomes: []string{"extra=Passed/5", "boots=Failed/3", "slow=Passed/2", "ours=Error/4"},
		},
		"a pod is lost, and its tests run again": {
			ends:     []func(*corev1.Pod){made, lost, found("boots=Passed", "slow=Passed"), found("ours=Passed"), found("extra=Passed")},
			attempts: []string{"", "boots slow", "boots slow", "ours", "extra"},
			want:     "Succeeded//TestsPassed", outcomes: []string{"extra=Passed/5", "boots=Passed/3", "slow=Passed/3", "ours=Passed/4"},
		},
		"disruptions of the attempts before do not count": {
			ends: append(slices.Repeat([]func(*corev1.Pod){lost}, 9), append([]func(*corev1.Pod){made}, append(slices.Repeat([]func(*corev1.Pod){lost}, 9),
				found("boots=Passed", "slow=Passed"), found("ours=Passed"), found("extra=Passed"))...)...),
			attempts: append(slices.Repeat([]string{""}, 10), append(slices.Repeat([]string{"boots slow"}, 10), "ours", "extra")...),
			want:     "Succeeded//TestsPassed", outcomes: []string{"extra=Passed/22", "boots=Passed/20", "slow=Passed/20", "ours=Passed/21"},
		},
		"goss is missing": {
			ends:     []func(*corev1.Pod){made, found("boots=Config", "slow=Passed"), found("ours=Passed"), found("extra=Passed")},
			attempts: []string{"", "boots slow", "ours", "extra"},
			want:     "Failed/TestsNotPossible/TestsNotRun", outcomes: []string{"extra=Passed/4", "boots=Error/2", "slow=Passed/2", "ours=Passed/3"}, message: "test boots: no boots",
		},
		"the runner leaves out a test": {
			ends:     []func(*corev1.Pod){made, found("boots=Passed"), found("ours=Passed"), found("extra=Passed")},
			attempts: []string{"", "boots slow", "ours", "extra"},
			want:     "Failed/InvalidResult/TestsNotRun", outcomes: []string{"extra=Passed/4", "boots=Error/2", "slow=Error/2", "ours=Passed/3"}, message: `no result of test "slow"`,
		},
		"the runner that is not required fails for ever": {
			ends:     []func(*corev1.Pod){made, found("boots=Passed", "slow=Passed"), found("ours=Passed"), exited(75, ""), exited(75, ""), exited(75, "")},
			attempts: []string{"", "boots slow", "ours", "extra", "extra", "extra"},
			want:     "Succeeded//TestsPassed", outcomes: []string{"extra=Error/6", "boots=Passed/2", "slow=Passed/2", "ours=Passed/3"}, message: "extra: no result: the runner ended with exit code 75",
		},
		"the program of Goldsmith dies": {
			ends:     []func(*corev1.Pod){made, exited(2, ""), found("boots=Passed", "slow=Passed"), found("ours=Passed"), found("extra=Passed")},
			attempts: []string{"", "boots slow", "boots slow", "ours", "extra"},
			want:     "Succeeded//TestsPassed", outcomes: []string{"extra=Passed/5", "boots=Passed/3", "slow=Passed/3", "ours=Passed/4"},
		},
	} {
		t.Run(title, func(t *testing.T) {
			w := testedBuild()
			for i, end := range test.ends {
				if w.Build.Status.Finished || w.current().Outcome != "" {
					t.Fatalf("after %d attempts, phase %s: no attempt runs", i, w.Build.Status.Phase)
				}
				w.runs(t, end)
				if len(w.Build.Status.Artifacts) > 0 == (w.Build.Status.Phase == v1alpha1.BuildRetrying || w.Build.Status.Phase == v1alpha1.BuildStarting) {
					t.Errorf("phase %s has %d artifacts", w.Build.Status.Phase, len(w.Build.Status.Artifacts))
				}
				if i+1 == len(test.attempts) && w.Build.Status.Finished {
					break
				}
			}
			status := &w.Build.Status
			reason, tested := v1alpha1.FailureReason(""), meta.FindStatusCondition(status.Conditions, v1alpha1.BuildTested)
			message := tested.Message
			if status.Failure != nil {
				reason, message = status.Failure.Reason, status.Failure.Message
			}
			if got := fmt.Sprintf("%s/%s/%s", status.Phase, reason, tested.Reason); got != test.want || !strings.Contains(message, test.message) {
				t.Errorf("got %s: %s", got, message)
			}
			var attempts []string
			for _, attempt := range status.Attempts {
				attempts = append(attempts, strings.Join(attempt.Tests, " "))
			}
			if diff := cmp.Diff(test.attempts, attempts) + cmp.Diff(test.outcomes, w.outcomes()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheTestsOfABuildEndWithIt(t *testing.T) {
	w := testedBuild()
	w.runs(t, exited(0, goodResult))
	w.job().pod(corev1.PodRunning, running())
	w.steps(t)
	w.cancelRequested().steps(t)
	if w.Build.Status.Phase != v1alpha1.BuildCancelling {
		t.Fatalf("phase %s", w.Build.Status.Phase)
	}
	w.pod(corev1.PodSucceeded, found("boots=Failed", "slow=Passed"))
	w.steps(t)
	if tested := meta.FindStatusCondition(w.Build.Status.Conditions, v1alpha1.BuildTested); w.Build.Status.Phase != v1alpha1.BuildCancelled || tested.Reason != v1alpha1.ReasonTestsNotRun {
		t.Errorf("phase %s, condition Tested %v", w.Build.Status.Phase, tested)
	}
}

func TestTestsThatMovedTagsSucceedThoughTheBuildWasCancelled(t *testing.T) {
	w := testedBuild()
	w.Build.Spec.Tests = w.Build.Spec.Tests[1:2]
	w.runs(t, exited(0, goodResult))
	w.job().pod(corev1.PodRunning, running())
	w.steps(t)
	w.cancelRequested().steps(t)
	w.pod(corev1.PodSucceeded, found("boots=Passed"))
	w.steps(t)
	if w.Build.Status.Phase != v1alpha1.BuildSucceeded {
		t.Errorf("phase %s", w.Build.Status.Phase)
	}
}

func TestABuildThatOnlyTestsMakesNothing(t *testing.T) {
	for title, test := range map[string]struct {
		tests []v1alpha1.ImageTest
		end   func(*corev1.Pod)
		want  v1alpha1.BuildPhase
	}{
		"that pass":    {[]v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}}}, found("boots=Passed"), v1alpha1.BuildSucceeded},
		"that fail":    {[]v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}}}, found("boots=Failed"), v1alpha1.BuildFailed},
		"without test": {nil, nil, v1alpha1.BuildSucceeded},
	} {
		t.Run(title, func(t *testing.T) {
			w := given(v1alpha1.BuildQueued)
			w.Build.Spec.Tests = test.tests
			w.Build.Spec.Retests = &v1alpha1.TestedBuild{Name: "debian-1", UID: "earlier", Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: goodDigest}}}
			v1alpha1.SetObjectDefaults_ImageBuild(w.Build)
			w.Resolved, w.Admission.Admitted = resolved, true
			for range 3 {
				w.Build.Status = Next(w.Observed).Status
			}
			if test.end != nil {
				if attempts := w.Build.Status.Attempts; len(attempts) != 1 || len(attempts[0].Tests) != 1 {
					t.Fatalf("attempts %+v", attempts)
				}
				w.runs(t, test.end)
			}
			if status := w.Build.Status; status.Phase != test.want || len(status.Artifacts) != 1 || status.StartTime == nil {
				t.Errorf("got %+v", status)
			}
		})
	}
}

// waitsForWorker lets the pod of a test wait.
func (w *scenario) waitsForWorker(t *testing.T) {
	t.Helper()
	w.job().pod(corev1.PodPending, func(pod *corev1.Pod) {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForWorker}}
	})
	w.steps(t)
}

func TestATestThatWaitsForItsWorkerIsStillTesting(t *testing.T) {
	w := testedBuild()
	w.runs(t, exited(0, goodResult))
	w.waitsForWorker(t)
	if admitted := meta.IsStatusConditionTrue(w.Build.Status.Conditions, v1alpha1.BuildAdmitted); w.Build.Status.Phase != v1alpha1.BuildTesting || admitted {
		t.Errorf("phase %s, admitted %t", w.Build.Status.Phase, admitted)
	}
	w.runs(t, found("boots=Passed", "slow=Passed"))
	if got := w.outcomes()[1]; got != "boots=Passed/2" || !meta.IsStatusConditionTrue(w.Build.Status.Conditions, v1alpha1.BuildAdmitted) {
		t.Errorf("got %s", got)
	}
}

func TestATestThatWaitsTooLongIsNotRunAgain(t *testing.T) {
	w := testedBuild()
	w.Build.Spec.Retry.Classes = []v1alpha1.FailureClass{v1alpha1.FailureTimeout}
	w.runs(t, exited(0, goodResult))
	w.waitsForWorker(t)
	w.Now = w.Now.Add(v1alpha1.DefaultQueueTimeout + rounding)
	w.steps(t)
	if got := w.outcomes()[1]; !strings.HasPrefix(got, "boots=Error/2") {
		t.Errorf("got %s", got)
	}
}

func TestATestInQuarantineDoesNotGate(t *testing.T) {
	for _, until := range []time.Duration{-time.Second, time.Second} {
		w := testedBuild()
		w.Build.Spec.Tests = w.Build.Spec.Tests[1:2]
		w.Build.Spec.Tests[0].Quarantine = &v1alpha1.TestQuarantine{Until: metav1.NewTime(t0.Add(until))}
		w.runs(t, exited(0, goodResult))
		w.runs(t, found("boots=Failed"))
		want := v1alpha1.BuildFailed
		if until > 0 {
			want = v1alpha1.BuildSucceeded
		}
		if w.Build.Status.Phase != want {
			t.Errorf("until %s: phase %s", until, w.Build.Status.Phase)
		}
	}
}
