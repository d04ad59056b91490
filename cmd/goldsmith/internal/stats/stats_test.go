// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestFiguresAreTold(t *testing.T) {
	lasting := func(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }
	recovery := lasting(90*time.Minute + 400*time.Millisecond)
	for name, test := range map[string]struct {
		stats v1alpha1.ImageStats
		want  []string
	}{
		"all there is": {
			v1alpha1.ImageStats{
				Stats: &v1alpha1.BuildStats{
					Window: lasting(720 * time.Hour), Builds: 13, Succeeded: 9, Failed: 3, Cancelled: 1, Retried: 2, OneOffs: 4, SuccessRate: new(int32(75)),
					Durations:  &v1alpha1.DurationPercentiles{P50: lasting(62 * time.Second), P90: lasting(3 * time.Minute)},
					QueueTimes: &v1alpha1.DurationPercentiles{P50: lasting(1234 * time.Microsecond), P90: lasting(2600 * time.Millisecond)},
					Failures:   []v1alpha1.FailureCount{{Class: v1alpha1.FailureUser, Builds: 1}, {Class: v1alpha1.FailureTimeout, Builds: 2}},
					Recoveries: 2, MeanTimeToRecovery: &recovery,
					Fixes: []v1alpha1.FixCount{
						{Reached: "Ready", Count: 12, Times: v1alpha1.DurationPercentiles{P50: lasting(14 * time.Minute), P90: lasting(9 * time.Hour)}},
						{Reached: "stable", Count: 1, Times: v1alpha1.DurationPercentiles{P50: lasting(50 * time.Hour), P90: lasting(50 * time.Hour)}},
					},
					Tests: []v1alpha1.TestCount{
						{Name: "boots", Builds: 12, Passed: 9, Flaky: 2, Failed: 1, Duration: &metav1.Duration{Duration: 24200 * time.Millisecond}},
						{Name: "web", Builds: 1, Errors: 1},
					},
				},
				Health: &v1alpha1.ImageHealth{Score: 71, Message: "two lines\nof it"},
			},
			[]string{
				"IMAGE           web",
				"window          30d",
				"builds          13: 9 succeeded, 3 failed, 1 cancelled; 2 with more than one attempt",
				"one-off         4 more, counted in no other line",
				"success         75%",
				"duration        half within 1m2s, nine of ten within 3m0s",
				"queue time      half within 1ms, nine of ten within 3s",
				"failures        User 1, Timeout 2",
				"fix to Ready    half within 14m, nine of ten within 9h (12 fixes)",
				"fix to stable   half within 2d2h, nine of ten within 2d2h (1 fix)",
				"recoveries      2, on average 1h30m0s after the failure",
				"health          71 of 100: two lines of it",
				"",
				"TEST    BUILDS   PASSED   FLAKY   FAILED   ERRORS   MEDIAN",
				"boots   12       9        2       1        0        24s",
				"web     1        0        0       0        1        <none>",
			},
		},
		"nothing": {
			v1alpha1.ImageStats{Stats: &v1alpha1.BuildStats{Window: lasting(time.Hour)}},
			[]string{"IMAGE    web", "window   60m", "builds   0: 0 succeeded, 0 failed, 0 cancelled; 0 with more than one attempt"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			require.NoError(t, describe("web", &test.stats, &out))
			if diff := cmp.Diff(strings.Join(test.want, "\n")+"\n", out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheFiguresOfAllImagesAreTold(t *testing.T) {
	times := func(half time.Duration) v1alpha1.DurationPercentiles {
		return v1alpha1.DurationPercentiles{P50: metav1.Duration{Duration: half}, P90: metav1.Duration{Duration: 2 * half}}
	}
	fixed := []v1alpha1.FixCount{{Reached: "Ready", Count: 2, Times: times(20 * time.Minute)}, {Reached: "stable", Count: 1, Times: times(time.Hour)}}
	durations := times(time.Minute)
	reports := &v1alpha1.ImageReportList{Fixes: fixed, Items: []v1alpha1.ImageReport{
		{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "debian"}, Stats: &v1alpha1.BuildStats{Builds: 12, SuccessRate: new(int32(91)), Durations: &durations, Fixes: fixed}},
		{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "idle"}, Stats: &v1alpha1.BuildStats{}},
		{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "unknown"}},
	}}
	var out strings.Builder
	require.NoError(t, describeFleet(reports, true, &out))
	want := strings.Join([]string{
		"NAMESPACE   IMAGE     BUILDS   SUCCESS   P50      FIXES    FIX P50",
		"team        debian    12       91%       60s      2        20m",
		"team        idle      0        <none>    <none>   <none>   <none>",
		"web         unknown   <none>   <none>    <none>   <none>   <none>",
		"",
		"fix to Ready    half within 20m, nine of ten within 40m (2 fixes)",
		"fix to stable   half within 60m, nine of ten within 120m (1 fix)",
	}, "\n") + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	reports.Fixes = nil
	out.Reset()
	require.NoError(t, describeFleet(reports, false, &out))
	if got := out.String(); !strings.HasPrefix(got, "IMAGE     BUILDS") || strings.Contains(got, "\n\n") {
		t.Errorf("got %s", got)
	}
}
