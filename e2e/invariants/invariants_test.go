// SPDX-License-Identifier: Apache-2.0

package invariants_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/invariants"
)

// expect expects a violation that contains a text, or none if it is empty.
func expect(t *testing.T, want string, got []string) {
	t.Helper()
	if text := strings.Join(got, "\n"); want == "" && text != "" || !strings.Contains(text, want) {
		t.Errorf("violations %q, want %q", text, want)
	}
}

// newBuild succeeded in its second attempt.
func newBuild() *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "web-1", UID: "build"}, Status: v1alpha1.ImageBuildStatus{
		Phase: v1alpha1.BuildSucceeded, Finished: true, CurrentAttempt: 2, Resolved: &v1alpha1.ResolvedInputs{InputsDigest: "inputs"},
		Attempts: []v1alpha1.BuildAttempt{
			{Number: 1, JobName: "web-1-1", JobUID: "job-1", PodUID: "pod-1", Outcome: v1alpha1.AttemptDisrupted},
			{Number: 2, JobName: "web-1-2", JobUID: "job-2", PodUID: "pod-2", Outcome: v1alpha1.AttemptSucceeded},
		},
		Conditions: []metav1.Condition{{Type: v1alpha1.BuildConditionFinished, Status: metav1.ConditionTrue}},
		Artifacts:  []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: "sha256:good"}},
	}}
}

func newPod(uid, job types.UID, state corev1.ContainerState) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: string(uid), UID: uid, Labels: map[string]string{batchv1.ControllerUidLabel: string(job)}},
		Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "builder", State: state}}},
	}
}

func TestAVersionOfABuildFollowsAnother(t *testing.T) {
	running := func(b *v1alpha1.ImageBuild) {
		b.Status.Phase, b.Status.Finished, b.Status.Conditions, b.Status.Artifacts = v1alpha1.BuildRunning, false, nil, nil
		b.Status.Attempts[1].Outcome = ""
	}
	for _, test := range []struct {
		name          string
		before, after func(*v1alpha1.ImageBuild)
		want          string
	}{
		{"it ends", running, nil, ""},
		{"its log is archived after its end", nil, func(b *v1alpha1.ImageBuild) {
			b.Status.Conditions = append(b.Status.Conditions, metav1.Condition{Type: v1alpha1.BuildLogArchived}, metav1.Condition{Type: v1alpha1.BuildRecorded},
				metav1.Condition{Type: v1alpha1.BuildReproduced})
		}, ""},
		{"its phase changes after its end", nil, func(b *v1alpha1.ImageBuild) { b.Status.Phase = v1alpha1.BuildFailed }, "web-1 changed after its end"},
		{"a condition changes after its end", nil, func(b *v1alpha1.ImageBuild) { b.Status.Conditions[0].Status = metav1.ConditionFalse }, "web-1 changed after its end"},
		{"its inputs change", running, func(b *v1alpha1.ImageBuild) { b.Status.Resolved.InputsDigest = "other" }, "the inputs changed"},
		{"its inputs are lost", running, func(b *v1alpha1.ImageBuild) { b.Status.Resolved = nil }, "the inputs changed"},
		{"an attempt changes after its end", running, func(b *v1alpha1.ImageBuild) { b.Status.Attempts[0].NodeName = "n" }, "attempt 1 changed after its end"},
		{"an attempt is lost", running, func(b *v1alpha1.ImageBuild) { b.Status.Attempts = b.Status.Attempts[:1] }, "attempt 2 was forgotten"},
		{"an attempt has another number", nil, func(b *v1alpha1.ImageBuild) { b.Status.Attempts[1].Number = 3 }, "attempt 3 is in place 2"},
		{"the current attempt is another", nil, func(b *v1alpha1.ImageBuild) { b.Status.CurrentAttempt = 1 }, "attempt 1 is the current one of 2"},
		{"an attempt begins too early", nil, func(b *v1alpha1.ImageBuild) { b.Status.Attempts[0].Outcome = "" }, "attempt 2 began before the outcome of attempt 1"},
		{"an attempt gets another name of its Job", running, func(b *v1alpha1.ImageBuild) { b.Status.Attempts[1].JobName = "other" }, "got another Job"},
		{"an attempt gets another Job", running, func(b *v1alpha1.ImageBuild) { b.Status.Attempts[1].JobUID = "other" }, "got another Job"},
		{"an attempt gets another pod", running, func(b *v1alpha1.ImageBuild) { b.Status.Attempts[1].PodUID = "other" }, "got another pod"},
		{"an attempt loses its pod", running, func(b *v1alpha1.ImageBuild) { b.Status.Attempts[1].PodUID = "" }, "got another pod"},
		{"it is queued again", running, func(b *v1alpha1.ImageBuild) {
			running(b)
			b.Status.Phase, b.Status.Attempts[1].PodUID = v1alpha1.BuildQueued, ""
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, after := newBuild(), newBuild()
			if test.before != nil {
				test.before(before)
			}
			if test.after != nil {
				test.after(after)
			}
			expect(t, test.want, invariants.Transition(before, after))
		})
	}
	expect(t, "", invariants.Transition(nil, newBuild()))
}

