// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
)

// cachedJob is a cache that has one Job, and a build if that has a UID.
type cachedJob struct {
	client.Reader
	job   *batchv1.Job
	build types.UID
}

func (c cachedJob) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	switch object := object.(type) {
	case *batchv1.Job:
		c.job.DeepCopyInto(object)
	case *v1alpha1.ImageBuild:
		if c.build == "" {
			return apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), key.Name)
		}
		object.UID = c.build
	}
	return nil
}

// TestOnlyJobsOfLostBuildsAreDeleted has an API whose etcd was restored: it lost builds, and made others of their names.
func TestOnlyJobsOfLostBuildsAreDeleted(t *testing.T) {
	owner := func(kind string) []metav1.OwnerReference {
		build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Name: "web-1", UID: "build-uid"}}
		return []metav1.OwnerReference{*metav1.NewControllerRef(build, v1alpha1.SchemeGroupVersion.WithKind(kind))}
	}
	const noObject = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","details":{"name":"web-1","kind":"imagebuilds"},"code":404}`
	for name, test := range map[string]struct {
		owners   []metav1.OwnerReference
		deleting bool
		cached   types.UID
		code     int
		answer   string
		want     bool
		again    bool
	}{
		"the cache has its build":           {owners: owner("ImageBuild"), cached: "build-uid", code: http.StatusTeapot},
		"the API has its build":             {owners: owner("ImageBuild"), code: http.StatusOK, answer: `{"metadata":{"uid":"build-uid"}}`},
		"the cache has an earlier build":    {owners: owner("ImageBuild"), cached: "earlier", code: http.StatusOK, answer: `{"metadata":{"uid":"build-uid"}}`},
		"its build does not exist":          {owners: owner("ImageBuild"), code: http.StatusNotFound, answer: noObject, want: true},
		"another build has the name":        {owners: owner("ImageBuild"), cached: "another", code: http.StatusOK, answer: `{"metadata":{"uid":"another"}}`, want: true},
		"the API is not served":             {owners: owner("ImageBuild"), code: http.StatusNotFound, answer: "404 page not found", again: true},
		"the API is unavailable":            {owners: owner("ImageBuild"), code: http.StatusServiceUnavailable, answer: "no", again: true},
		"it is being deleted":               {owners: owner("ImageBuild"), deleting: true, code: http.StatusNotFound, answer: noObject},
		"it belongs to nothing":             {code: http.StatusNotFound, answer: noObject},
		"it belongs to something else":      {owners: owner("Image"), code: http.StatusNotFound, answer: noObject},
		"another API has a kind ImageBuild": {owners: []metav1.OwnerReference{{APIVersion: "example.org/v1", Kind: "ImageBuild", Name: "web-1", Controller: new(true)}}, code: http.StatusNotFound, answer: noObject},
	} {
		t.Run(name, func(t *testing.T) {
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1-abc", UID: "job-uid", OwnerReferences: test.owners}}
			if test.deleting {
				job.DeletionTimestamp = new(metav1.Now())
			}
			var deleted metav1.DeleteOptions
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				code, answer := test.code, test.answer
				if r.Method == http.MethodDelete && r.URL.Path == "/apis/batch/v1/namespaces/team/jobs/web-1-abc" {
					if err := json.NewDecoder(r.Body).Decode(&deleted); err != nil {
						t.Error(err)
					}
					code, answer = http.StatusOK, "{}"
				}
				w.WriteHeader(code)
				_, _ = w.Write([]byte(answer)) // the client reports a truncated answer
			}))
			defer server.Close()
			config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}}
			o := &orphans{cache: cachedJob{job: job, build: test.cached}, Options: reconciliation.Options{
				Client: versioned.NewForConfigOrDie(config), Kube: kubernetes.NewForConfigOrDie(config),
			}}
			result, err := o.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(job)})
			if err != nil || (result.RequeueAfter > 0) != test.again {
				t.Errorf("got %+v, %v, want to be asked again: %t", result, err, test.again)
			}
			if (deleted.Preconditions != nil) != test.want || test.want && *deleted.Preconditions.UID != job.UID {
				t.Errorf("deleted with %+v, want %t", deleted.Preconditions, test.want)
			}
		})
	}
}
