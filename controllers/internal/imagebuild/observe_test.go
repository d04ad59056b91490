// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/state"
)

// TestRefusalIsAskedOfTheEvents uses an API that returns the answers of the test case, and records the requests.
func TestRefusalIsAskedOfTheEvents(t *testing.T) {
	const (
		refused = `{"items":[{"reason":"FailedCreate","message":"Error creating: no","lastTimestamp":"2030-01-02T03:04:05Z"}]}`
		final   = `{"items":[{"reason":"FailedCreate","message":"Error creating: x is forbidden: no","lastTimestamp":"2030-01-02T03:04:05Z"}]}`
		why     = "x is forbidden: no"
	)
	denied := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web-1-abc-x", errors.New("never"))
	for name, test := range map[string]struct {
		events, pods string
		dryRun       *apierrors.StatusError
		want         string
		forbidden    string
		asked        int
	}{
		"an event and the API forbid it": {events: final, pods: `{"items":[]}`, want: why, dryRun: denied, forbidden: denied.Error(), asked: 3},
		"an event alone forbids it":      {events: final, pods: `{"items":[]}`, want: why, asked: 3},
		"the API does not answer":        {events: final, pods: `{"items":[]}`, want: why, dryRun: apierrors.NewInternalError(errors.New("a webhook")), asked: 3},
		"nobody says why":                {events: `{"items":[]}`, asked: 1},
		"an event says why":              {events: refused, pods: `{"items":[]}`, want: "no", asked: 2},
		"there is a pod after all":       {events: refused, pods: `{"items":[{"metadata":{"name":"pod"}}]}`, asked: 2},
		"nobody may read the events":     {events: "", want: "list events of Job web-1-abc", asked: 1},
		"nobody may read the pods":       {events: refused, pods: "", want: "list pods of Job web-1-abc", asked: 2},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				answer, query := test.events, "fieldSelector=involvedObject.uid%3Djob-uid"
				if r.Method == http.MethodPost {
					pod := &corev1.Pod{}
					if err := json.NewDecoder(r.Body).Decode(pod); err != nil || len(pod.Spec.Containers) != 1 || metav1.GetControllerOf(pod).UID != "job-uid" || r.URL.RawQuery != "dryRun=All" {
						t.Errorf("%s of %+v, %v", r.URL, pod, err)
					}
					w.Header().Set("Content-Type", "application/json")
					if test.dryRun != nil {
						w.WriteHeader(int(test.dryRun.ErrStatus.Code))
						_ = json.NewEncoder(w).Encode(status(test.dryRun))
						return
					}
					_ = json.NewEncoder(w).Encode(pod)
					return
				}
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
				_, _ = w.Write([]byte(answer)) // the client reports a truncated answer
			}))
			defer server.Close()
			config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}}
			kube, err := kubernetes.NewForConfig(config)
			require.NoError(t, err)
			r := &reconciler{Options: Options{Options: reconciliation.Options{Kube: kube}}}
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1-abc", UID: "job-uid"}}
			job.Spec.Template.Spec.Containers = []corev1.Container{{Name: render.ContainerName}}
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
				if observed.Refused != test.want || observed.Forbidden != test.forbidden {
					t.Errorf("refused %q, forbidden %q, want %q", observed.Refused, observed.Forbidden, test.want)
				}
			}
			if asked != test.asked {
				t.Errorf("the API was asked %d times, want %d", asked, test.asked)
			}
		})
	}
}

// status is the error as the API answers it.
func status(err *apierrors.StatusError) metav1.Status {
	status := err.ErrStatus
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	return status
}

// stored is a cache that has one Job perhaps, and one pod of it perhaps.
type stored struct {
	cache.Cache
	job  *batchv1.Job
	pods []corev1.Pod
}

func (s stored) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if s.job == nil {
		return apierrors.NewNotFound(schema.GroupResource{}, "")
	}
	s.job.DeepCopyInto(object.(*batchv1.Job))
	return nil
}

