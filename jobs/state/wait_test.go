// SPDX-License-Identifier: Apache-2.0

package state

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func suspended(job *batchv1.Job) {
	job.Spec.Suspend = new(true)
	job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: batchv1.JobSuspended, Status: corev1.ConditionTrue})
}

func resumed(job *batchv1.Job) {
	job.Spec.Suspend = new(false)
	job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: batchv1.JobSuspended, Status: corev1.ConditionFalse})
}

// noWorker is how the local runtime reports that a pod waits for a worker.
func noWorker(pod *corev1.Pod) {
	pod.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: v1alpha1.ReasonWaitingForWorker, Message: "2 of 2 workers are busy",
	}}
}

// kueues is a build whose Jobs are Kueue's.
func kueues(phase v1alpha1.BuildPhase) *scenario {
	w := given(phase)
	w.Build.Spec.Inputs.Template = &v1alpha1.BuildTemplate{QueueName: "builds"}
	return w
}

// held is a build whose attempt of a number waits for Kueue.
func held(attempt int32) *scenario {
	w := kueues(v1alpha1.BuildStarting)
	for i := int32(1); i < attempt; i++ {
		w.ended(v1alpha1.AttemptDisrupted, &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure, Reason: v1alpha1.ReasonEvicted}).attempt(i + 1)
	}
	w.Build.Status.StartTime = new(metav1.NewTime(t0))
	w.Build.Status = Next(w.job(suspended).Observed).Status
	w.Job = nil
	return w
}

// waitsForWorker is a build whose attempt of a number waits for a worker.
func waitsForWorker(attempt int32) *scenario {
	w := given(v1alpha1.BuildStarting)
	for i := int32(1); i < attempt; i++ {
		w.ended(v1alpha1.AttemptDisrupted, &v1alpha1.BuildFailure{Class: v1alpha1.FailureInfrastructure, Reason: v1alpha1.ReasonEvicted}).attempt(i + 1)
	}
	w.Build.Status.StartTime = new(metav1.NewTime(t0))
	w.Build.Status = Next(w.job().pod(corev1.PodPending, noWorker).Observed).Status
	return w
}

