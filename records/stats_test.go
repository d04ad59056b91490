// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

func TestStatsOfAFewBuilds(t *testing.T) {
	timedOut := ran(newBuild(debian, 4, 30), v1alpha1.BuildFailed, 33, 40)
	timedOut.Status.Failure.Class, timedOut.Status.Failure.Reason = v1alpha1.FailureTimeout, v1alpha1.ReasonRunTimeout
	tested := ran(newBuild(debian, 1, 0), v1alpha1.BuildSucceeded, 1, 11) // an attempt at tests is no retry
	tested.Status.Attempts = append(tested.Status.Attempts, v1alpha1.BuildAttempt{Number: 2, StartTime: at(9), Tests: []string{"boots"}})
	failed := ran(newBuild(debian, 2, 12), v1alpha1.BuildFailed, 14, 20) // out of order for 50 minutes
	failed.Status.Failure.Class, failed.Status.Failure.Reason = v1alpha1.FailureTest, v1alpha1.ReasonTestsFailed
	retried := ran(newBuild(debian, 5, 50), v1alpha1.BuildSucceeded, 50, 70)
	retried.Status.Attempts = append(retried.Status.Attempts, v1alpha1.BuildAttempt{Number: 2, StartTime: at(60)})
	cancelled := ran(newBuild(debian, 3, 21), v1alpha1.BuildCancelled, 22, 23) // its attempts count for nothing
	cancelled.Status.Attempts = append(cancelled.Status.Attempts, v1alpha1.BuildAttempt{Number: 2, StartTime: at(22)})
	oneOff := ran(newBuild(debian, 7, 15), v1alpha1.BuildSucceeded, 16, 19) // does not end the outage of 50 minutes
	oneOff.Spec.OneOff = new(true)
	builds := []*v1alpha1.ImageBuild{
		oneOff,
		tested, failed, cancelled,
		timedOut, retried,
		newBuild(debian, 6, 80), // waits
	}
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		stats := func(window records.Window) records.Stats {
			page := valueOf(store.ImageStats(ctx, records.ImageStatsQuery{Images: []types.UID{debian.UID}, Window: window}))(g)
			g.Expect(page.Items).To(HaveLen(1))
			g.Expect(page.Items[0].Image).To(Equal(debian))
			return page.Items[0].Stats
		}
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: debian.Namespace, Name: debian.Name, UID: debian.UID}}
		g.Expect(store.PutImage(ctx, image)).To(Succeed())
		g.Expect(stats(records.Window{})).To(Equal(records.Stats{Failures: map[v1alpha1.FailureClass]int64{}}))

		g.Expect(store.PutBuilds(ctx, builds)).To(Succeed())
		g.Expect(stats(records.Window{})).To(Equal(records.Stats{
			Builds: 5, Succeeded: 2, Failed: 2, Cancelled: 1, Retried: 1, OneOffs: 1,
			Failures:   map[v1alpha1.FailureClass]int64{v1alpha1.FailureTest: 1, v1alpha1.FailureTimeout: 1},
			Duration:   records.Percentiles{Count: 2, P50: 10 * time.Minute, P90: 20 * time.Minute},
			QueueTime:  records.Percentiles{Count: 5, P50: time.Minute, P90: 3 * time.Minute},
			Recoveries: 1, TimeToRecovery: 50 * time.Minute,
		}))

		some := stats(records.Window{Since: at(20).Time, Until: at(40).Time})
		g.Expect(some.Builds).To(Equal(int64(2)), "a window has its begin and not its end")
		g.Expect(some.Recoveries).To(BeZero())
	})
}

