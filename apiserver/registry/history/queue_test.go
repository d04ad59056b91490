// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/metrics"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/records"
)

func edit(generation int64) Edit {
	return Edit{
		Image: records.ImageKey{Namespace: "team", Name: "web", UID: "uid"}, Generation: generation, Time: noon, User: "ada",
		Changes: []v1alpha1.InputChange{{Path: "suspend", From: "false", To: "true"}},
	}
}

// generations are those of which changes are recorded, the newest first.
func generations(t *testing.T, store *records.Store) []int64 {
	t.Helper()
	page, err := store.Changes(t.Context(), "uid", records.Paging{})
	require.NoError(t, err)
	found := []int64{}
	for _, change := range page.Items {
		found = append(found, change.Generation)
	}
	return found
}

func run(t *testing.T, queue *Queue) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		queue.Run(t.Context())
	}()
	return func() {
		t.Helper()
		queue.Close()
		NewWithT(t).Eventually(done).WithTimeout(patience).Should(BeClosed())
	}
}

func TestEditsAreRecordedInTheBackground(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t)
	database := &switched{store: store}
	queue := NewQueue(prepared(t, database.find), nil)
	stop := run(t, queue)
	defer stop()
	queue.Add(t.Context(), edit(2))
	queue.Add(t.Context(), edit(3))
	g.Eventually(func() []int64 { return generations(t, store) }).WithTimeout(patience).Should(Equal([]int64{3, 2}))
	page, err := store.Changes(t.Context(), "uid", records.Paging{Limit: 1})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(page.Items).To(ConsistOf(records.Change{
		Generation: 3, Time: noon, User: "ada", InputChange: v1alpha1.InputChange{Path: "suspend", From: "false", To: "true"},
	}))
	g.Eventually(func() float64 { return testutil.ToFloat64(queue.recorded) }).WithTimeout(patience).Should(BeEquivalentTo(2))
	g.Expect(testutil.ToFloat64(queue.dropped)).To(BeZero())
}

func TestEditsWaitForADatabaseThatIsUnavailable(t *testing.T) {
	g := NewWithT(t)
	clock := testingclock.NewFakeClock(noon)
	database := &switched{err: errUnavailable}
	queue := NewQueue(prepared(t, database.find), clock)
	stop := run(t, queue)
	defer stop()
	queue.Add(t.Context(), edit(2))
	queue.Add(t.Context(), edit(3))
	for range 2 * maxFailures { // however often it fails
		g.Eventually(clock.HasWaiters).WithTimeout(patience).Should(BeTrue())
		clock.Step(retryInterval)
	}
	g.Eventually(clock.HasWaiters).WithTimeout(patience).Should(BeTrue())
	store := openStore(t)
	database.set(store, nil)
	clock.Step(retryInterval)
	g.Eventually(func() []int64 { return generations(t, store) }).WithTimeout(patience).Should(Equal([]int64{3, 2}))
	g.Expect(testutil.ToFloat64(queue.dropped)).To(BeZero())
}

func TestTooManyEditsAreDroppedAndCounted(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t)
	database := &switched{store: store}
	queue := NewQueue(prepared(t, database.find), nil)
	for generation := range queueLength + 3 { // nobody takes them yet
		queue.Add(t.Context(), edit(int64(generation+2)))
	}
	g.Expect(testutil.ToFloat64(queue.dropped)).To(BeEquivalentTo(3))
	stop := run(t, queue)
	defer stop()
	g.Eventually(func() float64 { return testutil.ToFloat64(queue.recorded) }).WithTimeout(patience).Should(BeEquivalentTo(queueLength))
}

func TestAnEditThatTheDatabaseRefusesKeepsNoOtherWaiting(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t)
	database := &switched{store: store}
	queue := NewQueue(prepared(t, database.find), nil)
	stop := run(t, queue)
	defer stop()
	nameless := edit(2)
	nameless.Image.Name = ""
	queue.Add(t.Context(), nameless)
	queue.Add(t.Context(), edit(3))
	g.Eventually(func() []int64 { return generations(t, store) }).WithTimeout(patience).Should(Equal([]int64{3}))
	g.Expect(testutil.ToFloat64(queue.dropped)).To(BeEquivalentTo(1))
}

func TestWhatWaitsIsWrittenWhenTheServerStops(t *testing.T) {
	g := NewWithT(t)
	clock := testingclock.NewFakeClock(noon)
	store := openStore(t)
	database := &switched{err: errUnavailable}
	queue := NewQueue(prepared(t, database.find), clock)
	stop := run(t, queue)
	for generation := range 3 {
		queue.Add(t.Context(), edit(int64(generation+2)))
	}
	g.Eventually(clock.HasWaiters).WithTimeout(patience).Should(BeTrue()) // the first write was tried
	database.set(store, nil)
	stop()
	g.Expect(generations(t, store)).To(Equal([]int64{4, 3, 2}))
	g.Expect(testutil.ToFloat64(queue.dropped)).To(BeZero())
}

func TestWhatCannotBeWrittenThenIsCounted(t *testing.T) {
	g := NewWithT(t)
	database := &switched{err: errUnavailable}
	queue := NewQueue(prepared(t, database.find), testingclock.NewFakeClock(noon))
	stop := run(t, queue)
	for generation := range 3 {
		queue.Add(t.Context(), edit(int64(generation+2)))
	}
	stop()
	g.Expect(testutil.ToFloat64(queue.dropped)).To(BeEquivalentTo(3))
}

func TestEditsOfRequestsThatAreStillServedAreRecorded(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t)
	queue := NewQueue(prepared(t, (&switched{store: store}).find), nil)
	ctx, stopping := context.WithCancel(t.Context())
	stopping()
	go queue.Run(ctx)
	for generation := range int64(5) { // one after the other is recorded, not what happens to wait at the end
		queue.Add(t.Context(), edit(generation))
		g.Eventually(func() []int64 { return generations(t, store) }).WithTimeout(patience).Should(ContainElement(generation))
	}
	queue.Close()
}

func TestAServerThatNeverServedClosesItsQueue(t *testing.T) {
	g := NewWithT(t)
	store := openStore(t)
	queue := NewQueue(prepared(t, (&switched{store: store}).find), nil)
	queue.Add(t.Context(), edit(2))
	queue.Close()
	queue.Close()
	g.Expect(generations(t, store)).To(Equal([]int64{2}))
	queue.Run(t.Context()) // returns at once
}

func TestWithoutADatabaseNothingWaits(t *testing.T) {
	queue := NewQueue(prepared(t, nil), nil)
	for generation := range queueLength + 1 {
		queue.Add(t.Context(), edit(int64(generation)))
	}
	if dropped := testutil.ToFloat64(queue.dropped); dropped != 0 || len(queue.edits) != 0 {
		t.Errorf("%v are dropped, %d wait", dropped, len(queue.edits))
	}
}

func TestTheCountersAreRegistered(t *testing.T) {
	registry := prometheus.NewRegistry()
	for range 2 { // of the second server of a process they are not seen
		require.NoError(t, NewQueue(prepared(t, nil), nil).Register(registry))
	}
	families, err := registry.Gather()
	require.NoError(t, err)
	var got, want []string
	for _, family := range families {
		got = append(got, family.GetName())
	}
	for _, metric := range metrics.All() {
		if metric.Program == metrics.APIServer {
			want = append(want, metric.Name)
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("registered are %q, declared are %q", got, want)
	}
}