func (s stored) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if pods, is := list.(*corev1.PodList); is {
		pods.Items = s.pods
	}
	return nil
}

// TestAnAttemptEndsForWhatTheAPIHas has a cache that does not know yet that the Job no longer exists: it may have heard of
// the pod first.
func TestAnAttemptEndsForWhatTheAPIHas(t *testing.T) {
	job, build, pod := running()
	ended := *pod.DeepCopy()
	ended.Status.Phase, ended.Status.Reason = corev1.PodFailed, "Evicted"
	for name, test := range map[string]struct {
		cached, stored []corev1.Pod
		noJob          bool // the API no longer has the Job
		want           v1alpha1.FailureReason
		deleted        string // what the controller deletes
	}{
		"Job and pod no longer exist":             {noJob: true, want: v1alpha1.ReasonJobDeleted},
		"the pod no longer exists":                {want: v1alpha1.ReasonPodDeleted},
		"the cache lacks the pod":                 {stored: []corev1.Pod{pod}},
		"the pod has ended":                       {cached: []corev1.Pod{ended}, stored: []corev1.Pod{ended}, want: v1alpha1.ReasonEvicted},
		"the pod is left behind":                  {stored: []corev1.Pod{pod}, noJob: true, deleted: "/pods/web-1-abc-x"},
		"the cache has the pod, and does not end": {cached: []corev1.Pod{pod}},
	} {
		t.Run(name, func(t *testing.T) {
			api := &api{t: t, build: build, job: job, pods: test.stored, noJob: test.noJob}
			_, err := api.reconciler(t, stored{job: job, pods: test.cached}).proceed(t.Context(), build.DeepCopy(), observation{})
			if err != nil && !apierrors.IsConflict(err) {
				t.Fatal(err)
			}
			var got v1alpha1.FailureReason
			if api.written != nil && api.written.Status.Attempts[0].Failure != nil {
				got = api.written.Status.Attempts[0].Failure.Reason
			}
			if got != test.want {
				t.Errorf("the attempt ends with %q, want %q", got, test.want)
			}
			if !strings.HasSuffix(api.deleted, test.deleted) || test.deleted == "" && api.deleted != "" {
				t.Errorf("deleted %q, want %q", api.deleted, test.deleted)
			}
		})
	}
}

// TestAJobThatIsMadeMeanwhileKeepsItsPod has another process make the Job, and Kubernetes its pod, after this process has
// looked for the Job and before it looks for pods.
func TestAJobThatIsMadeMeanwhileKeepsItsPod(t *testing.T) {
	builder := inputs.Builder{Image: "builder"}
	build, job, pod := rendered(t, builder)
	api := &api{t: t, build: build, job: job, pods: []corev1.Pod{pod}, lateJob: true}
	reconciler := api.reconciler(t, stored{})
	reconciler.Builders.Registered = map[string]inputs.Builder{build.Spec.Inputs.Builder.Name: builder}
	_, err := reconciler.proceed(t.Context(), build.DeepCopy(), observation{})
	if !apierrors.IsConflict(err) || api.deleted != "" {
		t.Fatalf("got %v, and %q is deleted; want the conflict of a status that is stored", err, api.deleted)
	}
	if got := api.written.Status.Attempts[0]; got.JobUID != job.UID || got.Outcome != "" {
		t.Errorf("the attempt is %+v, want it to go on with the Job", got)
	}
}