func TestStatsOfTests(t *testing.T) {
	tested := func(number int64, ended int, tests ...v1alpha1.TestStatus) *v1alpha1.ImageBuild {
		build := ran(newBuild(debian, number, 0), v1alpha1.BuildSucceeded, 1, ended)
		build.Status.Tests = tests
		return build
	}
	test := func(name string, outcome v1alpha1.TestOutcome, seconds int) v1alpha1.TestStatus {
		return v1alpha1.TestStatus{Name: name, Outcome: outcome, Duration: &metav1.Duration{Duration: time.Duration(seconds) * time.Second}}
	}
	oneOff := tested(6, 20, test("boots", v1alpha1.TestFailed, 1))
	oneOff.Spec.OneOff = new(true)
	running := tested(7, 20, test("boots", v1alpha1.TestFailed, 1))
	running.Status.Phase, running.Status.Finished, running.Status.CompletionTime = v1alpha1.BuildTesting, false, nil
	other := tested(8, 20, test("boots", v1alpha1.TestFailed, 1))
	other.Spec.ImageRef.UID = "another"
	builds := []*v1alpha1.ImageBuild{
		tested(1, 10, test("boots", v1alpha1.TestFailed, 2)), // before the window
		tested(2, 20, test("boots", v1alpha1.TestPassed, 30), test("web", v1alpha1.TestError, 5), v1alpha1.TestStatus{Name: "waits"}),
		tested(3, 21, test("boots", v1alpha1.TestPassed, 20), test("web", v1alpha1.TestFailed, 5)),
		tested(4, 22, test("boots", v1alpha1.TestPassed, 10), v1alpha1.TestStatus{Name: "web", Outcome: v1alpha1.TestFailed}),
		tested(5, 23, test("boots", v1alpha1.TestFlaky, 99)),
		oneOff, running, other,
	}
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		window := records.Window{Since: at(20).Time}
		g.Expect(store.TestStats(ctx, debian.UID, window)).To(BeEmpty())
		for range 2 {
			g.Expect(store.PutBuilds(ctx, builds)).To(Succeed())
			g.Expect(store.TestStats(ctx, debian.UID, window)).To(Equal([]records.TestStats{
				{Name: "boots", Builds: 4, Passed: 3, Flaky: 1, Duration: 20 * time.Second}, {Name: "web", Builds: 3, Failed: 2, Errors: 1},
			}))
			for _, build := range builds {
				build.ResourceVersion += "0" // written again
			}
		}
		var many []v1alpha1.TestStatus
		for i := range 70 {
			many = append(many, test(fmt.Sprintf("test-%02d", i), v1alpha1.TestPassed, 1))
		}
		g.Expect(store.PutBuild(ctx, tested(9, 40, many...))).To(Succeed())
		found := valueOf(store.TestStats(ctx, debian.UID, window))(g)
		g.Expect(found).To(HaveLen(64))
		g.Expect(found[0].Name).To(Equal("test-00"), "boots has not ended for longer")
	})
}

// For any builds, both databases count the same as a simple count in Go.
func TestStatsAreWhatCountingByHandSays(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var builds []*v1alpha1.ImageBuild
	for i := range 400 {
		builds = append(builds, randomBuild(random, i))
	}
	window := records.Window{Since: at(100).Time, Until: at(900).Time}
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		g.Expect(store.PutBuilds(ctx, builds)).To(Succeed())
		var all []records.ImageStats
		query := records.ImageStatsQuery{Window: window, Paging: records.Paging{Limit: 3}}
		for more := true; more; more = query.Continue != "" {
			page := valueOf(store.ImageStats(ctx, query))(g)
			all, query.Continue = append(all, page.Items...), page.Continue
		}
		g.Expect(all).To(HaveLen(8))
		g.Expect(slices.IsSortedFunc(all, func(a, b records.ImageStats) int {
			return cmp.Or(cmp.Compare(a.Image.Namespace, b.Image.Namespace), cmp.Compare(a.Image.Name, b.Image.Name), cmp.Compare(a.Image.UID, b.Image.UID))
		})).To(BeTrue())
		for _, item := range all {
			g.Expect(item.Stats).To(Equal(countByHand(builds, window, item.Image.UID)), "%s", item.Image)
		}
	})
}

func TestStatsAreOfImagesThatThereAre(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		for _, name := range []string{"a-b", "ab", "gone"} {
			image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID(name)}}
			g.Expect(store.PutImage(ctx, image)).To(Succeed())
		}
		g.Expect(store.PutImage(ctx, &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "x", UID: "x"}})).To(Succeed())
		g.Expect(store.ImageDeleted(ctx, "gone", noon)).To(Succeed())
		imagesOf := func(query records.ImageStatsQuery) []string {
			page := valueOf(store.ImageStats(ctx, query))(g)
			var found []string
			for _, item := range page.Items {
				found = append(found, item.Image.Name)
				g.Expect(item.Deleted.IsZero()).To(Equal(item.Image.Name != "gone"))
			}
			return found
		}
		g.Expect(imagesOf(records.ImageStatsQuery{})).To(Equal([]string{"x", "a-b", "ab"}), "in the order of bytes")
		g.Expect(imagesOf(records.ImageStatsQuery{Namespace: "team"})).To(Equal([]string{"a-b", "ab"}))
		g.Expect(imagesOf(records.ImageStatsQuery{Namespace: "team", Deleted: true})).To(Equal([]string{"a-b", "ab", "gone"}))
		g.Expect(imagesOf(records.ImageStatsQuery{Namespace: "nowhere"})).To(BeEmpty())
		asked := []types.UID{"gone", "x", "ab", "never there"}
		g.Expect(imagesOf(records.ImageStatsQuery{Images: asked})).To(Equal([]string{"x", "ab"}))
		g.Expect(imagesOf(records.ImageStatsQuery{Images: asked, Namespace: "team", Deleted: true})).To(Equal([]string{"ab", "gone"}))
		_, err := store.ImageStats(ctx, records.ImageStatsQuery{Images: make([]types.UID, records.MaxLimit+1)})
		g.Expect(err).To(MatchError(records.ErrInvalid))
	})
}

