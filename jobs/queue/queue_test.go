// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/queue"
)

// waiting is a build that was created some time after the others.
func waiting(namespace, name string, after time.Duration) queue.Build {
	return queue.Build{Key: queue.Key{Namespace: namespace, Name: name}, Since: epoch.Add(after)}
}

func of(build queue.Build, image types.UID, number int64) queue.Build {
	build.Image, build.Number, build.Serial = image, number, true
	return build
}

// drain admits builds until no build can be admitted, and returns their names.
func drain(q *queue.Queue, now time.Time) (names []string) {
	for {
		key, ok := q.Next(now)
		if !ok {
			return names
		}
		build, _ := q.Find(key)
		build.State = queue.Active
		q.Set(build)
		names = append(names, key.Name)
	}
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("admitted %v, expected %v", got, want)
	}
}

func TestWithoutLimitsOnlyImagesHoldBuildsBack(t *testing.T) {
	q := queue.New(queue.Limits{})
	q.Set(of(waiting("a", "web-2", 0), "web", 2))
	q.Set(of(waiting("a", "web-1", time.Second), "web", 1))
	beside := of(waiting("a", "db-2", 2*time.Second), "db", 2)
	beside.Serial = false
	q.Set(beside)
	q.Set(of(waiting("a", "db-1", 3*time.Second), "db", 1))
	q.Set(waiting("a", "direct", 4*time.Second))
	expect(t, drain(q, epoch), "web-1", "db-2", "direct") // db-1 waits: db-2, which waits for nobody, is active
	q.Remove(queue.Key{Namespace: "a", Name: "web-1"})
	q.Remove(queue.Key{Namespace: "a", Name: "db-2"})
	expect(t, drain(q, epoch), "web-2", "db-1")
}

func TestARestingBuildHoldsBackItsImageAndNobodyElse(t *testing.T) {
	q := queue.New(queue.Limits{Builds: 1})
	first := of(waiting("a", "web-1", 0), "web", 1)
	first.State = queue.Resting
	q.Set(first)
	q.Set(of(waiting("a", "web-2", time.Second), "web", 2))
	q.Set(waiting("a", "direct", 2*time.Second))
	expect(t, drain(q, epoch), "direct")
	q.Remove(queue.Key{Namespace: "a", Name: "direct"})
	first.State = queue.Waiting
	q.Set(first)
	expect(t, drain(q, epoch), "web-1")
}

func TestTheOrder(t *testing.T) {
	urgent := func(build queue.Build) queue.Build {
		build.Priority = 10
		return build
	}
	kueue := waiting("b", "kueue", 3*time.Minute)
	kueue.External = true
	for name, test := range map[string]struct {
		after  time.Duration // since the creation of the oldest build
		builds []queue.Build
		want   []string
	}{
		"age":                                  {0, []queue.Build{waiting("a", "young", time.Minute), waiting("a", "old", 0)}, []string{"old", "young"}},
		"priority before age":                  {queue.Patience, []queue.Build{waiting("a", "old", 0), urgent(waiting("a", "urgent", time.Minute))}, []string{"urgent", "old"}},
		"age before priority after an hour":    {queue.Patience + time.Second, []queue.Build{urgent(waiting("a", "urgent", time.Minute)), waiting("a", "old", 0)}, []string{"old", "urgent"}},
		"shares before priority":               {0, []queue.Build{urgent(waiting("a", "urgent", 0)), urgent(waiting("a", "next", 0)), waiting("b", "other", time.Minute)}, []string{"next", "other", "urgent"}},
		"of equal shares, the oldest build's":  {0, []queue.Build{waiting("a", "young", time.Minute), waiting("b", "old", 0)}, []string{"old", "young"}},
		"builds of Kueue before everyone else": {2 * queue.Patience, []queue.Build{urgent(waiting("a", "old", 0)), kueue}, []string{"kueue", "old"}},
	} {
		t.Run(name, func(t *testing.T) {
			q := queue.New(queue.Limits{})
			for _, build := range test.builds {
				q.Set(build)
			}
			expect(t, drain(q, epoch.Add(test.after)), test.want...)
		})
	}
}

func TestSharesFollowTheWeights(t *testing.T) {
	q := queue.New(queue.Limits{Builds: 12})
	q.SetNamespace("heavy", queue.Share{Weight: 3})
	for i := range 20 {
		for _, namespace := range []string{"light", "heavy"} {
			q.Set(waiting(namespace, fmt.Sprintf("%s-%d", namespace, i), 0))
		}
	}
	heavy := 0
	for _, name := range drain(q, epoch) {
		if name[0] == 'h' {
			heavy++
		}
	}
	if heavy != 9 {
		t.Errorf("the heavy namespace has %d of 12, expected 9", heavy)
	}
}

