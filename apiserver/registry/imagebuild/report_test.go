// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// codeOf is the HTTP status of an error, 0 if there is none.
func codeOf(err error) int32 {
	if err == nil {
		return 0
	}
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return -1
	}
	return status.Status().Code
}

func TestWhoMayReport(t *testing.T) {
	first := v1alpha1.BuildAttempt{Number: 1, PodName: "pod-1", PodUID: "first", Outcome: v1alpha1.AttemptFailed}
	second := v1alpha1.BuildAttempt{Number: 2, PodName: "pod-2", PodUID: "second"}
	unbound := v1alpha1.BuildAttempt{Number: 2}
	for name, test := range map[string]struct {
		phase    v1alpha1.BuildPhase
		attempts []v1alpha1.BuildAttempt
		pod      string
		code     int32
		message  string
	}{
		"the current attempt's pod":                  {v1alpha1.BuildRunning, []v1alpha1.BuildAttempt{first, second}, "second", 0, ""},
		"the current attempt's pod, which is to end": {v1alpha1.BuildCancelling, []v1alpha1.BuildAttempt{first, second}, "second", 0, ""},
		"an earlier attempt's pod":                   {v1alpha1.BuildRunning, []v1alpha1.BuildAttempt{first, second}, "first", 403, "pod pod-1 belongs to attempt 1, which has ended: the current attempt is 2"},
		"an earlier one's, before the pod is known":  {v1alpha1.BuildStarting, []v1alpha1.BuildAttempt{first, unbound}, "first", 403, "belongs to attempt 1, which has ended"},
		"a stranger's pod":                           {v1alpha1.BuildRunning, []v1alpha1.BuildAttempt{first, second}, "stranger", 403, "only the build's own pod may report"},
		"a pod that is not recorded yet":             {v1alpha1.BuildStarting, []v1alpha1.BuildAttempt{first, unbound}, "second", 503, "the pod of attempt 2 of imagebuild \"once\" is not recorded yet"},
		"a pod that Kueue has taken back":            {v1alpha1.BuildQueued, []v1alpha1.BuildAttempt{unbound}, "second", 503, "not recorded yet"},
		"between two attempts":                       {v1alpha1.BuildRetrying, []v1alpha1.BuildAttempt{first}, "first", 409, "attempt 1 has ended"},
		"a stranger's pod, between two attempts":     {v1alpha1.BuildRetrying, []v1alpha1.BuildAttempt{first}, "stranger", 403, "only the build's own pod may report"},
		"a build that has finished":                  {v1alpha1.BuildSucceeded, []v1alpha1.BuildAttempt{{Number: 1, PodUID: "first", Outcome: v1alpha1.AttemptSucceeded}}, "first", 409, "has ended"},
		"a build that has finished without a pod":    {v1alpha1.BuildCancelled, []v1alpha1.BuildAttempt{{Number: 1, Outcome: v1alpha1.AttemptCancelled}}, "first", 403, "only the build's own pod may report"},
		"a build that nobody has begun with":         {v1alpha1.BuildPending, nil, "stranger", 403, "only the build's own pod may report"},
		"a build that was cancelled before it began": {v1alpha1.BuildCancelled, nil, "stranger", 403, "only the build's own pod may report"},
	} {
		t.Run(name, func(t *testing.T) {
			build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "once"}}
			build.Status.Phase, build.Status.Attempts = test.phase, test.attempts
			if n := len(test.attempts); n > 0 {
				build.Status.CurrentAttempt = test.attempts[n-1].Number
			}
			number, err := reportOfPod.attempt(build, types.UID(test.pod))
			if codeOf(err) != test.code || err != nil && !strings.Contains(err.Error(), test.message) {
				t.Fatalf("got %v, want %d %s", err, test.code, test.message)
			}
			if err == nil && number != build.Status.CurrentAttempt {
				t.Errorf("it is attempt %d", number)
			}
			if delay, again := apierrors.SuggestsClientDelay(err); test.code == http.StatusServiceUnavailable && (!again || delay != 1) {
				t.Errorf("it does not say when to report again: %v", err)
			}
		})
	}
}

var reportTime = time.Date(2030, 1, 2, 3, 4, 5, 678901234, time.UTC)