func TestABuildEndsWithTheResultOfItsPod(t *testing.T) {
	const result = `{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","file":"disk","digest":"sha256:good","sizeBytes":1}]}`
	for want, spoil := range map[string]func(build *v1alpha1.ImageBuild, pod *corev1.Pod){
		"":                         func(*v1alpha1.ImageBuild, *corev1.Pod) {},
		"has not finished":         func(b *v1alpha1.ImageBuild, _ *corev1.Pod) { b.Status.Finished = false },
		"and attempt 2 has not":    func(b *v1alpha1.ImageBuild, _ *corev1.Pod) { b.Status.Attempts[1].Outcome = "" },
		"without an attempt":       func(b *v1alpha1.ImageBuild, _ *corev1.Pod) { b.Status.Attempts = nil },
		"its builder has reported": func(b *v1alpha1.ImageBuild, _ *corev1.Pod) { b.Status.Artifacts[0].Digest = "sha256:other" },
		"pod pod-2 has not ended":  func(_ *v1alpha1.ImageBuild, p *corev1.Pod) { p.Status.ContainerStatuses = nil },
		"the result of pod pod-2: i": func(_ *v1alpha1.ImageBuild, p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State.Terminated.Message = "?"
		},
	} {
		t.Run(want, func(t *testing.T) {
			build, pod := newBuild(), newPod("pod-2", "job-2", corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: result}})
			spoil(build, &pod)
			expect(t, want, invariants.End(build, func(uid types.UID) *corev1.Pod {
				if uid != pod.UID {
					t.Errorf("asked for pod %s", uid)
				}
				return &pod
			}))
		})
	}
	expect(t, "", invariants.End(newBuild(), func(types.UID) *corev1.Pod { return nil }))
}

func TestAPublishedBuildEndsAfterItsPublisher(t *testing.T) {
	ended := corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}
	for _, test := range []struct {
		reported  string
		publisher []corev1.ContainerStatus
		want      string
	}{
		{"", []corev1.ContainerStatus{ended}, ""},
		{"sha256:other", []corev1.ContainerStatus{ended}, "and its builder has reported map[linux/amd64/raw:sha256:other"},
		{"", []corev1.ContainerStatus{{}}, "the publisher of pod pod-2 has not ended"},
	} {
		message := `{"artifacts":[{"target":"linux/amd64/raw","file":"disk","digest":"` + test.reported + `"}]}`
		pod := newPod("pod-2", "job-2", corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: message}})
		fetcher := corev1.ContainerStatus{Name: "fetcher", State: ended.State}
		pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses = append([]corev1.ContainerStatus{fetcher}, pod.Status.ContainerStatuses...), test.publisher
		expect(t, test.want, invariants.End(newBuild(), func(types.UID) *corev1.Pod { return &pod }))
	}
}

func TestAnImageReportsItsLatestSuccessfulBuild(t *testing.T) {
	for want, spoil := range map[string]func(*v1alpha1.ImageBuild){
		"":               func(*v1alpha1.ImageBuild) {},
		"web-1 made":     func(b *v1alpha1.ImageBuild) { b.Status.Artifacts[0].Digest = "sha256:other" },
		"web-1 made map": func(b *v1alpha1.ImageBuild) { b.Status.Artifacts = nil },
		"is Failed":      func(b *v1alpha1.ImageBuild) { b.Status.Phase = v1alpha1.BuildFailed },
	} {
		build := newBuild()
		image := &v1alpha1.Image{Status: v1alpha1.ImageStatus{LatestSuccessful: &v1alpha1.SuccessfulBuild{Name: "web-1", Artifacts: slices.Clone(build.Status.Artifacts)}}}
		spoil(build)
		expect(t, want, invariants.Latest(image, map[string]*v1alpha1.ImageBuild{"web-1": build}))
		expect(t, "", invariants.Latest(image, nil)) // a user deleted it
	}
}