func TestALimitHolds(t *testing.T) {
	none, two := 0, 2
	for name, test := range map[string]struct {
		limits queue.Limits
		share  queue.Share
		count  int
		why    string
	}{
		"no limit":                        {count: 5},
		"cluster":                         {limits: queue.Limits{Builds: 3}, count: 3, why: "Goldsmith has reached its limit of active builds (3)"},
		"namespace":                       {limits: queue.Limits{PerNamespace: 1}, count: 1, why: "the namespace has reached its limit of active builds (1)"},
		"its own is more":                 {limits: queue.Limits{PerNamespace: 1}, share: queue.Share{MaxBuilds: &two}, count: 2, why: "the namespace has reached its limit of active builds (2)"},
		"its own is less":                 {limits: queue.Limits{PerNamespace: 3}, share: queue.Share{MaxBuilds: &two}, count: 2, why: "the namespace has reached its limit of active builds (2)"},
		"it may run none":                 {share: queue.Share{MaxBuilds: &none}, count: 0, why: "the namespace has reached its limit of active builds (0)"},
		"its own is more than the others": {limits: queue.Limits{Builds: 1}, share: queue.Share{MaxBuilds: &two}, count: 1, why: "Goldsmith has reached its limit of active builds (1)"},
	} {
		t.Run(name, func(t *testing.T) {
			q := queue.New(test.limits)
			q.SetNamespace("a", test.share)
			for i := range 5 {
				q.Set(waiting("a", fmt.Sprintf("build-%d", i), 0))
			}
			if names := drain(q, epoch); len(names) != test.count {
				t.Errorf("%v were admitted, expected %d", names, test.count)
			}
			if why := q.Why(queue.Key{Namespace: "a", Name: "build-4"}); why != test.why {
				t.Errorf("the last build waits for %q, expected %q", why, test.why)
			}
			if why := q.Obstacle(waiting("a", "next", 0)); why != test.why {
				t.Errorf("the next build would wait for %q, expected %q", why, test.why)
			}
		})
	}
}

func TestTestsDelayNoBuildUntilTheyReachTheLimit(t *testing.T) {
	two := 2
	for name, test := range map[string]struct {
		limits queue.Limits
		share  queue.Share
		why    string
	}{
		"of all":              {limits: queue.Limits{Builds: 2}, why: "Goldsmith has reached its limit of active builds (2)"},
		"of the namespace":    {share: queue.Share{MaxBuilds: &two}, why: "the namespace has reached its limit of active builds (2)"},
		"of automatic builds": {limits: queue.Limits{Automatic: 2}, why: "Goldsmith has reached its limit of active automatic builds (2)"},
		"of automatic builds of the namespace": {limits: queue.Limits{AutomaticPerNamespace: 2},
			why: "the namespace has reached its limit of active automatic builds (2)"},
	} {
		t.Run(name, func(t *testing.T) {
			q := queue.New(test.limits)
			q.SetNamespace("a", test.share)
			set := func(name string, state queue.State, testing bool) {
				build := waiting("a", name, 0)
				build.Automatic, build.State, build.Testing = true, state, testing
				q.Set(build)
			}
			for _, name := range []string{"one", "two", "three", "four"} {
				set(name, queue.Waiting, false)
			}
			set("test", queue.Active, true)
			expect(t, drain(q, epoch), "four", "one")
			set("four", queue.Active, true) // as many tests as the limit
			expect(t, drain(q, epoch), "three")
			set("one", queue.Active, true) // one more counts
			expect(t, drain(q, epoch))
			if why := q.Why(queue.Key{Namespace: "a", Name: "two"}); why != test.why {
				t.Errorf("the last build waits for %q, expected %q", why, test.why)
			}
			q.Remove(queue.Key{Namespace: "a", Name: "test"})
			expect(t, drain(q, epoch), "two")
		})
	}
}

func TestBuildsOfKueueCountInNoLimit(t *testing.T) {
	q := queue.New(queue.Limits{Builds: 1, PerNamespace: 1})
	q.Set(waiting("a", "ours", 0))
	for number := range int64(2) {
		theirs := of(waiting("a", fmt.Sprintf("web-%d", number+1), time.Minute), "web", number+1)
		theirs.External = true
		q.Set(theirs)
	}
	expect(t, drain(q, epoch), "web-1", "ours")
	if why := q.Why(queue.Key{Namespace: "a", Name: "web-2"}); why != "an earlier build of the image has not finished" {
		t.Errorf("it waits for %q", why)
	}
}

func TestWhatIsGoneIsForgotten(t *testing.T) {
	q := queue.New(queue.Limits{Builds: 1})
	key := queue.Key{Namespace: "a", Name: "web-1"}
	q.Set(of(waiting("a", "web-1", 0), "web", 1))
	q.Remove(key)
	q.Remove(key)
	if _, known := q.Find(key); known || q.Waiting() != 0 || q.Why(key) != "" {
		t.Error("a build that was removed is still known")
	}
	if next, ok := q.Next(epoch); ok {
		t.Errorf("%v is next", next)
	}
}