func reported(attempt int32, stage string, percent *int32, message string, ago time.Duration) *v1alpha1.BuildProgress {
	return &v1alpha1.BuildProgress{Stage: stage, Percent: percent, Message: message, Attempt: attempt,
		Time: metav1.NewMicroTime(reportTime.Add(-ago).Truncate(time.Microsecond))}
}

func stage(name string, began time.Duration, ended ...time.Duration) v1alpha1.BuildStage {
	at := func(ago time.Duration) metav1.Time { return metav1.NewTime(reportTime.Add(-ago).Truncate(time.Second)) }
	stage := v1alpha1.BuildStage{Name: name, StartTime: at(began)}
	if len(ended) > 0 {
		stage.CompletionTime = new(at(ended[0]))
	}
	return stage
}

func TestWhatAReportChanges(t *testing.T) {
	full := make([]v1alpha1.BuildStage, 0, maxStages)
	for i := range maxStages {
		full = append(full, stage(fmt.Sprint("s", i), time.Minute))
	}
	for name, test := range map[string]struct {
		progress *v1alpha1.BuildProgress
		stages   []v1alpha1.BuildStage
		report   v1alpha1.BuildReport

		wantProgress *v1alpha1.BuildProgress
		wantStages   []v1alpha1.BuildStage
		code         int32
		message      string
	}{
		"the first": {
			report:       v1alpha1.BuildReport{Stage: "a", Percent: new(int32(0)), Message: "m"},
			wantProgress: reported(2, "a", new(int32(0)), "m", 0), wantStages: []v1alpha1.BuildStage{stage("a", 0)},
		},
		"one without a stage":   {report: v1alpha1.BuildReport{Message: "m"}, wantProgress: reported(2, "", nil, "m", 0)},
		"one with a password":   {report: v1alpha1.BuildReport{Message: "get http://me:secret@host"}, wantProgress: reported(2, "", nil, "get http://[hidden]@host", 0)},
		"one that says nothing": {wantProgress: reported(2, "", nil, "", 0)},
		"of the same stage": {
			progress: reported(2, "a", new(int32(10)), "", time.Second), stages: []v1alpha1.BuildStage{stage("a", time.Minute)},
			report:       v1alpha1.BuildReport{Percent: new(int32(20))},
			wantProgress: reported(2, "a", new(int32(20)), "", 0), wantStages: []v1alpha1.BuildStage{stage("a", time.Minute)},
		},
		"of the next stage": {
			progress: reported(2, "a", nil, "m", time.Second), stages: []v1alpha1.BuildStage{stage("a", time.Minute)},
			report:       v1alpha1.BuildReport{Stage: "b"},
			wantProgress: reported(2, "b", nil, "", 0), wantStages: []v1alpha1.BuildStage{stage("a", time.Minute, 0), stage("b", 0)},
		},
		"the same again": {
			progress: reported(2, "a", new(int32(10)), "m", 0), stages: []v1alpha1.BuildStage{stage("a", time.Minute)},
			report:       v1alpha1.BuildReport{Percent: new(int32(10)), Message: "m"},
			wantProgress: reported(2, "a", new(int32(10)), "m", 0), wantStages: []v1alpha1.BuildStage{stage("a", time.Minute)},
		},
		"the next attempt's, however soon": {
			progress: reported(1, "b", new(int32(10)), "m", 0), stages: []v1alpha1.BuildStage{stage("a", time.Minute, 0), stage("b", 0)},
			report:       v1alpha1.BuildReport{Stage: "a"},
			wantProgress: reported(2, "a", nil, "", 0), wantStages: []v1alpha1.BuildStage{stage("a", 0)},
		},
		"too soon": {
			progress: reported(2, "a", nil, "", 999*time.Millisecond), report: v1alpha1.BuildReport{Stage: "b"},
			code: 429, message: "less than 1s old",
		},
		"too soon, by a clock that is late": {
			progress: reported(2, "a", nil, "", -900*time.Millisecond), report: v1alpha1.BuildReport{Stage: "b"},
			code: 429, message: "less than 1s old",
		},
		"after the clock was set back": {
			progress: reported(2, "a", nil, "", -time.Hour), report: v1alpha1.BuildReport{Message: "m"},
			wantProgress: reported(2, "a", nil, "m", 0), wantStages: []v1alpha1.BuildStage{stage("a", 0)},
		},
		"of a stage that was left": {
			progress: reported(2, "b", nil, "", time.Minute), stages: []v1alpha1.BuildStage{stage("a", time.Hour, time.Minute), stage("b", time.Minute)},
			report: v1alpha1.BuildReport{Stage: "a"},
			code:   422, message: `stage: Invalid value: "a": this stage ended when stage "b" began`,
		},
		"of one stage too many": {
			progress: reported(2, "s31", nil, "", time.Minute), stages: full, report: v1alpha1.BuildReport{Stage: "more"},
			code: 422, message: `stage: Invalid value: "more": an attempt has at most 32 stages`,
		},
		"in the last stage that there may be": {
			progress: reported(2, "s31", nil, "", time.Minute), stages: full, report: v1alpha1.BuildReport{Message: "m"},
			wantProgress: reported(2, "s31", nil, "m", 0), wantStages: full,
		},
	} {
		t.Run(name, func(t *testing.T) {
			build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "once"}}
			build.Status.Progress, build.Status.Stages = test.progress, test.stages
			err := takeReport(build.DeepCopy(), 2, &test.report, reportTime)
			if codeOf(err) != test.code || err != nil && !strings.Contains(err.Error(), test.message) {
				t.Fatalf("got %v, want %d %s", err, test.code, test.message)
			}
			if delay, again := apierrors.SuggestsClientDelay(err); test.code == http.StatusTooManyRequests && (!again || delay != 1) {
				t.Errorf("it does not say when to report again: %v", err)
			}
			if err != nil {
				return
			}
			require.NoError(t, takeReport(build, 2, &test.report, reportTime))
			if diff := cmp.Diff(test.wantProgress, build.Status.Progress); diff != "" {
				t.Errorf("progress (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.wantStages, build.Status.Stages); diff != "" {
				t.Errorf("stages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReportsOfALargeBuildAreRarer(t *testing.T) {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "large"}}
	build.Spec.Inputs.Parameters = []v1alpha1.Parameter{{Name: "a", Value: strings.Repeat("x", 5*reportedBytes)}}
	build.Annotations = map[string]string{"a": strings.Repeat("x", 5*reportedBytes)}
	for age, delay := range map[time.Duration]int{2500 * time.Millisecond: 8, 9999 * time.Millisecond: 1, 10 * time.Second: 0} {
		build.Status.Progress, build.Status.Stages = reported(2, "a", nil, "", age), []v1alpha1.BuildStage{stage("a", time.Minute)}
		err := takeReport(build, 2, &v1alpha1.BuildReport{Message: "m"}, reportTime)
		if got, _ := apierrors.SuggestsClientDelay(err); got != delay || (err == nil) != (delay == 0) {
			t.Errorf("a report %v after the last one: got %v, want a delay of %d s", age, err, delay)
		}
	}
}

func TestWhatIsNoReport(t *testing.T) {
	for message, report := range map[string]v1alpha1.BuildReport{
		`metadata.name: Invalid value: "other"`:                          {ObjectMeta: metav1.ObjectMeta{Name: "other"}},
		`percent: Invalid value: 101: must be less than or equal to 100`: {Percent: new(int32(101))},
		`percent: Invalid value: -1: must be greater than or equal to 0`: {Percent: new(int32(-1))},
		"stage: Too long: may not be more than 63 characters":            {Stage: strings.Repeat("ü", 64)},
		`stage: Invalid value: "a\nb": must be one line of printable characters: remove control characters, and characters that are invisible or change the direction of text`: {Stage: "a\nb"},
		"message: Too long: may not be more than 1024 characters": {Message: strings.Repeat("m", 1025)},
		`message: Invalid value: "\x1b[2J": must be one line of printable characters: remove control characters, and characters that are invisible or change the direction of text`: {Message: "\x1b[2J"},
	} {
		if got := validateReport(&report, "once").ToAggregate(); got == nil || !strings.Contains(got.Error(), message) {
			t.Errorf("got %v, want %s", got, message)
		}
	}
	fine := &v1alpha1.BuildReport{ObjectMeta: metav1.ObjectMeta{Name: "once"}, Stage: strings.Repeat("ü", 63), Percent: new(int32(100)), Message: strings.Repeat("m", 1024)}
	if errs := validateReport(fine, "once"); len(errs) > 0 {
		t.Errorf("a good report: %v", errs)
	}
}