// running is a build whose first attempt runs, with its Job and pod.
func running() (*batchv1.Job, *v1alpha1.ImageBuild, corev1.Pod) {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1", UID: "build-uid", ResourceVersion: "7"}}
	v1alpha1.SetObjectDefaults_ImageBuild(build)
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1-abc", UID: "job-uid", Labels: map[string]string{v1alpha1.LabelAttempt: "1"}}}
	job.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(build, v1alpha1.SchemeGroupVersion.WithKind("ImageBuild"))}
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "team", Name: "web-1-abc-x", UID: "pod-uid",
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
	}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: render.ContainerName, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	now := metav1.Now()
	build.Status = v1alpha1.ImageBuildStatus{
		Phase: v1alpha1.BuildRunning, CurrentAttempt: 1,
		Attempts: []v1alpha1.BuildAttempt{{Number: 1, StartTime: now, JobName: job.Name, JobUID: job.UID, PodName: pod.Name, PodUID: pod.UID}},
		Conditions: []metav1.Condition{{
			Type: v1alpha1.BuildPodReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonContainerStarted, LastTransitionTime: now,
		}},
	}
	return job, build, pod
}

// api is an API that has a build, its Job and its pods. It refuses to store a status, so that the reconciliation ends.
type api struct {
	t       *testing.T
	build   *v1alpha1.ImageBuild
	job     *batchv1.Job
	pods    []corev1.Pod
	noJob   bool
	lateJob bool // it is made after pods were asked for
	dryRun  *apierrors.StatusError
	written *v1alpha1.ImageBuild
	deleted string // the path of the deleted object
	asked   []string
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var answer any = a.job
	code := http.StatusOK
	a.asked = append(a.asked, r.Method)
	switch {
	case r.Method == http.MethodPost && r.URL.Query().Get("dryRun") == metav1.DryRunAll && a.dryRun != nil:
		answer, code = status(a.dryRun), int(a.dryRun.ErrStatus.Code)
	case r.Method == http.MethodPost && r.URL.Query().Get("dryRun") == metav1.DryRunAll:
		created := &batchv1.Job{}
		if err := json.NewDecoder(r.Body).Decode(created); err != nil {
			a.t.Error(err)
		}
		answer = created
	case r.Method == http.MethodPost && a.noJob:
		a.noJob = false
	case r.Method == http.MethodPost:
		answer, code = apierrors.NewAlreadyExists(schema.GroupResource{}, a.job.Name).Status(), http.StatusConflict
	case r.Method == http.MethodDelete:
		a.deleted = r.URL.Path
	case r.Method == http.MethodPatch:
		a.written = &v1alpha1.ImageBuild{}
		patch, first := io.ReadAll(r.Body)
		before, second := json.Marshal(a.build)
		after, third := strategicpatch.StrategicMergePatch(before, patch, v1alpha1.ImageBuild{})
		if err := errors.Join(first, second, third, json.Unmarshal(after, a.written)); err != nil {
			a.t.Error(err)
		}
		answer, code = apierrors.NewConflict(schema.GroupResource{}, a.build.Name, nil).Status(), http.StatusConflict
	case strings.HasSuffix(r.URL.Path, "/imagebuilds/web-1"):
		answer = a.build
	case strings.HasSuffix(r.URL.Path, "/pods"):
		answer, a.lateJob = &corev1.PodList{Items: a.pods}, false
	case a.noJob, a.lateJob:
		code = http.StatusNotFound
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		a.t.Error(err)
	}
}

// reconciler reconciles with the API, and with a cache.
func (a *api) reconciler(t *testing.T, cache stored) *reconciler {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}}
	return &reconciler{
		Options: Options{Options: reconciliation.Options{
			Kube: kubernetes.NewForConfigOrDie(config), Client: versioned.NewForConfigOrDie(config), Clock: clock.RealClock{},
		}},
		cache: cache,
	}
}

