// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// expiryWorkers is how many builds are deleted at the same time.
const expiryWorkers = 2

// ExpiryOptions configure the deletion of builds that were created directly. All but LogsArchived and BuildsRecorded are required.
type ExpiryOptions struct {
	reconciliation.Options
	// TTL is how long a build is kept from its end.
	TTL time.Duration
	// LogsArchived is whether logs are archived. Before it is deleted, a finished build waits up to a day for its logs.
	LogsArchived bool
	// BuildsRecorded is whether builds are recorded in a database. Before it is deleted, a finished build waits up to a day for this.
	BuildsRecorded bool
	// Metrics counts builds that were deleted too early.
	Metrics *metrics.Builds
}

// NewExpiry makes the controller that deletes finished builds which were created directly. Those of an Image are deleted by
// the controller of Images.
func NewExpiry(options ExpiryOptions, cache client.Reader) *reconciliation.Controller {
	direct := predicate.NewPredicateFuncs(func(object client.Object) bool {
		build, ok := object.(*v1alpha1.ImageBuild)
		return ok && build.Spec.ImageRef == nil && build.Status.Finished
	})
	return &reconciliation.Controller{
		Reconciler: &expirer{ExpiryOptions: options, cache: cache}, Name: "imagebuild-expiry", Workers: expiryWorkers,
		Watches: []reconciliation.Watch{{Object: &v1alpha1.ImageBuild{}, Passes: direct}},
	}
}

type expirer struct {
	ExpiryOptions
	cache client.Reader
}

// Reconcile deletes a build whose TTL has passed.
func (e *expirer) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	build := &v1alpha1.ImageBuild{}
	if err := e.cache.Get(ctx, request.NamespacedName, build); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	after, err := e.expire(ctx, build)
	return reconciliation.Result("ImageBuild", request, ctrl.Result{RequeueAfter: after}, err)
}

// expire returns when to reconcile the build again, at the latest after maxRequeueAfter: a timer does not notice that the clock
// was set, or that the machine slept. 0 means never. The deletion fails if the build has changed since, because it may be
// under legal hold now.
func (e *expirer) expire(ctx context.Context, build *v1alpha1.ImageBuild) (time.Duration, error) {
	_, verdict, err := verdictOf(ctx, e.cache, build, e.Clock.Now())
	if err != nil {
		return 0, err
	}
	expires := trigger.DirectExpiry(build, e.TTL, e.LogsArchived, e.BuildsRecorded, verdict != nil)
	if expires.IsZero() {
		return 0, nil
	}
	if left := expires.Sub(e.Clock.Now()); left > 0 {
		return min(left, maxRequeueAfter), nil
	}
	background := metav1.DeletePropagationBackground
	err = e.Client.ImagesV1alpha1().ImageBuilds(build.Namespace).Delete(ctx, build.Name, metav1.DeleteOptions{
		Preconditions:     &metav1.Preconditions{UID: &build.UID, ResourceVersion: &build.ResourceVersion},
		PropagationPolicy: &background,
	})
	if err != nil {
		return 0, fmt.Errorf("delete the expired build: %w", err)
	}
	e.Metrics.Pruned(build, e.LogsArchived, e.BuildsRecorded)
	return 0, nil
}
