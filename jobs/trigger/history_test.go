// SPDX-License-Identifier: Apache-2.0

package trigger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/attestation"
)

func names(builds []*v1alpha1.ImageBuild) (names []string) {
	for _, build := range builds {
		names = append(names, build.Name)
	}
	return names
}

func limited(succeeded, failed int32) *v1alpha1.Image {
	return newImage(func(i *v1alpha1.Image) {
		i.Spec.History = &v1alpha1.HistoryLimits{Succeeded: &succeeded, Failed: &failed}
	})
}

// rebuildOf returns a build that has made another build again, which has the result.
func rebuildOf(of *v1alpha1.ImageBuild, number int64) v1alpha1.ImageBuild {
	by := newBuild(number, v1alpha1.BuildSucceeded, "A")
	by.Spec.Reproduces, by.Spec.OneOff = &v1alpha1.Reproduction{Name: of.Name, UID: of.UID}, new(true)
	of.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildReproduced, Status: metav1.ConditionTrue}}
	return by
}

func TestHistoryKeepsTheNewestAndWhatIsNeeded(t *testing.T) {
	builds := func() []v1alpha1.ImageBuild {
		return []v1alpha1.ImageBuild{
			newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildSucceeded, "B"),
			newBuild(3, v1alpha1.BuildFailed, "C"), newBuild(4, v1alpha1.BuildCancelled, "D"), newBuild(5, v1alpha1.BuildFailed, "E"),
			newBuild(6, v1alpha1.BuildRunning, "F"), newBuild(7, v1alpha1.BuildFailed, "G"),
		}
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.Image, []v1alpha1.ImageBuild)
		want   []string
	}{
		// 7 is not counted: 6 may still end before it
		"over the limits": {func(*v1alpha1.Image, []v1alpha1.ImageBuild) {}, []string{"debian-5", "debian-4", "debian-3", "debian-1"}},
		"all counted": {
			func(_ *v1alpha1.Image, builds []v1alpha1.ImageBuild) {
				builds[5] = newBuild(6, v1alpha1.BuildFailed, "F")
			},
			[]string{"debian-7", "debian-6", "debian-5", "debian-4", "debian-3", "debian-1"},
		},
		"a request whose build's UID is not recorded": {
			func(i *v1alpha1.Image, builds []v1alpha1.ImageBuild) {
				i.Status.RecentRequests = []v1alpha1.BuildRequestRecord{{RequestID: "five", Number: 5}}
				builds[4].UID = ""
			},
			[]string{"debian-4", "debian-3", "debian-1"},
		},
		"a latest success over the limit": {
			func(_ *v1alpha1.Image, builds []v1alpha1.ImageBuild) {
				builds[1] = newBuild(2, v1alpha1.BuildFailed, "B")
				builds[0].Status.CompletionTime = &metav1.Time{Time: now.Add(-time.Hour)}
			},
			[]string{"debian-5", "debian-4", "debian-3", "debian-2"},
		},
		"a channel's": {
			func(i *v1alpha1.Image, _ []v1alpha1.ImageBuild) {
				i.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-1"}}
			},
			[]string{"debian-5", "debian-4", "debian-3"},
		},
		"a revoked one, which takes no place": {
			func(_ *v1alpha1.Image, builds []v1alpha1.ImageBuild) {
				builds[0] = revoke(builds[0])
				builds[0].Status.Artifacts = []v1alpha1.Artifact{{}}
				builds[2] = revoke(builds[2]) // it has made nothing
			},
			[]string{"debian-5", "debian-4", "debian-3"},
		},
		"one that is held": {
			func(_ *v1alpha1.Image, builds []v1alpha1.ImageBuild) {
				builds[0].Labels = map[string]string{v1alpha1.LabelLegalHold: "true"}
				builds[3].Labels = map[string]string{v1alpha1.LabelLegalHold: "false"}
			},
			[]string{"debian-5", "debian-4", "debian-3"},
		},
		"an image that is held": {
			func(i *v1alpha1.Image, _ []v1alpha1.ImageBuild) {
				i.Labels = map[string]string{v1alpha1.LabelLegalHold: "true"}
			},
			nil,
		},
		"a rebuild takes no place": {
			func(i *v1alpha1.Image, builds []v1alpha1.ImageBuild) {
				i.Spec.History.Succeeded = new(int32(2))
				builds[2] = rebuildOf(&builds[0], 3)
			},
			[]string{"debian-5", "debian-4"},
		},
		"the newer rebuild stays": {
			func(i *v1alpha1.Image, builds []v1alpha1.ImageBuild) {
				i.Spec.History.Succeeded = new(int32(2))
				builds[2], builds[4] = rebuildOf(&builds[0], 3), rebuildOf(&builds[0], 5)
			},
			[]string{"debian-4", "debian-3"},
		},
		"the rebuild stays that the result names": {
			func(i *v1alpha1.Image, builds []v1alpha1.ImageBuild) {
				i.Spec.History.Succeeded = new(int32(2))
				builds[2], builds[3], builds[4] = rebuildOf(&builds[0], 3), rebuildOf(&builds[0], 4), rebuildOf(&builds[0], 5)
				builds[0].Status.Conditions = nil
				builds[0].Status.Conditions = []metav1.Condition{*attestation.Verdict(&builds[2], &builds[0], now.Time)}
			},
			[]string{"debian-4"},
		},
		"a rebuild of a rebuild takes a place": {
			func(i *v1alpha1.Image, builds []v1alpha1.ImageBuild) {
				i.Spec.History.Succeeded = new(int32(2))
				builds[2] = rebuildOf(&builds[0], 3)
				builds[4] = rebuildOf(&builds[2], 5)
			},
			[]string{"debian-4", "debian-1"},
		},
		"one that goes already": {
			func(_ *v1alpha1.Image, builds []v1alpha1.ImageBuild) { builds[3].DeletionTimestamp = &now },
			[]string{"debian-5", "debian-3", "debian-1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			image, all := limited(1, 0), builds()
			c.change(image, all)
			if diff := cmp.Diff(c.want, names(Next(observed(image, "F", all...)).Prune)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHistoryKeepsForSomeTime(t *testing.T) {
	image := limited(10, 10)
	image.Spec.History.TTL = &v1alpha1.HistoryTTL{
		Succeeded: &v1alpha1.Duration{Duration: 48 * time.Hour}, Failed: &v1alpha1.Duration{Duration: time.Hour},
	}
	ended := func(build v1alpha1.ImageBuild, ago time.Duration) v1alpha1.ImageBuild {
		build.Status.CompletionTime = &metav1.Time{Time: now.Add(-ago)}
		return build
	}
	builds := []v1alpha1.ImageBuild{
		ended(newBuild(1, v1alpha1.BuildSucceeded, "A"), 49*time.Hour),
		ended(newBuild(2, v1alpha1.BuildFailed, "B"), 47*time.Hour),
		ended(newBuild(3, v1alpha1.BuildSucceeded, "C"), 46*time.Hour),
		ended(newBuild(4, v1alpha1.BuildCancelled, "D"), time.Hour),
		ended(newBuild(5, v1alpha1.BuildFailed, "E"), 40*time.Minute),
		ended(newBuild(6, v1alpha1.BuildSucceeded, "F"), 30*time.Minute),
	}
	decision := Next(observed(image, "F", builds...))
	if diff := cmp.Diff([]string{"debian-4", "debian-2", "debian-1"}, names(decision.Prune)); diff != "" {
		t.Error(diff)
	}
	if decision.After != 20*time.Minute {
		t.Errorf("reconciles again after %s, want 20m", decision.After)
	}
	o := observed(image, "F", builds...)
	o.Now = o.Now.Add(1000 * time.Hour)
	decision = Next(o)
	if diff := cmp.Diff([]string{"debian-5", "debian-4", "debian-3", "debian-2", "debian-1"}, names(decision.Prune)); diff != "" {
		t.Errorf("after a long time: %s", diff)
	}
	if decision.After != 0 {
		t.Errorf("reconciles again after %s for the latest success, which stays", decision.After)
	}
	o.Image.Labels = map[string]string{v1alpha1.LabelLegalHold: "true"}
	if decision = Next(o); decision.Prune != nil || decision.After != 0 {
		t.Errorf("prunes %v of a held image, and reconciles again after %s", names(decision.Prune), decision.After)
	}
}

func TestOnlyTheNewestBuildThatWaitsIsWanted(t *testing.T) {
	cancelled, requeued, leaving := newBuild(3, v1alpha1.BuildQueued, ""), newBuild(4, v1alpha1.BuildQueued, "D"), newBuild(5, v1alpha1.BuildQueued, "D")
	cancelled.Spec.CancelRequested = &v1alpha1.CancelRequested{}
	requeued.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1}} // Kueue took its place back
	leaving.DeletionTimestamp = &now
	builds := []v1alpha1.ImageBuild{
		newBuild(1, v1alpha1.BuildRunning, "A"), newBuild(2, v1alpha1.BuildQueued, "B"), cancelled, requeued, leaving,
		newBuild(6, v1alpha1.BuildPending, ""), newBuild(7, v1alpha1.BuildQueued, "E"), newBuild(8, v1alpha1.BuildRetrying, "F"),
	}
	for policy, want := range map[v1alpha1.RunPolicy][]string{
		v1alpha1.RunPolicySerial: nil, v1alpha1.RunPolicyParallel: nil, v1alpha1.RunPolicySerialLatestOnly: {"debian-6", "debian-2"},
	} {
		image := newImage(func(i *v1alpha1.Image) { i.Spec.RunPolicy = policy })
		decision := Next(observed(image, "F", builds...))
		if diff := cmp.Diff(want, names(decision.Supersede)); diff != "" {
			t.Errorf("%s: %s", policy, diff)
		}
		if want != nil && decision.SupersededBy != "debian-7" || want == nil && decision.SupersededBy != "" {
			t.Errorf("%s: superseded by %q", policy, decision.SupersededBy)
		}
	}
	image := newImage(func(i *v1alpha1.Image) { i.Spec.RunPolicy = v1alpha1.RunPolicySerialLatestOnly })
	if decision := Next(observed(image, "A", newBuild(1, v1alpha1.BuildQueued, "A"))); decision.Supersede != nil || decision.SupersededBy != "" {
		t.Errorf("of a single build: %v by %q", names(decision.Supersede), decision.SupersededBy)
	}
}

func TestARerunNeitherSupersedesNorIsSuperseded(t *testing.T) {
	image := newImage(func(i *v1alpha1.Image) { i.Spec.RunPolicy = v1alpha1.RunPolicySerialLatestOnly })
	own, later := newBuild(2, v1alpha1.BuildQueued, "A"), newBuild(3, v1alpha1.BuildQueued, "B")
	later.Spec.Trigger, later.Spec.OneOff = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerRerun, RerunOf: "debian-1"}, new(true)
	if decision := Next(observed(image, "A", own, later)); decision.Supersede != nil {
		t.Errorf("by a rerun: %v, and what has changed is never built", names(decision.Supersede))
	}
	decision := Next(observed(image, "A", own, later, newBuild(4, v1alpha1.BuildQueued, "A")))
	if diff := cmp.Diff([]string{"debian-2"}, names(decision.Supersede)); diff != "" || decision.SupersededBy != "debian-4" {
		t.Errorf("superseded by %q: %s", decision.SupersededBy, diff)
	}
}

func TestABuildWaitsForItsLogsToBeArchived(t *testing.T) {
	builds := func() []v1alpha1.ImageBuild {
		builds := []v1alpha1.ImageBuild{newBuild(1, v1alpha1.BuildFailed, "A"), newBuild(2, v1alpha1.BuildFailed, "B"), newBuild(3, v1alpha1.BuildFailed, "C")}
		for i := range builds {
			builds[i].Status.CompletionTime = &metav1.Time{Time: now.Add(-time.Hour)}
		}
		return builds
	}
	say := func(build *v1alpha1.ImageBuild, status metav1.ConditionStatus, reason string) {
		build.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildLogArchived, Status: status, Reason: reason}}
	}
	for name, c := range map[string]struct {
		change func(*Observed)
		want   []string
		after  time.Duration
	}{
		"without an archive": {func(o *Observed) { o.LogsArchived = false }, []string{"debian-3", "debian-2", "debian-1"}, 0},
		"not archived":       {func(*Observed) {}, nil, 23 * time.Hour},
		"an archive that is away": {func(o *Observed) {
			say(&o.Builds[0], metav1.ConditionFalse, v1alpha1.ReasonArchiveUnavailable)
		}, nil, 23 * time.Hour},
		"archived, and expired": {func(o *Observed) {
			say(&o.Builds[0], metav1.ConditionTrue, v1alpha1.ReasonLogArchived)
			say(&o.Builds[1], metav1.ConditionFalse, v1alpha1.ReasonLogExpired)
		}, []string{"debian-2", "debian-1"}, 23 * time.Hour},
		"damaged": {func(o *Observed) {
			say(&o.Builds[0], metav1.ConditionFalse, v1alpha1.ReasonLogDamaged)
		}, []string{"debian-1"}, 23 * time.Hour},
		"a day later": {func(o *Observed) { o.Now = o.Now.Add(23 * time.Hour) }, []string{"debian-3", "debian-2", "debian-1"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := observed(limited(0, 0), "C", builds()...)
			o.LogsArchived = true
			c.change(&o)
			decision := Next(o)
			if diff := cmp.Diff(c.want, names(decision.Prune)); diff != "" || decision.After != c.after {
				t.Errorf("reconciles again after %s, not %s; %s", decision.After, c.after, diff)
			}
		})
	}
}