func randomBuild(random *rand.Rand, i int) *v1alpha1.ImageBuild {
	n := random.IntN(8)
	image := records.ImageKey{Namespace: fmt.Sprintf("team-%d", n%2), Name: fmt.Sprintf("image%d", n), UID: types.UID(fmt.Sprintf("uid-%d", n))}
	created := random.IntN(1000)
	build := newBuild(image, int64(i), created)
	if random.IntN(10) == 0 {
		build.Spec.ImageRef, build.Spec.Number = nil, nil
	}
	phases := []v1alpha1.BuildPhase{v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildFailed, v1alpha1.BuildCancelled, v1alpha1.BuildRunning}
	phase := phases[random.IntN(len(phases))]
	if phase == v1alpha1.BuildRunning {
		return build
	}
	started := created + random.IntN(20) - 2 // clocks jump
	ran(build, phase, started, started+random.IntN(60)-3)
	if phase == v1alpha1.BuildFailed {
		classes := []v1alpha1.FailureClass{v1alpha1.FailureUser, v1alpha1.FailureRegistry, v1alpha1.FailureInfrastructure}
		build.Status.Failure.Class = classes[random.IntN(len(classes))]
	}
	if random.IntN(5) == 0 && phase != v1alpha1.BuildSucceeded {
		build.Status.StartTime, build.Status.Attempts = nil, nil
	}
	if random.IntN(4) == 0 {
		build.Status.RequeuedDuration = &metav1.Duration{Duration: time.Duration(random.IntN(50)) * time.Second}
	}
	if random.IntN(6) == 0 {
		build.Spec.OneOff = new(true)
	}
	return build
}

// countByHand counts one build of an image after the other.
func countByHand(builds []*v1alpha1.ImageBuild, window records.Window, image types.UID) records.Stats {
	stats := records.Stats{Failures: map[v1alpha1.FailureClass]int64{}}
	var took, waited []time.Duration
	var judged []*v1alpha1.ImageBuild
	for _, build := range builds {
		ref, end := build.Spec.ImageRef, build.Status.CompletionTime
		if ref == nil || ref.UID != image || end == nil || end.Time.Before(window.Since) || !end.Time.Before(window.Until) {
			continue
		}
		if build.IsOneOff() {
			stats.OneOffs++
			continue
		}
		stats.Builds++
		if start := build.Status.StartTime; start != nil {
			var again time.Duration
			if requeued := build.Status.RequeuedDuration; requeued != nil {
				again = requeued.Duration
			}
			waited = append(waited, max(0, start.Sub(build.Status.QueuedTime.Time))+again)
			if build.Status.Phase == v1alpha1.BuildSucceeded {
				took = append(took, max(0, end.Sub(start.Time)-again))
			}
		}
		switch build.Status.Phase {
		case v1alpha1.BuildSucceeded:
			stats.Succeeded++
		case v1alpha1.BuildFailed:
			stats.Failed++
			stats.Failures[build.Status.Failure.Class]++
		case v1alpha1.BuildCancelled:
			stats.Cancelled++
			continue
		}
		judged = append(judged, build)
	}
	stats.Duration, stats.QueueTime = percentilesByHand(took), percentilesByHand(waited)
	stats.Recoveries, stats.TimeToRecovery = recoveriesByHand(judged)
	return stats
}

func percentilesByHand(all []time.Duration) records.Percentiles {
	if len(all) == 0 {
		return records.Percentiles{}
	}
	slices.Sort(all)
	rank := func(percent int) time.Duration { return all[(len(all)*percent+99)/100-1] }
	return records.Percentiles{Count: int64(len(all)), P50: rank(50), P90: rank(90)}
}

func recoveriesByHand(builds []*v1alpha1.ImageBuild) (count int64, mean time.Duration) {
	slices.SortFunc(builds, func(a, b *v1alpha1.ImageBuild) int {
		return cmp.Or(a.Status.CompletionTime.Compare(b.Status.CompletionTime.Time), cmp.Compare(*a.Spec.Number, *b.Spec.Number))
	})
	var began time.Time
	var total time.Duration
	for _, build := range builds {
		switch end := build.Status.CompletionTime.Time; {
		case build.Status.Phase == v1alpha1.BuildFailed && began.IsZero():
			began = end
		case build.Status.Phase == v1alpha1.BuildSucceeded && !began.IsZero():
			count, total, began = count+1, total+end.Sub(began), time.Time{}
		}
	}
	if count == 0 {
		return 0, 0
	}
	return count, (total / time.Duration(count)).Truncate(time.Microsecond)
}
