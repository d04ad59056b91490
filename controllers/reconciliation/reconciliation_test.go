// SPDX-License-Identifier: Apache-2.0

package reconciliation

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

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
		"API without server":  {err: apierrors.NewGenericServerResponse(http.StatusServiceUnavailable, "put", images, "a", "", 0, true), after: awayRetry},
		"API without service": {err: apierrors.NewGenericServerResponse(http.StatusNotFound, "put", images, "a", "404 page not found", 0, true), after: awayRetry},
		"nobody listens":      {err: fmt.Errorf("dial: %w", syscall.ECONNREFUSED), after: awayRetry},
		"anything else":       {err: errors.New("broken"), failed: true},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.err
			if err != nil {
				err = fmt.Errorf("writing status: %w", err)
			}
			request := ctrl.Request{}
			request.Namespace, request.Name = "default", "a"
			result, err := Result("Image", request, ctrl.Result{RequeueAfter: time.Minute}, err)
			if failed := err != nil; failed != test.failed || result.RequeueAfter != test.after {
				t.Errorf("got %v and error %v", result, err)
			}
			if err != nil && err.Error() != "Image default/a: writing status: broken" {
				t.Errorf("the error is %q", err)
			}
		})
	}
}