func TestAnAttemptThatIsHeld(t *testing.T) {
	const (
		queued, starting, run         = v1alpha1.BuildQueued, v1alpha1.BuildStarting, v1alpha1.BuildRunning
		cancelling, cancelled, failed = v1alpha1.BuildCancelling, v1alpha1.BuildCancelled, v1alpha1.BuildFailed
		succeeded, retrying           = v1alpha1.BuildSucceeded, v1alpha1.BuildRetrying
		byKueue, noFreeWorker         = v1alpha1.ReasonWaitingForKueue, v1alpha1.ReasonWaitingForWorker
	)
	going := deleted(t0.Add(time.Second))
	cases := []struct {
		name   string
		given  *scenario
		phases []v1alpha1.BuildPhase  // one after the other, as long as nothing else is seen
		action Action                 // after the last phase
		reason v1alpha1.FailureReason // of the build, or else of its first attempt
		why    string
	}{
		{name: "the Job is created suspended", given: kueues(starting).job(suspended), phases: []v1alpha1.BuildPhase{queued}, why: byKueue},
		{name: "it still is", given: held(1).job(suspended), phases: []v1alpha1.BuildPhase{queued}, why: byKueue},
		{name: "Kueue admits it", given: held(1).job(resumed), phases: []v1alpha1.BuildPhase{starting}, why: v1alpha1.ReasonWaitingForPod},
		{name: "Kueue admits it and its container runs", given: held(1).job(resumed).pod(corev1.PodRunning, running()), phases: []v1alpha1.BuildPhase{starting, run}},
		{name: "somebody suspends the Job of a build without a queue", given: given(starting).job(suspended), phases: []v1alpha1.BuildPhase{queued}, why: v1alpha1.ReasonJobSuspended},

		{name: "no worker is free", given: given(starting).job().pod(corev1.PodPending, noWorker), phases: []v1alpha1.BuildPhase{queued}, why: noFreeWorker},
		{name: "still no worker is free", given: waitsForWorker(1), phases: []v1alpha1.BuildPhase{queued}, why: noFreeWorker},
		{name: "a worker is free", given: waitsForWorker(1).pod(corev1.PodRunning, running()), phases: []v1alpha1.BuildPhase{starting, run}},
		{name: "it ended before anybody noticed that a worker was free", given: waitsForWorker(1).pod(corev1.PodSucceeded, exited(0, goodResult)), phases: []v1alpha1.BuildPhase{starting, succeeded}},
		{name: "it failed before anybody noticed that a worker was free", given: waitsForWorker(1).pod(corev1.PodFailed, exited(1, "")), phases: []v1alpha1.BuildPhase{starting, failed}, reason: v1alpha1.ReasonBuilderFailed},
		{name: "cancelled while no worker is free", given: waitsForWorker(1).cancelRequested(), phases: []v1alpha1.BuildPhase{queued}, action: DeleteJob},
		{name: "cancelled while no worker is free, and its pod is deleted", given: waitsForWorker(1).with(func(w *scenario) { w.Job, w.Pod, w.Living = nil, nil, nil }).cancelRequested(), phases: []v1alpha1.BuildPhase{cancelled}, reason: v1alpha1.ReasonCancelRequested},
		{name: "its pod is deleted while no worker is free", given: waitsForWorker(1).job(jobCondition(batchv1.JobFailed)).with(func(w *scenario) { w.Pod, w.Living = nil, nil }), phases: []v1alpha1.BuildPhase{starting, retrying, starting}, reason: v1alpha1.ReasonPodDeleted, action: CreateJob},
		{name: "the server restarts while no worker is free", given: waitsForWorker(2), phases: []v1alpha1.BuildPhase{queued}, reason: v1alpha1.ReasonEvicted, why: noFreeWorker},

		{name: "suspended while it runs", given: kueues(run).recorded().job(suspended).pod(corev1.PodRunning, running()), phases: []v1alpha1.BuildPhase{queued}, why: byKueue},
		{name: "suspended, its pod is going", given: kueues(run).recorded().job(suspended).pod(corev1.PodRunning, running(), going), phases: []v1alpha1.BuildPhase{queued}, why: byKueue},
		{name: "suspended, its pod was told to end and has", given: kueues(run).recorded().job(suspended).pod(corev1.PodFailed, exited(143, ""), going), phases: []v1alpha1.BuildPhase{queued}, why: byKueue},
		{name: "suspended, its pod is gone", given: kueues(run).recorded().job(suspended), phases: []v1alpha1.BuildPhase{queued}, why: byKueue},
		{name: "suspended before its container started", given: kueues(starting).job(suspended).pod(corev1.PodPending, going), phases: []v1alpha1.BuildPhase{queued}, why: byKueue},
		{name: "suspended and preempted by the scheduler", given: kueues(run).recorded().job(suspended).pod(corev1.PodFailed, exited(143, ""), disrupted("PreemptionByScheduler"), going), phases: []v1alpha1.BuildPhase{queued}, why: byKueue},

		{name: "its old pod is still going while it waits", given: held(1).job(suspended).pod(corev1.PodFailed, exited(143, ""), going), phases: []v1alpha1.BuildPhase{queued}, why: byKueue},
		{name: "its old pod still runs when it is admitted again", given: held(1).job(resumed).pod(corev1.PodRunning, running(), going), phases: []v1alpha1.BuildPhase{starting}, why: v1alpha1.ReasonWaitingForPod},
		{name: "its old pod has ended when it is admitted again", given: held(1).job(resumed).pod(corev1.PodFailed, exited(143, ""), going), phases: []v1alpha1.BuildPhase{starting}, why: v1alpha1.ReasonWaitingForPod},
		{name: "admitted again, and its new pod is deleted by hand", given: held(1).job(resumed, jobCondition(batchv1.JobFailureTarget)).pod(corev1.PodPending, going), phases: []v1alpha1.BuildPhase{starting, retrying, starting}, reason: v1alpha1.ReasonPodDeleted, action: CreateJob},
		{name: "the recorded pod of an admitted Job is deleted by hand", given: kueues(run).recorded().job(resumed).pod(corev1.PodFailed, exited(143, ""), deleted(t0.Add(2*time.Second))), phases: []v1alpha1.BuildPhase{retrying}, reason: v1alpha1.ReasonPodDeleted, action: DeleteJob},

		{name: "it may still succeed when it was deleted by hand", given: kueues(run).recorded().job(resumed).pod(corev1.PodRunning, running(), going), phases: []v1alpha1.BuildPhase{run}},

		{name: "it had succeeded when it was suspended", given: kueues(run).recorded().job(suspended).pod(corev1.PodSucceeded, exited(0, goodResult), going), phases: []v1alpha1.BuildPhase{succeeded}, action: DeleteJob},
		{name: "it succeeds while it is told to end", given: held(1).job(suspended).pod(corev1.PodSucceeded, exited(0, goodResult), going), phases: []v1alpha1.BuildPhase{starting, succeeded}, action: DeleteJob},
		{name: "its old pod turns out to have succeeded: the new one is not needed", given: held(1).job(resumed).pod(corev1.PodSucceeded, exited(0, goodResult), going), phases: []v1alpha1.BuildPhase{starting, succeeded}, action: DeleteJob},
		{name: "it had failed by itself when it was suspended", given: kueues(run).recorded().job(suspended).pod(corev1.PodFailed, exited(1, "")), phases: []v1alpha1.BuildPhase{failed}, reason: v1alpha1.ReasonBuilderFailed},
		{name: "it had failed by itself, seen while it waits", given: held(1).job(suspended).pod(corev1.PodFailed, exited(1, "")), phases: []v1alpha1.BuildPhase{starting, failed}, reason: v1alpha1.ReasonBuilderFailed},
		{name: "the Job has failed though it is suspended", given: held(1).job(suspended, jobCondition(batchv1.JobFailed)), phases: []v1alpha1.BuildPhase{starting, retrying, starting}, reason: v1alpha1.ReasonPodDeleted, action: CreateJob},

		{name: "the Job is deleted while it waits", given: held(1), phases: []v1alpha1.BuildPhase{starting, retrying, starting}, reason: v1alpha1.ReasonJobDeleted, action: CreateJob},
		{name: "the Job is being deleted while it waits", given: held(1).job(suspended, func(j *batchv1.Job) { j.DeletionTimestamp = new(metav1.NewTime(t0)) }), phases: []v1alpha1.BuildPhase{starting, retrying, starting}, reason: v1alpha1.ReasonJobDeleted, action: CreateJob},
		{name: "another Job has its name", given: held(1).job(suspended, func(j *batchv1.Job) { j.UID = "other" }), phases: []v1alpha1.BuildPhase{starting, retrying, starting}, reason: v1alpha1.ReasonJobDeleted, action: CreateJob},
		{name: "a stranger's Job that is suspended", given: kueues(starting).job(suspended, func(j *batchv1.Job) { j.OwnerReferences = nil }), phases: []v1alpha1.BuildPhase{retrying, starting}, reason: v1alpha1.ReasonJobConflict, action: CreateJob},

		{name: "cancelled while it waits: nothing has started that could be told to end", given: held(1).job(suspended).cancelRequested(), phases: []v1alpha1.BuildPhase{cancelled}, reason: v1alpha1.ReasonCancelRequested, action: DeleteJob},
		{name: "cancelled while it waits, its old pod still going", given: held(1).job(suspended).pod(corev1.PodFailed, exited(143, ""), going).cancelRequested(), phases: []v1alpha1.BuildPhase{cancelled}, reason: v1alpha1.ReasonCancelRequested, action: DeleteJob},
		{name: "cancelled while it waits, and the Job is gone", given: held(1).cancelRequested(), phases: []v1alpha1.BuildPhase{cancelled}, reason: v1alpha1.ReasonCancelRequested},
		{name: "cancelled when it was just admitted", given: held(1).job(resumed).cancelRequested(), phases: []v1alpha1.BuildPhase{cancelled}, reason: v1alpha1.ReasonCancelRequested, action: DeleteJob},
		{name: "cancelled when its container had started: its log stays", given: held(1).job(resumed).pod(corev1.PodRunning, running()).cancelRequested(), phases: []v1alpha1.BuildPhase{starting, cancelling}, action: StopPod},
		{name: "cancelled, but it had succeeded", given: held(1).job(suspended).pod(corev1.PodSucceeded, exited(0, goodResult), going).cancelRequested(), phases: []v1alpha1.BuildPhase{starting, succeeded}, action: DeleteJob},
		{name: "suspended while it is being cancelled", given: kueues(cancelling).recorded().job(suspended).pod(corev1.PodRunning, running(), going).cancelRequested(), phases: []v1alpha1.BuildPhase{cancelling}, action: DeleteJob},
		{name: "finished: a suspended Job is deleted, or Kueue would admit it", given: kueues(failed).recorded().job(suspended), phases: []v1alpha1.BuildPhase{failed}, action: DeleteJob},
		{name: "between attempts: a suspended Job is deleted", given: kueues(retrying).recorded().ended(v1alpha1.AttemptFailed, &v1alpha1.BuildFailure{Class: v1alpha1.FailureRegistry}).job(suspended), phases: []v1alpha1.BuildPhase{retrying}, action: DeleteJob},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w, decision := c.given, Decision{}
			for i, want := range c.phases {
				before := w.Build.DeepCopy()
				decision = Next(w.Observed)
				if diff := cmp.Diff(before, w.Build); diff != "" {
					t.Errorf("the build was changed: %s", diff)
				}
				from, to := before.Status.Phase, decision.Status.Phase
				if to != want {
					t.Fatalf("%s → %s, want %s; failure %+v", from, to, want, decision.Status.Failure)
				}
				if from != to && !slices.Contains(legal[from], to) {
					t.Errorf("%s → %s is not a legal transition", from, to)
				}
				consistent(t, w.Observed, decision.Status)
				w.Build.Status = decision.Status
				if to == retrying && i+1 < len(c.phases) {
					w.Job, w.Pod, w.Living = nil, nil, nil // they are deleted in between
				}
			}
			decision = Next(w.Observed)
			if decision.Action != c.action {
				t.Errorf("action %q, want %q", decision.Action, c.action)
			}
			status := w.Build.Status
			if status.CurrentAttempt > 1 {
				status.Attempts = status.Attempts[:1]
			}
			if got := reasonOf(status); got != c.reason {
				t.Errorf("reason %q, want %q", got, c.reason)
			}
			if got := why(w.Build.Status); c.why != "" && got != c.why {
				t.Errorf("why %q, want %q", got, c.why)
			}
			if decision.Status.Phase == queued && !cmp.Equal(decision.Status, w.Build.Status) {
				t.Errorf("asked again it decides something else: %s", cmp.Diff(w.Build.Status, decision.Status))
			}
		})
	}
}

