// SPDX-License-Identifier: Apache-2.0

package archives

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/probe"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// week is a week with the longest jitter.
const week = resolveInterval * 11 / 10

// resolves returns the images that a Job resolves.
func (w *world) resolves() (images []string) {
	w.Helper()
	w.reconcile()
	for _, job := range require.Value(w.kube.BatchV1().Jobs("team").List(w.Context(), metav1.ListOptions{}))(w.T).Items {
		input := require.Value(render.ParseInput([]byte(job.Spec.Template.Annotations[v1alpha1.AnnotationInput])))(w.T)
		if _, ours := render.ResolveOf(&job); !ours || !input.Resolve {
			w.Errorf("Job %s resolves nothing", job.Name)
		}
		images = append(images, job.Labels[v1alpha1.LabelResolve])
	}
	return images
}

// resolved ends the only resolve, whose answer has packages, each NAME=VERSION.
func (w *world) resolved(complete bool, packages ...string) {
	w.Helper()
	var log strings.Builder
	for _, text := range packages {
		name, version, _ := strings.Cut(text, "=")
		fmt.Fprintf(&log, "2026-11-20T08:00:00.000000000Z {\"package\":{\"name\":%q,\"architecture\":\"amd64\",\"version\":%q}}\n", name, version)
	}
	w.logs["pod"] = log.String()
	w.endIn("team", fmt.Sprintf(`{"version":1,"outcome":"Succeeded","resolved":{"packages":%d,"complete":%t}}`, len(packages), complete), 0)
}

// record stores what package image stores of candidates.
func (w *world) record(image string, found *trigger.Candidates) {
	w.Helper()
	stored := require.Value(w.client.ImagesV1alpha1().Images("team").Get(w.Context(), image, metav1.GetOptions{}))(w.T)
	stored.Status.Packages = &v1alpha1.ImagePackages{Build: found.Build, Resolved: found.Resolved}
	require.Value(w.client.ImagesV1alpha1().Images("team").UpdateStatus(w.Context(), stored, metav1.UpdateOptions{}))(w.T)
}

// outdatedImages stores Images whose archive has changed since their builds, of which one has a base, and lets a week pass.
func outdatedImages(t *testing.T) *world {
	w := newWorld(t)
	old := w.clock.Now().Add(-time.Hour)
	w.image("web", "", mirror, old, "libold=1", "nginx=1")
	w.image("child", "web", mirror, old, "libold=1", "nginx=1", "php=1")
	w.reconcile()
	w.answer(w.clock.Now().Add(-30*time.Minute), newer("nginx", "1"))
	for _, name := range []string{"web", "child"} {
		build := require.Value(w.client.ImagesV1alpha1().ImageBuilds("team").Get(t.Context(), name+"-1", metav1.GetOptions{}))(t)
		build.Status.CompletionTime = &metav1.Time{Time: old}
		require.Value(w.client.ImagesV1alpha1().ImageBuilds("team").UpdateStatus(t.Context(), build, metav1.UpdateOptions{}))(t)
	}
	if got := w.resolves(); len(got) > 0 {
		t.Errorf("after an hour, resolves %q", got)
	}
	w.pass(week)
	return w
}

// pass lets some time pass, at the end of which the archive is as it was.
func (w *world) pass(some time.Duration) {
	w.Helper()
	w.clock.SetTime(w.clock.Now().Add(some))
	w.reconcile()
	w.answer(time.Time{})
}

func TestTheInputsOfABuildAreResolvedWeekly(t *testing.T) {
	w := outdatedImages(t)
	if got := w.resolves(); !slices.Equal(got, []string{"web"}) {
		t.Fatalf("after a week, resolves %q", got)
	}
	w.image("second", "", mirror, w.clock.Now().Add(-2*week), "libold=1")
	if got := w.resolves(); !slices.Equal(got, []string{"web"}) {
		t.Errorf("while a resolve runs, resolves %q", got)
	}
	require.NoError(t, w.client.ImagesV1alpha1().Images("team").Delete(t.Context(), "second", metav1.DeleteOptions{}))
	if found := w.candidates("web"); found.Resolved != nil {
		t.Errorf("before the end, the resolve is %+v", found.Resolved)
	}
	end := w.clock.Now()
	w.resolved(true, "nginx=2", "libnew=3")
	w.restart()
	w.clock.SetTime(end.Add(time.Minute))
	if got := w.resolves(); !slices.Equal(got, []string{"web"}) {
		t.Errorf("before the result is stored, %q are resolved", got)
	}
	found := w.candidates("web")
	want := []string{"nginx 1→2 since 07:30", "libnew →3 since 07:30", "libold 1→ since 07:30"}
	if got := names(found.Updates); !slices.Equal(got, want) || found.Resolved == nil || !found.Resolved.Time.Time.Equal(end) || found.Resolved.Message != "" {
		t.Errorf("finds %q, %+v", got, found.Resolved)
	}
	if update := found.Updates[1]; update.Archive != w.archive().Name {
		t.Errorf("the update is of archive %q", update.Archive)
	}
	stale := require.Value(w.client.ImagesV1alpha1().Images("team").Get(t.Context(), "web", metav1.GetOptions{}))(t)
	builds := require.Value(caches.BuildsOf(t.Context(), w, stale))(t)
	w.record("web", found)
	w.resolves() // deletes the Job
	if started := require.Value(w.startResolve(t.Context(), &whole{stale, probe.Packages{Build: &builds[0]}}))(t); started {
		t.Error("a cache that is behind starts the same resolve again")
	}
	if got := w.resolves(); len(got) > 0 {
		t.Errorf("after the result is stored, %q are resolved", got)
	}
	if again := w.candidates("web"); again.Resolved != nil || len(again.Updates) != 1 {
		t.Errorf("after the result is stored, finds %+v", again)
	}
	w.pass(week)
	if got := w.resolves(); !slices.Equal(got, []string{"web"}) {
		t.Errorf("after another week, resolves %q", got)
	}

	// The Job of a build that is no longer the latest is deleted. The next build was made from the present state of the archive.
	image := require.Value(w.client.ImagesV1alpha1().Images("team").Get(t.Context(), "web", metav1.GetOptions{}))(t)
	w.build(image, 2, mirror, w.archive().Status.Release.Date.Time, "nginx=2")
	w.pass(week)
	if got := w.resolves(); len(got) > 0 {
		t.Errorf("after another build, resolves %q", got)
	}
}

