// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestARolloutBeginsWithAWaveAndPausesAfterFailures(t *testing.T) {
	const ok, run, failed, cancelled = v1alpha1.BuildSucceeded, v1alpha1.BuildRunning, v1alpha1.BuildFailed, v1alpha1.BuildCancelled
	times := func(n int, phase v1alpha1.BuildPhase, message string, standing bool) (builds []RolloutBuild) {
		for i := range n {
			build := newBuild(int64(i+1), phase, "A")
			build.Namespace = "team"
			if phase == failed {
				build.Status.Failure = v1alpha1.ReasonTestsFailed.Failure("%s", message)
			}
			builds = append(builds, RolloutBuild{&build, standing})
		}
		return builds
	}
	join := func(parts ...[]RolloutBuild) (all []RolloutBuild) {
		for _, part := range parts {
			all = append(all, part...)
		}
		return all
	}
	elsewhere := func(namespace string, builds []RolloutBuild) []RolloutBuild {
		for _, build := range builds {
			build.Namespace = namespace
		}
		return builds
	}
	outage := func(builds []RolloutBuild, end string) []RolloutBuild {
		for _, build := range builds {
			build.Status.Failure = v1alpha1.ReasonNodeLost.Failure("the node was lost")
			build.Status.CompletionTime = &metav1.Time{Time: at(t, end)}
		}
		return builds
	}
	for name, c := range map[string]struct {
		others   []RolloutBuild
		reserved int
		want     string // "" is no hold, "waits" one until builds have ended
	}{
		"none":                                 {},
		"two run":                              {others: times(2, run, "", true)},
		"three run":                            {others: times(3, run, "", true), want: "waits"},
		"two run, and one is about to":         {others: times(2, run, "", true), reserved: 1, want: "waits"},
		"one succeeded, two run":               {others: join(times(1, ok, "", true), times(2, run, "", true)), want: "waits"},
		"three succeeded, many run":            {others: join(times(3, ok, "", true), times(50, run, "", true))},
		"two failed alike":                     {others: times(2, failed, "test web: 500", true)},
		"three failed alike":                   {others: times(3, failed, "test web: 500", true), want: "3 builds for them failed with TestsFailed (test web), debian-1, debian-2, debian-3: the others wait until fewer than 3 have."},
		"three failed, not alike":              {others: join(times(2, failed, "test web: 500", true), times(1, failed, "test ssh: no", true))},
		"many failed alike":                    {others: times(9, failed, "test web: 500", true), want: "such as debian-1, debian-2, debian-3, debian-4, debian-5 and 4 more"},
		"three failed, and were mended":        {others: times(3, failed, "test web: 500", false)},
		"three failed among many":              {others: join(times(3, failed, "test web: 500", true), times(40, ok, "", true))},
		"three failed among few":               {others: join(times(3, failed, "test web: 500", true), times(20, ok, "", true)), want: "3 builds"},
		"three run in another namespace":       {others: elsewhere("other", times(3, run, "", true))},
		"three failed in another namespace":    {others: elsewhere("other", times(3, failed, "test web: 500", true))},
		"three failed in two other namespaces": {others: join(elsewhere("a", times(2, failed, "test web: 500", true)), elsewhere("b", times(1, failed, "test web: 500", true))), want: "(test web), in other namespaces: the others"},
		"an outage is over":                    {others: outage(times(5, failed, "x", true), "2026-03-02T10:00:00Z")},
		"an outage":                            {others: outage(times(5, failed, "x", true), "2026-03-02T11:50:00Z"), want: "5 builds"},
		"cancelled builds tell nothing":        {others: times(5, cancelled, "", true)},
		"two cancelled, one failed, one ok":    {others: join(times(2, cancelled, "", true), times(1, failed, "a: b", true), times(1, ok, "", true))},
	} {
		hold := Rollout{Namespace: "team", Builds: c.others, Reserved: c.reserved, Wave: 3, Now: at(t, "2026-03-02T12:00:00Z")}.Hold()
		switch {
		case c.want == "" && hold != nil, c.want != "" && hold == nil:
			t.Errorf("%s: the hold is %+v", name, hold)
		case c.want == "waits" && hold.Paused, c.want != "waits" && hold != nil && (!hold.Paused || !strings.Contains(hold.Message, c.want)):
			t.Errorf("%s: the hold is %+v, want %s", name, hold, c.want)
		}
	}
}

func TestAHeldBuildIsDecidedOnAgain(t *testing.T) {
	for _, paused := range []bool{false, true} {
		w := packaged(t)
		w.Candidates = candidates(t, "2026-03-02T11:45:00Z", newer(t, "openssl", security, "2026-03-01T00:00:00Z"))
		w.look()
		w.Hold = &Hold{Paused: paused, Message: "others failed"}
		d := w.look()
		condition := meta.FindStatusCondition(d.Status.Conditions, v1alpha1.ImagePackagesUpToDate)
		want := map[bool]string{false: v1alpha1.ReasonPackagesChanged, true: v1alpha1.ReasonRolloutPaused}[paused]
		if got := fmt.Sprint(d.Reason, " ", condition.Reason); d.Request != nil || got != want+" "+want || d.After != holdRetry {
			t.Errorf("paused %t: decides %s after %s: %s", paused, got, d.After, d.Message)
		}
		w.Hold = nil
		w.want(string(v1alpha1.TriggerPackageChange), "openssl")
	}
}