func TestASuspendedAttemptGoesOn(t *testing.T) {
	w := kueues(v1alpha1.BuildRunning).recorded().job(suspended).pod(corev1.PodRunning, running())
	w.current().NodeName = "node"
	status := Next(w.Observed).Status
	attempt := status.Attempts[0]
	if len(status.Attempts) != 1 || attempt.Outcome != "" || attempt.CompletionTime != nil || attempt.JobUID != "job-uid" {
		t.Errorf("the attempt ended: %+v", attempt)
	}
	if attempt.PodName != "" || attempt.PodUID != "" || attempt.NodeName != "" {
		t.Errorf("its pod is still believed: %+v", attempt)
	}
	if admitted := meta.FindStatusCondition(status.Conditions, v1alpha1.BuildAdmitted); !strings.Contains(admitted.Message, "queue builds") {
		t.Errorf("message %q does not name the queue", admitted.Message)
	}
	if meta.IsStatusConditionTrue(status.Conditions, v1alpha1.BuildPodReady) {
		t.Error("the pod is said to be ready")
	}

	// The pod that takes its place is believed.
	w.Build.Status = status
	w.job(resumed).pod(corev1.PodRunning, running(), func(p *corev1.Pod) { p.UID = "second" })
	for range 2 {
		w.Build.Status = Next(w.Observed).Status
	}
	if w.Build.Status.Phase != v1alpha1.BuildRunning || w.current().PodUID != "second" || w.current().Number != 1 {
		t.Errorf("%s: attempt %+v", w.Build.Status.Phase, w.current())
	}
	if !meta.IsStatusConditionTrue(w.Build.Status.Conditions, v1alpha1.BuildAdmitted) {
		t.Error("it is not said to be admitted")
	}
}

