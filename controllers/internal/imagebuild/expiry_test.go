// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	testingclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/e2e/require"
)

// cachedBuild is a cache that has one build.
type cachedBuild struct {
	client.Reader
	build *v1alpha1.ImageBuild
}

func (c cachedBuild) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	c.build.DeepCopyInto(object.(*v1alpha1.ImageBuild))
	return nil
}

// TestAnExpiredBuildIsDeletedAsItWasDecidedOn has an API that notes how it is asked to delete, and refuses what is outdated.
func TestAnExpiredBuildIsDeletedAsItWasDecidedOn(t *testing.T) {
	ended := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		at       time.Duration // from its end
		rebuild  bool          // whose result is not stored
		conflict bool
		deleted  bool
		after    time.Duration
	}{
		"it has long to live":      {at: 0, after: maxRequeueAfter},
		"it expires soon":          {at: time.Hour - time.Minute, after: time.Minute},
		"it has expired":           {at: time.Hour, deleted: true},
		"its result is not stored": {at: 2 * time.Hour, rebuild: true, after: maxRequeueAfter},
		"it has changed since":     {at: 25 * time.Hour, deleted: true, conflict: true, after: 50 * time.Millisecond},
		"it expired long since":    {at: 25 * time.Hour, deleted: true},
	} {
		t.Run(name, func(t *testing.T) {
			build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "once", UID: "build-uid", ResourceVersion: "7"}}
			build.Status.Finished, build.Status.CompletionTime = true, &metav1.Time{Time: ended}
			if test.rebuild {
				build.Spec.Reproduces = &v1alpha1.Reproduction{Name: build.Name, UID: build.UID}
				build.Status.Phase, build.Status.Resolved = v1alpha1.BuildSucceeded, &v1alpha1.ResolvedInputs{}
			}
			var deleted *metav1.DeleteOptions
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodDelete || r.URL.Path != "/apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds/once" {
					t.Errorf("asked for %s %s", r.Method, r.URL)
				}
				deleted = &metav1.DeleteOptions{}
				if err := json.NewDecoder(r.Body).Decode(deleted); err != nil {
					t.Error(err)
				}
				w.Header().Set("Content-Type", "application/json")
				if test.conflict {
					w.WriteHeader(http.StatusConflict)
				}
				_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","reason":"Conflict"}`)) // the client reports a truncated answer
			}))
			defer server.Close()
			counts, err := metrics.NewBuilds(prometheus.NewRegistry())
			require.NoError(t, err)
			config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
			e := &expirer{cache: cachedBuild{build: build}, ExpiryOptions: ExpiryOptions{TTL: time.Hour, Metrics: counts, Options: reconciliation.Options{
				Client: versioned.NewForConfigOrDie(config), Clock: testingclock.NewFakePassiveClock(ended.Add(test.at)),
			}}}
			result, err := e.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(build)})
			if err != nil || result.RequeueAfter != test.after {
				t.Errorf("got %+v, %v, want to be reconciled after %s", result, err, test.after)
			}
			if (deleted != nil) != test.deleted {
				t.Fatalf("deleted: %v, want %v", deleted, test.deleted)
			}
			if want := (&metav1.Preconditions{UID: &build.UID, ResourceVersion: &build.ResourceVersion}); deleted != nil && !reflect.DeepEqual(deleted.Preconditions, want) {
				t.Errorf("preconditions %+v, want %+v", deleted.Preconditions, want)
			}
		})
	}
}