func TestABuildWaitsToBeRecorded(t *testing.T) {
	ended := func() v1alpha1.ImageBuild {
		build := newBuild(1, v1alpha1.BuildFailed, "A")
		build.Status.CompletionTime = &metav1.Time{Time: now.Add(-time.Hour)}
		return build
	}
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason}
	}
	archived := condition(v1alpha1.BuildLogArchived, metav1.ConditionTrue, v1alpha1.ReasonLogArchived)
	recorded := condition(v1alpha1.BuildRecorded, metav1.ConditionTrue, v1alpha1.ReasonRecorded)
	for name, c := range map[string]struct {
		logs, records bool
		conditions    []metav1.Condition
		later         time.Duration
		pruned        bool
	}{
		"without a database":             {false, false, nil, 0, true},
		"not recorded":                   {false, true, nil, 0, false},
		"a database that is away":        {false, true, []metav1.Condition{condition(v1alpha1.BuildRecorded, metav1.ConditionFalse, v1alpha1.ReasonRecordsUnavailable)}, 0, false},
		"one that does not take it":      {false, true, []metav1.Condition{condition(v1alpha1.BuildRecorded, metav1.ConditionFalse, v1alpha1.ReasonNotRecordable)}, 0, true},
		"recorded":                       {false, true, []metav1.Condition{recorded}, 0, true},
		"recorded, its log not archived": {true, true, []metav1.Condition{recorded}, 0, false},
		"its log archived, not recorded": {true, true, []metav1.Condition{archived}, 0, false},
		"both":                           {true, true, []metav1.Condition{archived, recorded}, 0, true},
		"neither, a day later":           {true, true, nil, 23 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			build := ended()
			build.Status.Conditions = c.conditions
			o := observed(limited(0, 0), "A", build)
			o.LogsArchived, o.BuildsRecorded, o.Now = c.logs, c.records, o.Now.Add(c.later)
			decision := Next(o)
			if pruned := len(decision.Prune) == 1; pruned != c.pruned {
				t.Errorf("pruned %v", names(decision.Prune))
			}
			if !c.pruned && decision.After != 23*time.Hour {
				t.Errorf("reconciles again after %s", decision.After)
			}
		})
	}
}