func TestABuildHasItsOwnNumberAndRequest(t *testing.T) {
	numbered := func(uid, image types.UID, number int64, request string) *v1alpha1.ImageBuild {
		build := newBuild()
		build.UID, build.Spec.ImageRef, build.Spec.Number = uid, &v1alpha1.ImageReference{Name: "web", UID: image}, &number
		build.Spec.Trigger = &v1alpha1.BuildTrigger{RequestID: request}
		return build
	}
	build := numbered("new", "image", 2, "b")
	direct := newBuild()
	direct.UID = "direct"
	for _, test := range []struct {
		other *v1alpha1.ImageBuild
		want  string
	}{
		{build, ""},
		{direct, ""},
		{numbered("old", "image", 1, "a"), ""},
		{numbered("old", "other", 2, "b"), ""},
		{numbered("old", "image", 2, "a"), "image web has two builds of number 2: old and new"},
		{numbered("old", "image", 1, "b"), "request b of image web has two builds"},
	} {
		expect(t, test.want, invariants.Distinct(build, []*v1alpha1.ImageBuild{test.other}))
	}
	expect(t, "", invariants.Distinct(direct, []*v1alpha1.ImageBuild{build}))
	first, second := numbered("first", "image", 0, "a"), numbered("second", "image", 0, "b")
	first.Spec.Number, second.Spec.Number = nil, nil
	expect(t, "image web has two builds of number 0: first and second", invariants.Distinct(second, []*v1alpha1.ImageBuild{first}))
}

func TestAJobBelongsToAnAttemptOfABuild(t *testing.T) {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Name: "web-1-2", UID: "job-2", Labels: map[string]string{v1alpha1.LabelAttempt: "2"}, OwnerReferences: []metav1.OwnerReference{{UID: "build", Controller: new(true)}},
	}}
	build := newBuild()
	if owner, violations := invariants.Owner(job, map[types.UID]*v1alpha1.ImageBuild{"build": build}); owner != build || len(violations) > 0 {
		t.Errorf("%v, %q", owner, violations)
	}
	_, violations := invariants.Owner(job, nil)
	expect(t, "belongs to no build", violations)

	for want, spoil := range map[string]func(*v1alpha1.BuildAttempt){
		"":                                   func(*v1alpha1.BuildAttempt) {},
		"is of no attempt":                   func(a *v1alpha1.BuildAttempt) { a.JobName = "other" },
		"attempt 2 of build web-1 has recor": func(a *v1alpha1.BuildAttempt) { a.JobUID = "other" },
	} {
		build := newBuild()
		spoil(&build.Status.Attempts[1])
		attempt, violations := invariants.Attempt(job, build)
		expect(t, want, violations)
		if want == "" && attempt != &build.Status.Attempts[1] {
			t.Errorf("attempt %+v", attempt)
		}
	}
	for _, number := range []string{"", "0", "3"} {
		job.Labels[v1alpha1.LabelAttempt] = number
		_, violations := invariants.Attempt(job, build)
		expect(t, "is of no attempt", violations)
	}
}

func TestOnlyAPodWhoseEndNobodyConfirmsRunsBesideAnother(t *testing.T) {
	now := time.Now()
	owners := map[types.UID]types.UID{"first": "build", "second": "build", "third": "other"}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	deleted := func(ago time.Duration, conditions ...corev1.PodCondition) *corev1.Pod {
		pod := newPod("pod-1", "first", running)
		pod.DeletionTimestamp, pod.Status.Conditions = new(metav1.NewTime(now.Add(-ago))), conditions
		return &pod
	}
	failed := newPod("pod-1", "first", running)
	failed.Status.Phase = corev1.PodFailed
	pod := func(uid, job types.UID) *corev1.Pod { return new(newPod(uid, job, running)) }
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want string
	}{
		"of the build":                  {pod("pod-1", "first"), "two pods of a build run: pod-1 and pod-2"},
		"of another build":              {pod("pod-1", "third"), ""},
		"of an unknown Job":             {pod("pod-1", "unknown"), ""},
		"that has ended":                {new(newPod("pod-1", "first", corev1.ContainerState{})), ""},
		"that Kubernetes has given up":  {&failed, ""},
		"that is deleted":               {deleted(time.Minute), "two pods of a build run"},
		"that is evicted":               {deleted(0, corev1.PodCondition{Type: corev1.DisruptionTarget, Reason: "EvictionByEvictionAPI"}), "two pods of a build run"},
		"on a lost node":                {deleted(0, corev1.PodCondition{Type: corev1.DisruptionTarget, Reason: "DeletionByTaintManager"}), ""},
		"whose end nobody has reported": {deleted(2 * time.Minute), ""},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, test.want, invariants.OneContainerRuns([]*corev1.Pod{test.pod, pod("pod-2", "second")}, owners, now))
		})
	}
}