func TestAJobThatIsDeletedWhileItWaitsWasNotAdmitted(t *testing.T) {
	status := Next(held(1).Observed).Status
	if status.Phase != v1alpha1.BuildStarting || meta.IsStatusConditionTrue(status.Conditions, v1alpha1.BuildAdmitted) {
		t.Errorf("%s, conditions %+v", status.Phase, status.Conditions)
	}
}

func TestASuspensionThatNobodySawIsNoFailure(t *testing.T) {
	resumedAt := func(after time.Duration) func(*batchv1.Job) {
		return func(job *batchv1.Job) {
			resumed(job)
			job.Status.Conditions[len(job.Status.Conditions)-1].LastTransitionTime = metav1.NewTime(t0.Add(after))
		}
	}
	running := func() *scenario { // its container was seen to start at t0
		w := kueues(v1alpha1.BuildRunning).recorded()
		w.Build.Status.Conditions = []metav1.Condition{{Type: v1alpha1.BuildPodReady, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(t0)}}
		return w
	}
	going := deleted(t0.Add(time.Minute))
	for name, w := range map[string]*scenario{
		"its pod is gone":          running().job(resumedAt(time.Minute)),
		"its pod is going":         running().job(resumedAt(time.Minute)).pod(corev1.PodRunning, going),
		"its pod has ended and is": running().job(resumedAt(time.Minute)).pod(corev1.PodFailed, exited(143, ""), going),
	} {
		status := Next(w.Observed).Status
		if status.Phase != v1alpha1.BuildQueued || len(status.Attempts) != 1 || status.Attempts[0].Outcome != "" || status.Attempts[0].PodUID != "" {
			t.Errorf("%s: phase %s, attempts %+v", name, status.Phase, status.Attempts)
		}
		w.Build.Status, w.Pod = status, nil
		if status = Next(w.Observed).Status; status.Phase != v1alpha1.BuildStarting || len(status.Attempts) != 1 {
			t.Errorf("%s: then phase %s, attempts %+v", name, status.Phase, status.Attempts)
		}
	}
	for name, w := range map[string]*scenario{
		"resumed before it started": running().job(resumedAt(-time.Minute)),
		"the Job has failed":        running().job(resumedAt(time.Minute), jobCondition(batchv1.JobFailureTarget)),
	} {
		if attempt := Next(w.Observed).Status.Attempts[0]; attempt.Outcome != v1alpha1.AttemptDisrupted || attempt.Failure.Reason != v1alpha1.ReasonPodDeleted {
			t.Errorf("%s: %+v", name, attempt)
		}
	}
}