func TestABuildAndItsRebuildWaitForTheResult(t *testing.T) {
	reproduced := func(o *Observed, status metav1.ConditionStatus) {
		o.Builds[0].Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildReproduced, Status: status}}
	}
	for name, c := range map[string]struct {
		change func(*Observed)
		want   []string
		after  time.Duration
	}{
		"no result":          {func(*Observed) {}, []string{"debian-2"}, 24 * time.Hour},
		"a lesser result":    {func(o *Observed) { reproduced(o, metav1.ConditionFalse) }, []string{"debian-2"}, 24 * time.Hour},
		"its result":         {func(o *Observed) { reproduced(o, metav1.ConditionTrue) }, []string{"debian-2", "debian-1"}, 0},
		"of another build":   {func(o *Observed) { o.Builds[2].Spec.Reproduces.UID = "other" }, []string{"debian-3", "debian-2", "debian-1"}, 0},
		"of a deleted build": {func(o *Observed) { o.Builds = o.Builds[1:] }, []string{"debian-3", "debian-2"}, 0},
		"a day later":        {func(o *Observed) { o.Now = o.Now.Add(24 * time.Hour) }, []string{"debian-2", "debian-1"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			first, other, rebuild := newBuild(1, v1alpha1.BuildSucceeded, "A"), newBuild(2, v1alpha1.BuildSucceeded, "A"), newBuild(3, v1alpha1.BuildSucceeded, "A")
			rebuild.Spec.Reproduces, rebuild.Spec.OneOff = &v1alpha1.Reproduction{Name: first.Name, UID: first.UID}, new(true)
			o := observed(limited(0, 0), "A", first, other, rebuild, newBuild(4, v1alpha1.BuildSucceeded, "A"))
			c.change(&o)
			decision := Next(o)
			if diff := cmp.Diff(c.want, names(decision.Prune)); diff != "" || decision.After != c.after {
				t.Errorf("reconciles again after %s, not %s; %s", decision.After, c.after, diff)
			}
		})
	}
}

