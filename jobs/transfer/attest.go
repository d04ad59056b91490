// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/documents"
)

const (
	// attestLimit is how long the server may be unavailable before the publisher gives up the upload of locks.
	attestLimit = time.Minute
	attestRetry = time.Second
)

// attest uploads locks, so that the server can list their packages. A failure is only logged: the repository has the locks.
func (p *program) attest(ctx context.Context, locks []documents.Lock) {
	if len(locks) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, attestLimit)
	defer cancel()
	if err := p.upload(ctx, locks); err != nil {
		p.Log("the packages are not recorded: %v; goldsmith artifacts get %s --document lock has them", err, p.input.Build.Name)
		return
	}
	p.Log("recorded the packages")
}

// upload uploads each lock by itself, because the server limits the size of a request.
func (p *program) upload(ctx context.Context, locks []documents.Lock) error {
	if p.Builds == nil {
		return errors.New("the pod has no token for the API server")
	}
	builds := p.Builds.ImageBuilds(p.input.Build.Namespace)
	for i := range locks {
		request := &v1alpha1.BuildAttestation{Locks: [][]byte{locks[i].Compressed}}
		var last error
		err := wait.PollUntilContextCancel(ctx, attestRetry, true, func(ctx context.Context) (bool, error) {
			_, last = builds.Attest(ctx, p.input.Build.Name, request, metav1.CreateOptions{})
			if last == nil || refused(last) {
				return true, last
			}
			return false, nil
		})
		if err != nil {
			return cmp.Or(last, err)
		}
	}
	return nil
}

// refused reports whether an error is the answer of a server that will not give another answer later.
func refused(err error) bool {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError && code != http.StatusTooManyRequests
}
