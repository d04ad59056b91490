// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/state"
)

// TestRefusalIsAskedOfTheEvents asks an API that answers with what the test says, and notes what it is asked.
func TestRefusalIsAskedOfTheEvents(t *testing.T) {
	const refused = `{"items":[{"reason":"FailedCreate","message":"Error creating: no","lastTimestamp":"2030-01-02T03:04:05Z"}]}`
	for name, test := range map[string]struct {
		events, pods string
		want         string
		asked        int
	}{
		"nobody says why":            {events: `{"items":[]}`, asked: 1},
		"an event says why":          {events: refused, pods: `{"items":[]}`, want: "no", asked: 2},
		"there is a pod after all":   {events: refused, pods: `{"items":[{"metadata":{"name":"pod"}}]}`, asked: 2},
		"nobody may read the events": {events: "", want: "listing events of Job web-1-abc", asked: 1},
		"nobody may read the pods":   {events: refused, pods: "", want: "listing pods of Job web-1-abc", asked: 2},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				answer, query := test.events, "fieldSelector=involvedObject.uid%3Djob-uid"
				if strings.HasSuffix(r.URL.Path, "/namespaces/team/pods") {
					answer, query = test.pods, "labelSelector=batch.kubernetes.io%2Fcontroller-uid%3Djob-uid"
				}
				if r.URL.RawQuery != query {
					t.Errorf("asked %s", r.URL)
				}
				w.Header().Set("Content-Type", "application/json")
				if answer == "" {
					w.WriteHeader(http.StatusForbidden)
				}
				_, _ = w.Write([]byte(answer)) // the client says what it did not get
			}))
			defer server.Close()
			config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}}
			kube, err := kubernetes.NewForConfig(config)
			if err != nil {
				t.Fatal(err)
			}
			r := &reconciler{Options: Options{Options: reconciliation.Options{Kube: kube}}}
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1-abc", UID: "job-uid"}}
			seen := &observation{}
			for range 2 { // what was learnt holds for the rest of the reconciliation
				observed := state.Observed{Job: job}
				err := r.observeRefusal(context.Background(), &observed, seen)
				if err != nil {
					if test.want == "" || !strings.Contains(err.Error(), test.want) {
						t.Errorf("unexpected error: %v", err)
					}
					break
				}
				if observed.Refused != test.want {
					t.Errorf("refused %q, want %q", observed.Refused, test.want)
				}
			}
			if asked != test.asked {
				t.Errorf("the API was asked %d times, want %d", asked, test.asked)
			}
		})
	}
}

// stored is a cache that has one Job, and one pod of it perhaps.
type stored struct {
	cache.Cache
	job  *batchv1.Job
	pods []corev1.Pod
}

func (s stored) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	s.job.DeepCopyInto(object.(*batchv1.Job))
	return nil
}

func (s stored) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	list.(*corev1.PodList).Items = s.pods
	return nil
}

// TestJobOfALostPodIsAskedOfTheAPI has a cache that does not know yet that the Job is gone: it may have heard of the pod first.
func TestJobOfALostPodIsAskedOfTheAPI(t *testing.T) {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1-abc", UID: "job-uid"}}
	pod := func(deleted *metav1.Time) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "team", Name: "web-1-abc-x", UID: "pod-uid", DeletionTimestamp: deleted,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		}}
	}
	for name, test := range map[string]struct {
		pods    []corev1.Pod
		phase   v1alpha1.BuildPhase
		wantJob bool
	}{
		"the pod is there":            {pods: []corev1.Pod{pod(nil)}, phase: v1alpha1.BuildRunning, wantJob: true},
		"the pod is going":            {pods: []corev1.Pod{pod(new(metav1.Now()))}, phase: v1alpha1.BuildRunning},
		"the pod is gone":             {phase: v1alpha1.BuildRunning},
		"the pod of a finished build": {phase: v1alpha1.BuildSucceeded, wantJob: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.NotFoundHandler()) // all is gone
			defer server.Close()
			kube, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			r := &reconciler{
				Options: Options{Options: reconciliation.Options{Kube: kube, Clock: clock.RealClock{}}},
				cache:   stored{job: job, pods: test.pods},
			}
			build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1"}}
			build.Status.Phase = test.phase
			build.Status.Attempts = []v1alpha1.BuildAttempt{{JobName: job.Name, JobUID: job.UID, PodName: "web-1-abc-x", PodUID: "pod-uid"}}
			observed, _, err := r.observe(t.Context(), build, &observation{fresh: true})
			if err != nil {
				t.Fatal(err)
			}
			if (observed.Job != nil) != test.wantJob {
				t.Errorf("the Job is %v", observed.Job)
			}
		})
	}
}

// TestAJobIsDeletedForWhatTheAPIHas has a cache that knows the end of a build, and not the pod that ended: it is the cache of a
// controller that was frozen, or has begun behind another API server.
func TestAJobIsDeletedForWhatTheAPIHas(t *testing.T) {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1-abc", UID: "job-uid", Labels: map[string]string{v1alpha1.LabelAttempt: "1"}}}
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1", UID: "build-uid", ResourceVersion: "7"}}
	job.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(build, v1alpha1.SchemeGroupVersion.WithKind("ImageBuild"))}
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "team", Name: "web-1-abc-x", UID: "pod-uid",
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
	}}
	ended := pod
	ended.Status.Phase = corev1.PodSucceeded
	build.Status = v1alpha1.ImageBuildStatus{
		Phase: v1alpha1.BuildSucceeded, Finished: true, CurrentAttempt: 1,
		Attempts: []v1alpha1.BuildAttempt{{Number: 1, JobName: job.Name, JobUID: job.UID, PodName: pod.Name, PodUID: pod.UID, Outcome: v1alpha1.AttemptSucceeded}},
	}
	for name, test := range map[string]struct {
		pods    []corev1.Pod
		noJob   bool // the API no longer has the Job
		deleted bool
	}{
		"its builder has ended": {pods: []corev1.Pod{ended}},
		"its builder runs":      {pods: []corev1.Pod{pod}, deleted: true},
		"it has no pod":         {deleted: true},
		"it no longer exists":   {noJob: true},
	} {
		t.Run(name, func(t *testing.T) {
			deleted := false
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var answer any = job
				switch {
				case r.Method == http.MethodDelete:
					deleted = true
				case strings.HasSuffix(r.URL.Path, "/imagebuilds/web-1"):
					answer = build
				case strings.HasSuffix(r.URL.Path, "/pods"):
					answer = &corev1.PodList{Items: test.pods}
				}
				w.Header().Set("Content-Type", "application/json")
				if test.noJob && answer == any(job) {
					w.WriteHeader(http.StatusNotFound)
				}
				if err := json.NewEncoder(w).Encode(answer); err != nil {
					t.Error(err)
				}
			}))
			defer server.Close()
			config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}}
			r := &reconciler{
				Options: Options{Options: reconciliation.Options{
					Kube: kubernetes.NewForConfigOrDie(config), Client: versioned.NewForConfigOrDie(config), Clock: clock.RealClock{},
				}},
				cache: stored{job: job},
			}
			if _, err := r.proceed(t.Context(), build.DeepCopy(), observation{}); err != nil {
				t.Fatal(err)
			}
			if deleted != test.deleted {
				t.Errorf("deleted: %t, want %t", deleted, test.deleted)
			}
		})
	}
}
