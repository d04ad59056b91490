// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"encoding/json"
	"maps"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	batchlisters "k8s.io/client-go/listers/batch/v1"
	"k8s.io/client-go/tools/cache"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/local/jobcontroller"
	"goldsmith.dev/goldsmith/jobs/render"
)

// wanted are objects whose status asks for a Job of each kind.
type wanted struct {
	image   *v1alpha1.Image
	build   *v1alpha1.ImageBuild
	archive *v1alpha1.Archive
}

func newWanted() *wanted {
	w := &wanted{
		image:   &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "web", UID: "image"}},
		build:   &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "web-1", UID: "build"}},
		archive: &v1alpha1.Archive{ObjectMeta: metav1.ObjectMeta{Name: "debian", UID: "archive"}, Spec: v1alpha1.ArchiveSpec{URI: "https://a.example"}},
	}
	w.image.Spec.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example/web"}}
	w.image.Status.Source = &v1alpha1.ImageSource{Question: inputs.Question(w.image.Spec.Source), Checks: 3, Ended: 2}
	w.image.Status.Packages = &v1alpha1.ImagePackages{Build: w.build.Name}
	w.build.Status.CompletionTime = &metav1.Time{Time: time.Unix(1_000_000, 0)}
	w.archive.Status.Checks = 7
	return w
}

func (w *wanted) sourceCheck(t *testing.T) *batchv1.Job {
	return require.Value(render.SourceJob(w.image, inputs.Builder{Image: "x", Publisher: inputs.Publisher{Agent: true}}))(t)
}

func (w *wanted) archiveCheck(t *testing.T) *batchv1.Job {
	return require.Value(render.ProbeJob(w.archive, v1alpha1.ArchiveNamespace, 1, render.InputProbe{}, inputs.Builder{Image: "x"}))(t)
}

func (w *wanted) resolve(t *testing.T) *batchv1.Job {
	return require.Value(render.ResolveJob(w.image, w.build, render.LastResolve(w.image, w.build), inputs.Builder{Image: "x", Publisher: inputs.Publisher{Agent: true}}))(t)
}

// TestOnlyWhatAStatusAsksForIsATask forges Jobs and pods as users can who create them.
func TestOnlyWhatAStatusAsksForIsATask(t *testing.T) {
	type forgery func(*wanted, *batchv1.Job, *corev1.Pod)
	anything := map[string]forgery{
		"":                  func(*wanted, *batchv1.Job, *corev1.Pod) {},
		"without an owner":  func(_ *wanted, job *batchv1.Job, _ *corev1.Pod) { job.OwnerReferences = nil },
		"another owner":     func(_ *wanted, job *batchv1.Job, _ *corev1.Pod) { job.OwnerReferences[0].UID = "x" },
		"no such owner":     func(_ *wanted, job *batchv1.Job, _ *corev1.Pod) { job.OwnerReferences[0].Name = "x" },
		"another kind":      func(_ *wanted, job *batchv1.Job, _ *corev1.Pod) { job.OwnerReferences[0].APIVersion = "x/v1" },
		"another namespace": func(_ *wanted, job *batchv1.Job, pod *corev1.Pod) { job.Namespace, pod.Namespace = "b", "b" },
		"another name":      func(_ *wanted, job *batchv1.Job, _ *corev1.Pod) { job.Name += "x" },
		"another Job": func(_ *wanted, job *batchv1.Job, pod *corev1.Pod) {
			pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: "x", Controller: new(true)}}
		},
		"a pod by hand": func(_ *wanted, _ *batchv1.Job, pod *corev1.Pod) { pod.Name = "x" },
		"another image": func(_ *wanted, _ *batchv1.Job, pod *corev1.Pod) { pod.Spec.Containers[0].Image = "other" },
	}
	for name, kind := range map[string]struct {
		task     Task
		job      func(*wanted, *testing.T) *batchv1.Job
		outdated func(*wanted)
	}{
		"the check of a source":   {CheckSource, (*wanted).sourceCheck, func(w *wanted) { w.image.Status.Source.Ended = 3 }},
		"the check of an archive": {AskArchive, (*wanted).archiveCheck, func(w *wanted) { w.archive.Status.Checks++ }},
		"a resolve":               {Resolve, (*wanted).resolve, func(w *wanted) { w.build.Status.CompletionTime = nil }},
	} {
		forgeries := map[string]forgery{"outdated": func(w *wanted, _ *batchv1.Job, _ *corev1.Pod) { kind.outdated(w) }}
		maps.Copy(forgeries, anything)
		for forged, forge := range forgeries {
			t.Run(name+"/"+forged, func(t *testing.T) {
				w := newWanted()
				job := kind.job(w, t)
				job.UID = "job"
				input := &render.Input{}
				require.NoError(t, json.Unmarshal([]byte(job.Spec.Template.Annotations[v1alpha1.AnnotationInput]), input))
				pod := &corev1.Pod{ObjectMeta: *job.Spec.Template.ObjectMeta.DeepCopy(), Spec: *job.Spec.Template.Spec.DeepCopy()}
				forge(w, job, pod)
				pod.Namespace = job.Namespace
				if owner := metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job")); len(pod.OwnerReferences) == 0 {
					pod.OwnerReferences = []metav1.OwnerReference{*owner}
				}
				if pod.Name == "" {
					pod.Name = jobcontroller.PodName(job)
				}
				jobs := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
				require.NoError(t, jobs.Add(job))
				transfer := New(Options{Jobs: batchlisters.NewJobLister(jobs), Images: fake.NewSimpleClientset(w.image, w.build, w.archive).ImagesV1alpha1()})
				task, why, err := transfer.TaskOf(t.Context(), pod, input)
				require.NoError(t, err)
				if want := forged == ""; want != (task == kind.task) || want == (task == None) || want != (why == "") {
					t.Errorf("the task is %d: %q", task, why)
				}
			})
		}
	}
}

func TestFewSourcesAreFetchedAtTheSameTime(t *testing.T) {
	p := &New(Options{}).sources
	take := func(namespace string) func() {
		t.Helper()
		return require.Value(p.take(t.Context(), namespace))(t)
	}
	full := func(namespace string) {
		t.Helper()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.take(ended, namespace); err == nil {
			t.Errorf("namespace %s has one more place", namespace)
		}
	}
	free := take("a")
	take("a")
	full("a")
	take("b")
	take("c")
	full("d")
	waits := make(chan func())
	go func() { waits <- take("d") }()
	free()
	(<-waits)()
	take("a")
	full("b")
}