func TestTheStartTimeoutCountsFromKueuesAdmission(t *testing.T) {
	w := held(1)
	w.Build.Spec.Timeouts.Start = &v1alpha1.Duration{Duration: time.Minute}
	w.Now = t0.Add(time.Hour)
	if decision := Next(w.job(suspended).Observed); decision.Status.Phase != v1alpha1.BuildQueued {
		t.Fatalf("phase %s while it waits", decision.Status.Phase)
	}
	w.Build.Status = Next(w.job(resumed).Observed).Status
	w.Now = t0.Add(time.Hour + time.Minute)
	if got := Next(w.Observed).Status.Phase; got != v1alpha1.BuildStarting {
		t.Errorf("phase %s a minute after it was admitted", got)
	}
	w.Now = w.Now.Add(rounding)
	if got := reasonOf(Next(w.Observed).Status); got != v1alpha1.ReasonStartTimeout {
		t.Errorf("reason %q later", got)
	}
}

func TestTheStartTimeoutDoesNotCountTheWaitForAWorker(t *testing.T) {
	w := given(v1alpha1.BuildStarting).job().pod(corev1.PodPending, noWorker)
	w.Build.Spec.Timeouts.Start = &v1alpha1.Duration{Duration: time.Second}
	w.Now = t0.Add(time.Hour) // the controller did not run when the pod began to wait
	for range 2 {
		w.Build.Status = Next(w.Observed).Status
		if got := w.Build.Status; got.Phase != v1alpha1.BuildQueued || got.Failure != nil {
			t.Fatalf("phase %s with %+v", got.Phase, got.Failure)
		}
	}
	w.Now = t0.Add(v1alpha1.DefaultQueueTimeout + rounding)
	if got := reasonOf(Next(w.Observed).Status); got != v1alpha1.ReasonQueueTimeout {
		t.Errorf("reason %q at the end of timeouts.queue", got)
	}
}

