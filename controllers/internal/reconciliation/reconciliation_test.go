// SPDX-License-Identifier: Apache-2.0

package reconciliation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestAJobGoesWithItsPodsAndNotAnotherOfItsName(t *testing.T) {
	jobs := batchv1.Resource("jobs")
	for name, c := range map[string]struct {
		answer *apierrors.StatusError
		failed bool
	}{
		"deleted": {answer: &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusSuccess, Code: http.StatusOK}}},
		"gone":    {answer: apierrors.NewNotFound(jobs, "web-1")},
		"another": {answer: apierrors.NewConflict(jobs, "web-1", errors.New("its UID is another one")), failed: true},
	} {
		t.Run(name, func(t *testing.T) {
			var asked metav1.DeleteOptions
			server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
				if err := json.NewDecoder(in.Body).Decode(&asked); err != nil || in.URL.Path != "/apis/batch/v1/namespaces/team/jobs/web-1" {
					t.Errorf("%s %s: %v", in.Method, in.URL, err)
				}
				c.answer.ErrStatus.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
				out.Header().Set("Content-Type", "application/json")
				out.WriteHeader(int(c.answer.ErrStatus.Code))
				_ = json.NewEncoder(out).Encode(c.answer.ErrStatus) // the client has gone
			}))
			defer server.Close()
			kube := kubernetes.NewForConfigOrDie(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}})
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "web-1", UID: "a"}}
			if err := DeleteJob(t.Context(), kube, job); c.failed != (err != nil) || c.failed && !apierrors.IsConflict(err) {
				t.Errorf("got error %v", err)
			}
			if asked.Preconditions == nil || *asked.Preconditions.UID != job.UID || *asked.PropagationPolicy != metav1.DeletePropagationBackground {
				t.Errorf("asked for %+v", asked)
			}
		})
	}
}

func TestAnObjectOfTheSameNameIsNotTheObject(t *testing.T) {
	gone, broken := apierrors.NewNotFound(corev1.Resource("pods"), "web"), errors.New("broken")
	for name, c := range map[string]struct {
		uid        types.UID
		err, fails error
		is         bool
	}{"found": {uid: "a", is: true}, "another": {uid: "b"}, "deleted": {uid: "a", err: gone}, "an error": {uid: "a", err: broken, fails: broken}} {
		get := func(context.Context, string, metav1.GetOptions) (*corev1.Pod, error) {
			return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: c.uid}}, c.err
		}
		if pod, err := ReadLive(t.Context(), get, "team", "web", "a"); (pod != nil) != c.is || !errors.Is(err, c.fails) ||
			err != nil && err.Error() != "get Pod team/web: broken" {
			t.Errorf("%s: %v, %v", name, pod, err)
		}
	}
}

func TestAnErrorBecomesAResult(t *testing.T) {
	images := v1alpha1.Resource("images")
	terminating := apierrors.NewForbidden(images, "a", errors.New("the namespace is terminating"))
	terminating.ErrStatus.Details.Causes = append(terminating.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause})
	for name, test := range map[string]struct {
		err    error
		after  time.Duration
		failed bool
	}{
		"none":                {after: time.Minute},
		"conflict":            {err: apierrors.NewConflict(images, "a", errors.New("older")), after: staleRetry},
		"gone":                {err: apierrors.NewNotFound(images, "a")},
		"namespace going":     {err: terminating},
		"API without server":  {err: apierrors.NewGenericServerResponse(http.StatusServiceUnavailable, "put", images, "a", "", 0, true), after: UnavailableRetry},
		"API without service": {err: apierrors.NewGenericServerResponse(http.StatusNotFound, "put", images, "a", "404 page not found", 0, true), after: UnavailableRetry},
		"nobody listens":      {err: fmt.Errorf("dial: %w", syscall.ECONNREFUSED), after: UnavailableRetry},
		"anything else":       {err: errors.New("broken"), failed: true},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.err
			if err != nil {
				err = fmt.Errorf("write status: %w", err)
			}
			request := ctrl.Request{}
			request.Namespace, request.Name = "default", "a"
			result, err := Result("Image", request, ctrl.Result{RequeueAfter: time.Minute}, err)
			if failed := err != nil; failed != test.failed || result.RequeueAfter != test.after {
				t.Errorf("got %v and error %v", result, err)
			}
			if err != nil && err.Error() != "Image default/a: write status: broken" {
				t.Errorf("the error is %q", err)
			}
		})
	}
}