func TestTheEndOfAResolve(t *testing.T) {
	quota := apierrors.NewForbidden(batchv1.Resource("jobs"), "web", errors.New("exceeded quota"))
	for name, c := range map[string]struct {
		refuse  error
		end     func(*world)
		updates string
		message string
	}{
		"the same packages": {end: func(w *world) { w.resolved(true, "libold=1", "nginx=1") }},
		"incomplete":        {end: func(w *world) { w.resolved(false, "libnew=3") }, updates: "libnew →3 since 07:30"},
		"not supported": {end: func(w *world) {
			w.endIn("team", `{"version":1,"outcome":"Failed","failure":{"reason":"ResolveNotSupported"}}`, 1)
		}},
		"without the files of the source": {end: func(w *world) {
			state := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: (&result.NotFetched{Reason: v1alpha1.ReasonSourceDenied, Message: "HTTP 401"}).Text()}}
			w.endPodsIn("team", corev1.PodStatus{
				InitContainerStatuses: []corev1.ContainerStatus{{Name: render.FetcherName, State: state}},
				ContainerStatuses:     []corev1.ContainerStatus{{Name: render.ContainerName}},
			})
		}, message: "SourceDenied: HTTP 401"},
		"in a pod of a user": {end: func(w *world) {
			w.pod = func(pod *corev1.Pod) { pod.Spec.Containers[0].Command = []string{"forge"} }
			w.resolved(true, "libnew=3")
			w.pod = nil
		}, message: "is not what its Job describes: command is"},
		"failed":                {end: func(w *world) { w.endIn("team", nothing, 1) }, message: "MirrorUnavailable: 503"},
		"a builder that builds": {end: func(w *world) { w.endIn("team", `{"version":1,"outcome":"Succeeded"}`, 0) }, message: "fail with the reason ResolveNotSupported"},
		"without end":           {end: func(w *world) { w.clock.SetTime(w.clock.Now().Add(jobLimit)) }, message: "has not ended within 20m0s"},
		"refused":               {refuse: quota, end: func(*world) {}, message: "cannot be created: jobs.batch \"web\" is forbidden: exceeded quota"},
	} {
		t.Run(name, func(t *testing.T) {
			w := outdatedImages(t)
			w.T, w.refuse = t, c.refuse
			if got := w.resolves(); (len(got) == 1) != (c.refuse == nil) {
				t.Fatalf("resolves %q", got)
			}
			w.refuse = nil
			c.end(w)
			found := w.candidates("web")
			if got := strings.Join(names(found.Updates[1:]), ", "); got != c.updates {
				t.Errorf("finds %s, want %s", got, c.updates)
			}
			if found.Resolved == nil || (found.Resolved.Message == "") != (c.message == "") || !strings.Contains(found.Resolved.Message, c.message) {
				t.Fatalf("the resolve is %+v, want %s", found.Resolved, c.message)
			}
			w.record("web", found)
			w.pass(23 * time.Hour)
			if got := w.resolves(); len(got) > 0 {
				t.Errorf("resolves %q again", got)
			}
			w.pass(4 * time.Hour)
			if got := w.resolves(); (len(got) > 0) != (c.message != "") {
				t.Errorf("after a day, resolves %q", got)
			}
		})
	}
}

// The clock of a node can be behind. A resolve that ended before the last one would be the last one again.
func TestAResolveEndsAfterTheLastOne(t *testing.T) {
	w := newWorld(t)
	last := metav1.NewTime(w.clock.Now())
	of := whole{&v1alpha1.Image{}, probe.Packages{Build: &v1alpha1.ImageBuild{Status: v1alpha1.ImageBuildStatus{CompletionTime: &last}}}}
	if got := w.resolveEnd(&of, last.Add(-time.Hour), ""); !got.Time.After(last.Time) {
		t.Errorf("ends at %s, after %s", got.Time, last)
	}
}

func TestOnlyJobsOfTheControllerResolveABuild(t *testing.T) {
	for name, change := range forgeries {
		for when, appear := range map[string]func(*world) *batchv1.Job{
			"before": func(w *world) (forged *batchv1.Job) {
				w.occupy["team"] = func(job *batchv1.Job) *batchv1.Job { forged = forgery(job, change); return forged }
				w.reconcile()
				return forged
			},
			"during": func(w *world) *batchv1.Job {
				w.resolves()
				return w.forge("team", change)
			},
		} {
			t.Run(name+" "+when, func(t *testing.T) {
				w := outdatedImages(t)
				w.T = t
				forged := appear(w)
				if when == "during" {
					w.resolved(true, "libnew=3")
				}
				found := w.candidates("web")
				if len(found.Updates) != 1 || found.Resolved == nil || !strings.Contains(found.Resolved.Message, "JobConflict: Job team/"+forged.Name+" is not what") {
					t.Fatalf("finds %q, %+v", names(found.Updates), found.Resolved)
				}
				w.record("web", found)
				w.reconcile()
				if !w.exists(forged) {
					t.Error("the Job of the user was deleted")
				}
			})
		}
	}
}