// The time that a build is queued must not count as its duration, whatever it is queued for.
func TestTimeInTheQueueIsNoDuration(t *testing.T) {
	const waited, ran = 20 * time.Minute, 10 * time.Second // a build that waits again has run for some time before
	released := metav1.NewTime(t0.Add(waited))
	resumedThen := func(job *batchv1.Job) { resumed(job); job.Status.StartTime = &released }
	started := func(pod *corev1.Pod) { pod.Status.StartTime = &released }
	suspends := func(w *scenario) *scenario {
		w.Build.Status.StartTime = new(metav1.NewTime(t0))
		w.Build.Status = Next(w.job(suspended).Observed).Status
		return w
	}
	ranBefore := func() *scenario {
		return suspends(kueues(v1alpha1.BuildRunning).recorded().pod(corev1.PodRunning, running())).with(func(w *scenario) { w.Pod, w.Living = nil, nil })
	}
	for name, c := range map[string]struct {
		given *scenario
		then  func(w *scenario)
		late  time.Duration // when this is observed, after the release
	}{
		"Kueue admits it":                          {held(1), func(w *scenario) { w.job(resumedThen) }, 0},
		"Kueue admits it while no controller runs": {held(1), func(w *scenario) { w.job(resumedThen).pod(corev1.PodRunning, running(), started) }, time.Hour},
		"a worker is free":                         {waitsForWorker(1), func(w *scenario) { w.pod(corev1.PodRunning, running(), started) }, 0},
		"a worker is free, and the build succeeds": {waitsForWorker(1), func(w *scenario) { w.pod(corev1.PodSucceeded, exited(0, goodResult), started) }, time.Hour},
		"a worker is free, and the build fails":    {waitsForWorker(1), func(w *scenario) { w.pod(corev1.PodFailed, exited(1, ""), started) }, time.Hour},
		"the clock of the node is ahead": {waitsForWorker(1), func(w *scenario) {
			w.pod(corev1.PodRunning, running(), func(p *corev1.Pod) { p.Status.StartTime = new(metav1.NewTime(t0.Add(5 * waited))) })
		}, 0},
		"a user had suspended its Job by hand": {suspends(given(v1alpha1.BuildStarting)), func(w *scenario) { w.job(resumedThen) }, 0},
		"a worker is free after a suspension": {suspends(given(v1alpha1.BuildStarting)).with(func(w *scenario) {
			w.Build.Status = Next(w.job(resumed, func(job *batchv1.Job) { job.Status.StartTime = new(metav1.NewTime(t0)) }).pod(corev1.PodPending, noWorker).Observed).Status
		}), func(w *scenario) { w.pod(corev1.PodRunning, running(), started) }, time.Hour},

		"again: Kueue admits the second attempt":          {held(2), func(w *scenario) { w.job(resumedThen) }, time.Hour},
		"again: a worker is free for the second attempt":  {waitsForWorker(2), func(w *scenario) { w.pod(corev1.PodRunning, running(), started) }, 0},
		"again: a worker is free, and the build succeeds": {waitsForWorker(2), func(w *scenario) { w.pod(corev1.PodSucceeded, exited(0, goodResult), started) }, time.Hour},
		"again: a worker is free, and the build fails":    {waitsForWorker(2), func(w *scenario) { w.pod(corev1.PodFailed, exited(1, ""), started) }, time.Hour},
		"again: a container has run, and Kueue admits it": {ranBefore(), func(w *scenario) { w.job(resumedThen) }, time.Hour},
		"again: its Job is resumed, which the Job lacks yet": {ranBefore(), func(w *scenario) {
			w.job(suspended, func(job *batchv1.Job) { job.Spec.Suspend, job.Status.StartTime = new(false), new(metav1.NewTime(t0)) })
		}, 0},
		"again: it is cancelled":                   {ranBefore(), func(w *scenario) { w.cancelRequested() }, 0},
		"again: it is cancelled, its old pod ends": {ranBefore().pod(corev1.PodFailed, exited(143, ""), deleted(t0)), func(w *scenario) { w.cancelRequested() }, 0},
		"again: it waits too long": {ranBefore(), func(w *scenario) {
			w.Build.Spec.Timeouts.Queue = &v1alpha1.Duration{Duration: time.Minute}
		}, 0},
		"again: its Job is deleted": {ranBefore(), func(w *scenario) { w.Job = nil }, 0},
	} {
		w, again := c.given, strings.HasPrefix(name, "again")
		since, began := t0, released
		if again {
			since, began = t0.Add(ran), metav1.NewTime(t0)
		}
		if status := w.Build.Status; status.Phase != v1alpha1.BuildQueued || (status.StartTime != nil) != again || (status.QueuedTime == nil) != again || !again && !status.QueuedTime.Time.Equal(t0) {
			t.Errorf("%s: before, %s, started %v, queued %v", name, status.Phase, status.StartTime, status.QueuedTime)
		}
		if took, started := w.Build.Status.DurationAt(released.Time); started != again || again && took != ran {
			t.Errorf("%s: before, the build has taken %s", name, took)
		}
		hasRun := (&transition{Observed: w.Observed, status: &w.Build.Status}).hasRun()
		w.Now = released.Add(c.late)
		c.then(w)
		for range 4 {
			w.Build.Status = Next(w.Observed).Status
		}
		status := w.Build.Status
		if status.StartTime == nil || !status.StartTime.Equal(&began) {
			t.Errorf("%s: the build started at %v, want %v", name, status.StartTime, began)
		}
		if got := w.current().StartTime; !hasRun && !got.Equal(&released) {
			t.Errorf("%s: the attempt started at %v, want %v", name, got, released)
		}
		if took, _ := status.DurationAt(w.Now); took != c.late+since.Sub(t0) {
			t.Errorf("%s: the build has taken %s, want %s", name, took, c.late+since.Sub(t0))
		}
		if got, _ := w.Build.QueueTime(); got != released.Sub(since) {
			t.Errorf("%s: the build was queued for %s, want %s", name, got, released.Sub(since))
		}
	}
}