func TestWhatTheQueueKnowsOfABuild(t *testing.T) {
	number, priority := int64(7), int32(3)
	stored := func(change func(*v1alpha1.ImageBuild)) *v1alpha1.ImageBuild {
		build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "web-7", CreationTimestamp: metav1.NewTime(epoch)}}
		build.Spec.ImageRef, build.Spec.Number = &v1alpha1.ImageReference{Name: "web", UID: "web"}, &number
		change(build)
		return build
	}
	plain := of(waiting("a", "web-7", 0), "web", 7)
	as := func(change func(*queue.Build)) *queue.Build {
		build := plain
		change(&build)
		return &build
	}
	deleted := metav1.NewTime(epoch)
	attempts := []v1alpha1.BuildAttempt{{Number: 1}}
	made := []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: "sha256:0"}}
	for name, test := range map[string]struct {
		stored *v1alpha1.ImageBuild
		want   *queue.Build
	}{
		"stored before there were policies": {stored(func(*v1alpha1.ImageBuild) {}), &plain},
		"queued":                            {stored(func(b *v1alpha1.ImageBuild) { b.Status.Phase = v1alpha1.BuildQueued }), &plain},
		"latest only":                       {stored(func(b *v1alpha1.ImageBuild) { b.Spec.RunPolicy = v1alpha1.RunPolicySerialLatestOnly }), &plain},
		"parallel": {stored(func(b *v1alpha1.ImageBuild) { b.Spec.RunPolicy = v1alpha1.RunPolicyParallel }),
			as(func(b *queue.Build) { b.Serial = false })},
		"direct": {stored(func(b *v1alpha1.ImageBuild) { b.Spec.ImageRef, b.Spec.Number = nil, nil }),
			as(func(b *queue.Build) { b.Image, b.Number, b.Serial = "", 0, false })},
		"it reproduces artifacts": {stored(func(b *v1alpha1.ImageBuild) { b.Spec.Reproduces = &v1alpha1.Reproduction{} }),
			as(func(b *queue.Build) { b.Image, b.Number, b.Serial = "", 0, false })},
		"with a priority": {stored(func(b *v1alpha1.ImageBuild) { b.Spec.Priority = &priority }), as(func(b *queue.Build) { b.Priority = 3 })},
		"starting": {stored(func(b *v1alpha1.ImageBuild) { b.Status.Phase, b.Status.Attempts = v1alpha1.BuildStarting, attempts }),
			as(func(b *queue.Build) { b.State = queue.Active })},
		"starting and deleted": {stored(func(b *v1alpha1.ImageBuild) {
			b.Status.Phase, b.Status.Attempts, b.DeletionTimestamp = v1alpha1.BuildStarting, attempts, &deleted
		}), as(func(b *queue.Build) { b.State = queue.Active })},
		"held by Kueue": {stored(func(b *v1alpha1.ImageBuild) {
			b.Spec.Inputs.Template = &v1alpha1.BuildTemplate{QueueName: "builds"}
			b.Status.Phase, b.Status.Attempts = v1alpha1.BuildQueued, attempts
		}), as(func(b *queue.Build) { b.External, b.State = true, queue.Active })},
		"its Job is created, for Kueue to resume": {stored(func(b *v1alpha1.ImageBuild) {
			b.Spec.Inputs.Template = &v1alpha1.BuildTemplate{QueueName: "builds"}
			b.Status.Phase, b.Status.Attempts = v1alpha1.BuildStarting, attempts
		}), as(func(b *queue.Build) { b.External, b.State = true, queue.Active })},
		"its Job was resumed": {stored(func(b *v1alpha1.ImageBuild) {
			b.Spec.Inputs.Template = &v1alpha1.BuildTemplate{QueueName: "builds"}
			b.Status.Phase, b.Status.Attempts = v1alpha1.BuildStarting, []v1alpha1.BuildAttempt{{Number: 1, JobUID: "job"}}
		}), as(func(b *queue.Build) { b.State = queue.Active })},
		"testing": {stored(func(b *v1alpha1.ImageBuild) {
			b.Status.Phase, b.Status.Attempts, b.Status.Artifacts = v1alpha1.BuildTesting, attempts, made
		}), as(func(b *queue.Build) { b.State, b.Testing = queue.Active, true })},
		"its tests are being cancelled": {stored(func(b *v1alpha1.ImageBuild) {
			b.Status.Phase, b.Status.Attempts, b.Status.Artifacts = v1alpha1.BuildCancelling, attempts, made
		}), as(func(b *queue.Build) { b.State, b.Testing = queue.Active, true })},
		"only testing": {stored(func(b *v1alpha1.ImageBuild) {
			b.Status.Phase, b.Status.Attempts, b.Spec.Retests = v1alpha1.BuildStarting, attempts, &v1alpha1.TestedBuild{Artifacts: made}
		}), as(func(b *queue.Build) { b.State, b.Testing = queue.Active, true })},
		"finished":  {stored(func(b *v1alpha1.ImageBuild) { b.Status.Phase, b.Status.Attempts = v1alpha1.BuildFailed, attempts }), nil},
		"cancelled": {stored(func(b *v1alpha1.ImageBuild) { b.Spec.CancelRequested = &v1alpha1.CancelRequested{} }), nil},
		"deleted":   {stored(func(b *v1alpha1.ImageBuild) { b.DeletionTimestamp = &deleted }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := queue.FromBuild(test.stored)
			if ok != (test.want != nil) || ok && got != *test.want {
				t.Errorf("it knows %+v (%v), expected %+v", got, ok, test.want)
			}
		})
	}
}