// TestAJobIsDeletedForWhatTheAPIHas has a cache that knows the end of a build, and not the pod that ended: it is the cache of a
// controller that was frozen, or has begun behind another API server.
func TestAJobIsDeletedForWhatTheAPIHas(t *testing.T) {
	job, build, pod := running()
	ended := *pod.DeepCopy()
	ended.Status.Phase = corev1.PodSucceeded
	build.Status.Phase, build.Status.Finished = v1alpha1.BuildSucceeded, true
	build.Status.Attempts[0].Outcome = v1alpha1.AttemptSucceeded
	for name, test := range map[string]struct {
		pods    []corev1.Pod
		noJob   bool   // the API no longer has the Job
		deleted string // what the controller deletes
	}{
		"its builder has ended":                    {pods: []corev1.Pod{ended}},
		"its builder runs":                         {pods: []corev1.Pod{pod}, deleted: "/jobs/web-1-abc"},
		"it has no pod":                            {deleted: "/jobs/web-1-abc"},
		"it no longer exists":                      {noJob: true},
		"it no longer exists, and its pod is left": {pods: []corev1.Pod{pod}, noJob: true, deleted: "/pods/web-1-abc-x"},
	} {
		t.Run(name, func(t *testing.T) {
			api := &api{t: t, build: build, job: job, pods: test.pods, noJob: test.noJob}
			if _, err := api.reconciler(t, stored{job: job}).proceed(t.Context(), build.DeepCopy(), observation{}); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(api.deleted, test.deleted) || test.deleted == "" && api.deleted != "" {
				t.Errorf("deleted %q, want %q", api.deleted, test.deleted)
			}
		})
	}
}

// TestAJobIsCreatedForWhatTheAPIHas has an attempt that was read after a conflict. Another process has created its Job, which was
// deleted without its pod, and the cache has neither.
func TestAJobIsCreatedForWhatTheAPIHas(t *testing.T) {
	builder := inputs.Builder{Image: "builder:1"}
	build, job, pod := rendered(t, builder)
	api := &api{t: t, build: build, job: job, pods: []corev1.Pod{pod}, noJob: true}
	reconciler := api.reconciler(t, stored{})
	reconciler.Builders.Registered = map[string]inputs.Builder{build.Spec.Inputs.Builder.Name: builder}
	if _, err := reconciler.proceed(t.Context(), build.DeepCopy(), observation{fresh: true}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(api.asked, " "); strings.Contains(got, http.MethodPost) {
		t.Errorf("the requests were %s: a Job was created, and a pod of the attempt exists", got)
	}
}

// TestOnlyTheJobThatIsRenderedIsAdopted has a Job under the attempt's name, which says to be the attempt's, and whose builder has ended well.
func TestOnlyTheJobThatIsRenderedIsAdopted(t *testing.T) {
	const result = `{"version":1,"outcome":"Succeeded","artifacts":[{"target":"linux/amd64/raw","file":"disk","digest":"sha256:%064d","sizeBytes":1}]}`
	builder := inputs.Builder{Image: "builder:1"}
	for name, test := range map[string]struct {
		change func(*batchv1.Job)
		missed bool // the cache does not have the Job
		dryRun *apierrors.StatusError
		want   v1alpha1.FailureReason
	}{
		"nobody can tell, because of a webhook": {
			change: func(*batchv1.Job) {}, dryRun: apierrors.NewBadRequest(`admission webhook "a" does not support dry run`), want: v1alpha1.ReasonJobConflict,
		},
		"nobody can tell, because of a quota": {
			change: func(*batchv1.Job) {}, dryRun: apierrors.NewForbidden(schema.GroupResource{Resource: "jobs"}, "x", errors.New("exceeded quota: q")),
			want: v1alpha1.ReasonJobConflict,
		},
		"an earlier process created it":            {change: func(*batchv1.Job) {}},
		"an earlier process has just created it":   {change: func(*batchv1.Job) {}, missed: true},
		"a stranger created it":                    {change: otherInput, want: v1alpha1.ReasonJobConflict},
		"a stranger has just created it":           {change: otherInput, missed: true, want: v1alpha1.ReasonJobConflict},
		"a stranger created it and names no owner": {change: func(job *batchv1.Job) { job.OwnerReferences = nil }, want: v1alpha1.ReasonJobConflict},
	} {
		t.Run(name, func(t *testing.T) {
			build, job, pod := rendered(t, builder)
			test.change(job)
			pod.Annotations = job.Spec.Template.Annotations
			pod.Status.Phase = corev1.PodSucceeded
			pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				Message: fmt.Sprintf(result, 1), StartedAt: metav1.Now(),
			}}
			cached := stored{pods: []corev1.Pod{pod}}
			if !test.missed {
				cached.job = job
			}
			api := &api{t: t, build: build, job: job, pods: []corev1.Pod{pod}, dryRun: test.dryRun}
			reconciler := api.reconciler(t, cached)
			reconciler.Builders.Registered = map[string]inputs.Builder{build.Spec.Inputs.Builder.Name: builder}
			if _, err := reconciler.proceed(t.Context(), build.DeepCopy(), observation{}); !apierrors.IsConflict(err) {
				t.Fatalf("got %v, want the conflict of a status that is stored", err)
			}
			var got v1alpha1.FailureReason
			attempt := api.written.Status.Attempts[0]
			if attempt.Failure != nil {
				got = attempt.Failure.Reason
			}
			if test.dryRun != nil && !strings.Contains(attempt.Failure.Message, test.dryRun.Error()) {
				t.Errorf("the message is %s", attempt.Failure.Message)
			}
			if got != test.want || (attempt.Outcome == v1alpha1.AttemptSucceeded) != (test.want == "") || (attempt.JobUID == job.UID) != (test.want == "") {
				t.Errorf("the attempt is %+v, want the failure %q", attempt, test.want)
			}
			if api.deleted != "" {
				t.Errorf("%s is deleted", api.deleted)
			}
		})
	}
}