func TestWhatHasRunKeepsItsStart(t *testing.T) {
	w := kueues(v1alpha1.BuildRunning).recorded().job(suspended).pod(corev1.PodRunning, running())
	w.Build.Status.StartTime = new(metav1.NewTime(t0))
	w.Now = t0.Add(time.Hour)
	w.Build.Status = Next(w.Observed).Status
	w.Now = t0.Add(2 * time.Hour)
	w.Build.Status = Next(w.job(resumed).Observed).Status
	if got := w.Build.Status; !got.StartTime.Time.Equal(t0) || !got.Attempts[0].StartTime.Time.Equal(t0) {
		t.Errorf("the build started at %v, the attempt at %v", got.StartTime, got.Attempts[0].StartTime)
	}
}

func TestWhatKueueMakesABuildWaitCountsForItsQueueTimeout(t *testing.T) {
	limit := &v1alpha1.Duration{Duration: time.Minute}
	w := held(1).job(suspended)
	w.Build.Spec.Timeouts.Queue = limit
	w.Build.Spec.Retry.Classes = []v1alpha1.FailureClass{v1alpha1.FailureTimeout}
	queued := w.Build.Status.QueuedTime.Time
	w.Now = queued.Add(time.Minute)
	if decision := Next(w.Observed); decision.Status.Phase != v1alpha1.BuildQueued || decision.After != rounding {
		t.Errorf("phase %s, next reconcile after %s", decision.Status.Phase, decision.After)
	}
	w.Now = w.Now.Add(rounding)
	if got := Next((&scenario{w.Observed}).job(resumed).Observed).Status.Phase; got != v1alpha1.BuildStarting {
		t.Errorf("admitted at the last moment: phase %s", got)
	}
	status := Next(w.job(suspended).Observed).Status
	if status.Phase != v1alpha1.BuildFailed || reasonOf(status) != v1alpha1.ReasonQueueTimeout || status.Attempts[0].Outcome != v1alpha1.AttemptFailed {
		t.Fatalf("%s with %+v", status.Phase, status.Failure)
	}
	if got := status.Failure.Message; !strings.Contains(got, "not admitted within 1m") || !strings.Contains(got, "queue builds") {
		t.Errorf("message %q", got)
	}
	consistent(t, w.Observed, status)
	w.Build.Status = status
	if got := Next(w.Observed).Action; got != DeleteJob {
		t.Errorf("action %q: Kueue would start it later", got)
	}
}

