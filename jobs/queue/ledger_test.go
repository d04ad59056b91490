// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/queue"
)

// stored is a version of a build created directly.
func stored(name string, version int, phase v1alpha1.BuildPhase) *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{
		Namespace: "a", Name: name, UID: types.UID("uid-" + name), ResourceVersion: fmt.Sprint(version), CreationTimestamp: metav1.NewTime(epoch),
	}}
	build.Status.Phase = phase
	if phase.Active() || phase == v1alpha1.BuildSucceeded {
		build.Status.Attempts = []v1alpha1.BuildAttempt{{Number: 1}}
	}
	return build
}

func at(name string) queue.Key { return queue.Key{Namespace: "a", Name: name} }

// ledgerOf knows builds that wait, of which one may be active at a time.
func ledgerOf(names ...string) *queue.Ledger {
	l := queue.NewLedger(queue.Limits{Builds: 1})
	for i, name := range names {
		l.Observe(stored(name, i+1, v1alpha1.BuildPending))
	}
	return l
}

// expectAdmitted admits, and compares what was.
func expectAdmitted(t *testing.T, l *queue.Ledger, names ...string) {
	t.Helper()
	got := []string{}
	for _, key := range l.Admit(epoch) {
		got = append(got, key.Name)
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		t.Errorf("admitted %v, expected %v", got, names)
	}
}

func TestAnAdmittedBuildHoldsItsSlotBeforeItIsStored(t *testing.T) {
	l := ledgerOf("one", "two")
	expectAdmitted(t, l, "one")
	l.Observe(stored("one", 1, v1alpha1.BuildPending)) // a resync
	expectAdmitted(t, l)
	if admitted, why := l.Admission(at("one")); !admitted || why != "" {
		t.Errorf("build one is not admitted: %s", why)
	}
	if admitted, why := l.Admission(at("two")); admitted || why != "Goldsmith has reached its limit of active builds (1)" {
		t.Errorf("it waits for %q", why)
	}
}

func TestWhatWasWrittenCountsBeforeTheCacheHasIt(t *testing.T) {
	l := ledgerOf("one", "two")
	expectAdmitted(t, l, "one")
	if !l.ObserveAPI(stored("one", 10, v1alpha1.BuildStarting)) {
		t.Error("the hold was not settled")
	}
	l.Observe(stored("one", 5, v1alpha1.BuildQueued)) // older
	expectAdmitted(t, l)
	if l.ObserveAPI(stored("one", 20, v1alpha1.BuildSucceeded)) {
		t.Error("a hold was settled twice")
	}
	l.Observe(stored("one", 10, v1alpha1.BuildStarting)) // older
	expectAdmitted(t, l, "two")
	l.Observe(stored("one", 20, v1alpha1.BuildSucceeded))
	if l.Has(at("one"), "uid-one") {
		t.Error("a build that the cache knows to have finished is kept")
	}
}

func TestANewerVersionThatStillWaitsEndsTheHold(t *testing.T) {
	l := ledgerOf("one", "two")
	expectAdmitted(t, l, "one")
	l.MarkUncertain(at("one"))
	cancelled := stored("one", 5, v1alpha1.BuildPending)
	cancelled.Spec.CancelRequested = &v1alpha1.CancelRequested{}
	l.Observe(cancelled) // what would start version 1 cannot arrive any more
	expectAdmitted(t, l, "two")
}

func TestAReleasedBuildIsPassedOverUntilItIsWoken(t *testing.T) {
	l := ledgerOf("one", "two")
	expectAdmitted(t, l, "one")
	l.Release(at("one"))
	l.Release(at("unknown"))
	expectAdmitted(t, l, "two")
	l.Resume(at("one"))
	l.Resume(at("two"))
	expectAdmitted(t, l)
	l.Release(at("two"))
	expectAdmitted(t, l, "one")
}

func TestABuildThatMayHaveBeenStartedIsNotReleased(t *testing.T) {
	l := ledgerOf("one", "two")
	expectAdmitted(t, l, "one")
	l.MarkUncertain(at("one"))
	l.Release(at("one"))
	expectAdmitted(t, l)
	l.MarkUncertain(at("two")) // not admitted: nothing to be unsure of
	l.Observe(stored("one", 5, v1alpha1.BuildStarting))
	expectAdmitted(t, l)
	l.Forget(at("one"), "uid-one")
	expectAdmitted(t, l, "two")
	l.Release(at("two"))
	l.Resume(at("two"))
	expectAdmitted(t, l, "two")
}

func TestADeletedBuildGivesItsSlotBack(t *testing.T) {
	l := ledgerOf("one", "two")
	expectAdmitted(t, l, "one")
	l.Forget(at("one"), "another")
	expectAdmitted(t, l)
	l.Forget(at("one"), "uid-one")
	if l.ObserveAPI(stored("one", 10, v1alpha1.BuildStarting)) { // the answer to the write comes after the news of the deletion
		t.Error("a deleted build was settled")
	}
	expectAdmitted(t, l, "two")
}

func TestABuildOfTheSameNameIsAnother(t *testing.T) {
	l := ledgerOf("one", "two")
	expectAdmitted(t, l, "one")
	again := stored("one", 9, v1alpha1.BuildPending)
	again.UID, again.CreationTimestamp = "new", metav1.NewTime(epoch.Add(time.Minute))
	l.Observe(again)
	l.Forget(at("one"), "uid-one")
	if !l.HasVersion(at("one"), "new", "9") || l.HasVersion(at("one"), "new", "10") || l.HasVersion(at("one"), "uid-one", "1") {
		t.Error("the new build is not known as it is")
	}
	if l.ObserveAPI(stored("one", 30, v1alpha1.BuildStarting)) {
		t.Error("the old build was mistaken for the new build")
	}
	expectAdmitted(t, l, "two")
	if l.Waiting() != 1 {
		t.Errorf("%d builds wait", l.Waiting())
	}
}

func TestALedgerKeepsWhatANamespaceMayHave(t *testing.T) {
	none := 0
	l := ledgerOf("one")
	l.SetNamespace("a", queue.Share{MaxBuilds: &none})
	expectAdmitted(t, l)
	l.SetNamespace("a", queue.Share{})
	expectAdmitted(t, l, "one")
}
