// SPDX-License-Identifier: Apache-2.0

package local

import (
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/jobs/local/internal/reconcile"
)

func TestWhichSignalIsDue(t *testing.T) {
	started := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return started.Add(time.Duration(seconds) * time.Second) }
	deadline := func(seconds, grace int64) *corev1.Pod {
		return &corev1.Pod{Spec: corev1.PodSpec{ActiveDeadlineSeconds: &seconds, TerminationGracePeriodSeconds: &grace}}
	}
	deleted := func(grace int64) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}, DeletionGracePeriodSeconds: &grace}}
	}
	type look struct {
		at    int
		pod   *corev1.Pod
		kill  bool
		due   syscall.Signal
		again int // seconds after the start; 0: never
	}
	for name, c := range map[string]struct {
		looks    []look
		deadline bool
	}{
		"no deadline": {deadline: true, looks: []look{
			{at: 3599, pod: &corev1.Pod{}, again: 3600},
			{at: 3600, pod: &corev1.Pod{}, due: syscall.SIGTERM, again: 3630},
		}},
		"deadline, then the grace period": {deadline: true, looks: []look{
			{at: 0, pod: deadline(10, 5), again: 10},
			{at: 10, pod: deadline(10, 5), due: syscall.SIGTERM, again: 15},
			{at: 12, pod: deadline(10, 5), again: 15},
			{at: 15, pod: deadline(10, 5), due: syscall.SIGKILL},
			{at: 16, pod: deadline(10, 5)},
		}},
		"lowered deadline": {deadline: true, looks: []look{
			{at: 0, pod: deadline(100, 5), again: 100},
			{at: 50, pod: deadline(1, 5), due: syscall.SIGTERM, again: 55},
		}},
		"no grace": {looks: []look{{at: 1, pod: deleted(0), due: syscall.SIGKILL}}},
		"the grace of a pod that has none given": {deadline: true, looks: []look{
			{at: 9, pod: &corev1.Pod{Spec: corev1.PodSpec{ActiveDeadlineSeconds: new(int64(9))}}, due: syscall.SIGTERM, again: 39},
		}},
		"a deletion with less patience": {looks: []look{
			{at: 1, pod: deleted(100), due: syscall.SIGTERM, again: 101},
			{at: 2, pod: deleted(10), again: 12},
			{at: 3, pod: deleted(10), again: 12},
			{at: 12, pod: deleted(10), due: syscall.SIGKILL},
		}},
		"a deletion does not lengthen": {deadline: true, looks: []look{
			{at: 10, pod: deadline(10, 5), due: syscall.SIGTERM, again: 15},
			{at: 11, pod: deleted(1000), again: 15},
		}},
		"removed outright": {looks: []look{
			{at: 1, pod: deleted(100), due: syscall.SIGTERM, again: 101},
			{at: 2, pod: deleted(100), kill: true, due: syscall.SIGKILL},
		}},
		"a deadline beyond all measure": {looks: []look{{at: 1, pod: deadline(1<<62, 5), again: 7 * 24 * 3600}}},
	} {
		t.Run(name, func(t *testing.T) {
			var e ending
			for _, look := range c.looks {
				due, again := e.next(look.pod, started, look.kill, at(look.at))
				want := at(look.again)
				if look.again == 0 {
					want = time.Time{}
				}
				if due != look.due || !again.Equal(want) {
					t.Errorf("after %d s: signal %d, again at %v; want %d, %v", look.at, due, again, look.due, want)
				}
			}
			if e.deadlineExceeded != c.deadline {
				t.Errorf("deadline exceeded: %t", e.deadlineExceeded)
			}
		})
	}
}

func TestTheOldestWaitingPodIsNext(t *testing.T) {
	var woken []string
	w := newWorkers([classes]int{builds: 1}, func(ref reconcile.Ref) { woken = append(woken, ref.Name) })
	ref := func(name string) reconcile.Ref { return reconcile.Ref{Name: name, UID: types.UID(name)} }
	old := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	acquire := func(name string, created time.Time) bool {
		acquired, _ := w.acquire(ref(name), created, demand{builder: "shell"})
		return acquired
	}
	if !acquire("first", old) || acquire("young", old.Add(2)) || acquire("gone", old) || acquire("old", old.Add(1)) {
		t.Fatal("one worker, one pod")
	}
	w.abandon("gone")
	w.release("first")
	if !acquire("old", old) {
		t.Error("the pod old has lost its queue position")
	}
	w.release("old")
	w.abandon("young") // the worker was reserved for the pod, which never claims it
	if !acquire("last", old) {
		t.Error("a worker is lost")
	}
	if got := strings.Join(woken, " "); got != "old young" {
		t.Errorf("woken %s", got)
	}
}