func TestTheQueueTimeoutBeginsAnewOnceAContainerHasStarted(t *testing.T) {
	started := kueues(v1alpha1.BuildRunning).recorded().job(suspended).pod(corev1.PodRunning, running())
	started.Build.Status = Next(started.Observed).Status
	started.Pod = nil
	unnoticed := kueues(v1alpha1.BuildStarting).job(suspended).pod(corev1.PodRunning, running(), deleted(t0))
	unnoticed.Build.Status = Next(unnoticed.Observed).Status
	for name, w := range map[string]*scenario{
		"started": started, "started unnoticed": unnoticed, "the second attempt": held(2).job(suspended), "no worker for the second attempt": waitsForWorker(2),
	} {
		w.Build.Status.QueuedTime = new(metav1.NewTime(t0.Add(-time.Hour))) // for the first attempt
		held := meta.FindStatusCondition(w.Build.Status.Conditions, v1alpha1.BuildAdmitted).LastTransitionTime
		w.Now = held.Add(v1alpha1.DefaultQueueTimeout)
		if decision := Next(w.Observed); decision.Status.Phase != v1alpha1.BuildQueued || decision.After != rounding {
			t.Errorf("%s: phase %s, next reconcile after %s", name, decision.Status.Phase, decision.After)
		}
		w.Now = w.Now.Add(rounding)
		if got := Next(w.Observed).Status; got.Phase != v1alpha1.BuildFailed || got.Failure.Reason != v1alpha1.ReasonQueueTimeout {
			t.Errorf("%s, later: phase %s", name, got.Phase)
		}
	}
}

func TestTheQueueTimeoutBeginsAnewEachTimeThatKueueHoldsABuild(t *testing.T) {
	w := kueues(v1alpha1.BuildStarting).job(resumed).pod(corev1.PodRunning, running())
	store := func(after time.Duration) v1alpha1.ImageBuildStatus {
		w.Now = t0.Add(after)
		w.Build.Status = Next(w.Observed).Status
		return w.Build.Status
	}
	const before = v1alpha1.DefaultQueueTimeout - 30*time.Minute
	store(time.Minute) // it runs
	w.job(suspended).Pod, w.Living = nil, nil
	store(before)
	w.Build.Status.QueuedTime = new(metav1.NewTime(t0))
	w.job(resumed)
	store(before + time.Hour) // admitted again, and suspended before its container starts
	w.job(suspended)
	store(before + time.Hour + time.Minute)
	if got := store(before + time.Hour + 2*time.Minute); got.Phase != v1alpha1.BuildQueued {
		t.Errorf("it has waited for a minute: phase %s, %+v", got.Phase, got.Failure)
	}
	w.job(resumed)
	if got := store(before + time.Hour + 3*time.Minute).RequeuedDuration; got == nil || got.Duration != time.Hour+2*time.Minute {
		t.Errorf("it has waited again for an hour and for 2 minutes, and says %v", got)
	}
}

func TestNobodyAsksWhyASuspendedJobHasNoPod(t *testing.T) {
	w := kueues(v1alpha1.BuildStarting).job(suspended)
	if w.NeedsRefusal() {
		t.Error("its events are asked for")
	}
	if !w.job(resumed).NeedsRefusal() {
		t.Error("the events of a resumed Job are not asked for")
	}
}