func TestBuildsThatWereCreatedDirectlyExpire(t *testing.T) {
	const ttl = 2 * time.Hour
	condition := func(kind, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason}
	}
	for name, c := range map[string]struct {
		change            func(*v1alpha1.ImageBuild)
		archive, database bool
		compares          bool
		want              time.Duration // from its end; 0 is never
	}{
		"it is finished":           {want: ttl},
		"it runs":                  {change: func(b *v1alpha1.ImageBuild) { b.Status.Finished = false }},
		"it is being deleted":      {change: func(b *v1alpha1.ImageBuild) { b.DeletionTimestamp = &now }},
		"it is held":               {change: func(b *v1alpha1.ImageBuild) { b.Labels = map[string]string{v1alpha1.LabelLegalHold: "true"} }},
		"an image has it":          {change: func(b *v1alpha1.ImageBuild) { b.Spec.ImageRef = &v1alpha1.ImageReference{Name: "debian"} }},
		"its log is not archived":  {archive: true, want: awaitLimit},
		"it is not recorded":       {database: true, want: awaitLimit},
		"its result is not stored": {compares: true, want: awaitLimit},
		"its log is lost": {archive: true, change: func(b *v1alpha1.ImageBuild) {
			b.Status.Conditions = []metav1.Condition{condition(v1alpha1.BuildLogArchived, v1alpha1.ReasonLogExpired)}
		}, want: ttl},
		"it can never be recorded": {database: true, change: func(b *v1alpha1.ImageBuild) {
			b.Status.Conditions = []metav1.Condition{condition(v1alpha1.BuildRecorded, v1alpha1.ReasonNotRecordable)}
		}, want: ttl},
	} {
		t.Run(name, func(t *testing.T) {
			build := newBuild(1, v1alpha1.BuildFailed, "A")
			build.Spec.ImageRef, build.Status.CompletionTime = nil, &now
			if c.change != nil {
				c.change(&build)
			}
			var want time.Time
			if c.want > 0 {
				want = now.Add(c.want)
			}
			if got := DirectExpiry(&build, ttl, c.archive, c.database, c.compares); !got.Equal(want) {
				t.Errorf("it expires at %v, want %v", got, want)
			}
		})
	}
}
