// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	testingclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/queue"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
)

// cachedBuilds is a cache that has builds by name, and nothing else.
type cachedBuilds struct {
	client.Reader
	builds map[string]*v1alpha1.ImageBuild
}

func (c cachedBuilds) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	build, is := object.(*v1alpha1.ImageBuild)
	if !is || c.builds[key.Name] == nil {
		return apierrors.NewNotFound(corev1.Resource("things"), key.Name)
	}
	c.builds[key.Name].DeepCopyInto(build)
	return nil
}

func (cachedBuilds) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

// TestTheResultOfARebuildIsStoredOnce has an API that applies a patch of the other build, or refuses it.
func TestTheResultOfARebuildIsStoredOnce(t *testing.T) {
	condition := func(status metav1.ConditionStatus) func(_, of *v1alpha1.ImageBuild) {
		return func(_, of *v1alpha1.ImageBuild) {
			of.Status.Conditions = append(of.Status.Conditions, metav1.Condition{Type: v1alpha1.BuildReproduced, Status: status})
		}
	}
	builds := v1alpha1.Resource("imagebuilds")
	other := func(by, _ *v1alpha1.ImageBuild) { by.Status.Artifacts[0].Digest = "sha256:other" }
	failed := func(by, _ *v1alpha1.ImageBuild) { by.Status.Phase, by.Status.Artifacts = v1alpha1.BuildFailed, nil }
	for name, test := range map[string]struct {
		change func(by, of *v1alpha1.ImageBuild)
		answer *apierrors.StatusError // of the API, if it refuses the patch
		want   string
		event  string
		after  time.Duration
	}{
		"the same content":             {want: "True/SameContent", event: "Normal SameContent build web-2 made the same content"},
		"other content":                {change: other, want: "False/ContentDiffers", event: "Warning ContentDiffers build web-2 made other content of the same inputs: linux/amd64/raw has sha256:other, not sha256:same"},
		"a failure":                    {change: failed, want: "Unknown/RebuildFailed"},
		"more than is known":           {change: condition(metav1.ConditionFalse), want: "True/SameContent", event: "Normal SameContent build web-2 made the same content"},
		"nothing new":                  {change: condition(metav1.ConditionTrue)},
		"no rebuild":                   {change: func(by, _ *v1alpha1.ImageBuild) { by.Spec.Reproduces = nil }},
		"of a deleted build":           {change: func(by, _ *v1alpha1.ImageBuild) { by.Spec.Reproduces.Name = "web-9" }},
		"of a build that was replaced": {change: func(_, of *v1alpha1.ImageBuild) { of.UID = "other" }},
		"the cache is behind":          {answer: apierrors.NewConflict(builds, "web-1", errors.New("it has changed")), want: "True/SameContent", after: verdictRetry},
		"it was just deleted":          {answer: apierrors.NewNotFound(builds, "web-1"), want: "True/SameContent"},
		"the API is unavailable":       {answer: apierrors.NewServiceUnavailable("no"), want: "True/SameContent", after: reconciliation.UnavailableRetry},
	} {
		t.Run(name, func(t *testing.T) {
			of := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1", UID: "uid-1", ResourceVersion: "7"}}
			of.Status = v1alpha1.ImageBuildStatus{
				Phase: v1alpha1.BuildSucceeded, Finished: true, Resolved: &v1alpha1.ResolvedInputs{}, CompletionTime: &metav1.Time{},
				Conditions: []metav1.Condition{{Type: v1alpha1.BuildRecorded, Status: metav1.ConditionTrue}},
				Attempts:   []v1alpha1.BuildAttempt{{Number: 1, JobName: "job", Outcome: v1alpha1.AttemptSucceeded, BuilderImage: "builder@sha256:one"}},
				Artifacts:  []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: "sha256:same", Verified: v1alpha1.ArtifactVerifiedContent}},
			}
			by := of.DeepCopy()
			by.Name, by.UID, by.Spec.Reproduces = "web-2", "uid-2", &v1alpha1.Reproduction{Name: of.Name, UID: of.UID}
			if test.change != nil {
				test.change(by, of)
			}
			cached := map[string]*v1alpha1.ImageBuild{of.Name: of, by.Name: by}
			got, requests := "", 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				var patch v1alpha1.ImageBuild
				if err := json.NewDecoder(r.Body).Decode(&patch); err != nil || r.Method != http.MethodPatch ||
					r.URL.Path != "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds/web-1/status" || patch.UID != of.UID || patch.ResourceVersion != of.ResourceVersion {
					t.Errorf("%s %s with %+v, %v", r.Method, r.URL, patch, err)
				}
				if n := len(patch.Status.Conditions); n != 1 {
					t.Errorf("%d conditions are written", n)
				}
				got = string(patch.Status.Conditions[0].Status) + "/" + patch.Status.Conditions[0].Reason
				w.Header().Set("Content-Type", "application/json")
				if test.answer != nil {
					w.WriteHeader(int(test.answer.ErrStatus.Code))
					_ = json.NewEncoder(w).Encode(status(test.answer))
					return
				}
				stored := of.DeepCopy()
				meta.SetStatusCondition(&stored.Status.Conditions, patch.Status.Conditions[0])
				cached[of.Name] = stored
				_ = json.NewEncoder(w).Encode(stored)
			}))
			defer server.Close()
			events := record.NewFakeRecorder(10)
			r := &reconciler{cache: cachedBuilds{builds: cached}, Options: Options{Queue: queue.New(queue.Options{}), Options: reconciliation.Options{
				Client: versioned.NewForConfigOrDie(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}),
				Events: events, Clock: testingclock.NewFakePassiveClock(time.Unix(1, 0)),
			}}}
			for again := range 2 { // a process that is killed after the patch does it again
				result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(by)})
				if err != nil || result.RequeueAfter != test.after {
					t.Errorf("got %+v, %v", result, err)
				}
				if want := min(1, len(test.want)); test.answer == nil && requests != want || test.answer != nil && requests != again+1 {
					t.Errorf("%d requests", requests)
				}
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			close(events.Events)
			if event := <-events.Events; event != test.event {
				t.Errorf("the event is %q, want %q", event, test.event)
			}
		})
	}
}