func otherInput(job *batchv1.Job) { job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = "{}" }

// rendered is a build whose first attempt begins, with the Job that the controller renders, and the pod of that Job.
func rendered(t *testing.T, builder inputs.Builder) (*v1alpha1.ImageBuild, *batchv1.Job, corev1.Pod) {
	t.Helper()
	_, build, pod := running()
	build.Spec.Inputs.Targets = []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}
	build.Status.Phase, build.Status.Conditions = v1alpha1.BuildStarting, nil
	job, err := render.Job(build, 1, builder)
	require.NoError(t, err)
	job.UID = pod.OwnerReferences[0].UID
	build.Status.Attempts[0] = v1alpha1.BuildAttempt{Number: 1, StartTime: metav1.Now(), JobName: job.Name}
	pod.Annotations, pod.Spec = job.Spec.Template.Annotations, job.Spec.Template.Spec
	return build, job, pod
}

// TestTheJobThatThisProcessCreatedIsNotCompared counts the requests: a build must not cost more of them.
func TestTheJobThatThisProcessCreatedIsNotCompared(t *testing.T) {
	builder := inputs.Builder{Image: "builder:1"}
	build, job, pod := rendered(t, builder)
	api := &api{t: t, build: build, job: job, noJob: true}
	reconciler := api.reconciler(t, stored{})
	reconciler.Builders.Registered = map[string]inputs.Builder{build.Spec.Inputs.Builder.Name: builder}
	if _, err := reconciler.proceed(t.Context(), build.DeepCopy(), observation{begun: true}); err != nil {
		t.Fatal(err)
	}
	otherInput(job) // as a webhook could change it
	pod.Annotations = job.Spec.Template.Annotations
	reconciler.cache = stored{job: job, pods: []corev1.Pod{pod}}
	if _, err := reconciler.proceed(t.Context(), build.DeepCopy(), observation{}); !apierrors.IsConflict(err) || api.written.Status.Attempts[0].JobUID != job.UID {
		t.Fatalf("got %v and %+v, want that the Job is recorded", err, api.written)
	}
	if got := strings.Join(api.asked, " "); got != "POST PATCH" {
		t.Errorf("the requests were %s", got)
	}
}
