// SPDX-License-Identifier: Apache-2.0

// Package reconciliation has the shared parts of the reconcilers: their options, reading an object from the API, writing a condition,
// comparing and deleting a Job, and the result of a reconciliation that ends with an error.
package reconciliation

import (
	"context"
	"fmt"
	"hash/fnv"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/result"
)

const (
	// staleRetry is when an object is reconciled again after a conflict.
	staleRetry = 50 * time.Millisecond
	// UnavailableRetry is the interval at which a request to an unavailable API is repeated.
	UnavailableRetry = 2 * time.Second
	// firstRetry and lastRetry are the first and the longest pause before an object with an error is reconciled again. The
	// cause of an error may end without an event of the object.
	firstRetry = 5 * time.Millisecond
	lastRetry  = 30 * time.Second
	// cacheSyncTimeout is how long caches may take to fill once the manager has filled them.
	cacheSyncTimeout = time.Hour
)

// Options of a reconciler. All are required.
type Options struct {
	// Client reads and writes Images and ImageBuilds.
	Client versioned.Interface
	// Kube reaches ConfigMaps, Jobs, pods and their logs.
	Kube kubernetes.Interface
	// Builders are the builders that the operator allows.
	Builders inputs.Builders
	// Results is what the results of builders must have.
	Results result.Policy
	// Kept reports whether the server keeps the content with a digest. If it is nil, the server keeps no artifacts.
	Kept func(digest string) bool
	// Events records events.
	Events record.EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock
}

// Settings of the controller that runs a reconciler with so many workers.
func Settings(workers int) controller.Options {
	return SettingsOf[ctrl.Request](workers)
}

// SettingsOf are Settings for requests of another type.
func SettingsOf[request comparable](workers int) controller.TypedOptions[request] {
	return controller.TypedOptions[request]{
		MaxConcurrentReconciles: workers,
		CacheSyncTimeout:        cacheSyncTimeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[request](firstRetry, lastRetry),
	}
}

// SpecChanged passes changes of an object's spec. It also passes a new object of the same name, which comes as a change if
// the watch missed the deletion of the former object.
func SpecChanged() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool { return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() },
	})
}

// ReadLive returns the object that get, the method of a client for this namespace, reads from the API. It returns nil if the object with
// this UID no longer exists.
func ReadLive[T metav1.Object](
	ctx context.Context, get func(context.Context, string, metav1.GetOptions) (T, error), namespace, name string, uid types.UID,
) (live T, err error) {
	found, err := get(ctx, name, metav1.GetOptions{})
	switch {
	case notfound.Object(err) || err == nil && found.GetUID() != uid:
		return live, nil
	case err != nil:
		return live, fmt.Errorf("get %s %s/%s: %w", reflect.TypeFor[T]().Elem().Name(), namespace, name, err)
	}
	return found, nil
}

// ShareOf returns to which of a number of shares an object belongs, from 0, so that not all objects are handled at the same time.
func ShareOf(object types.UID, shares uint32) uint32 {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(object)) // never fails
	return hash.Sum32() % shares
}

// Spread returns a wait that is up to a tenth longer, which is a little different for each object.
func Spread(wait time.Duration, of types.UID) time.Duration {
	return wait + wait*time.Duration(ShareOf(of, 100))/1000
}

// Result ends a reconciliation. Without an error it returns the result. After a conflict the object is reconciled again shortly. A
// deleted object, or one in a namespace that terminates, is not reconciled again. While the API is unavailable the object is
// reconciled every two seconds: package outages logs why. Any other error is returned with the object, and retried with backoff.
func Result(kind string, request ctrl.Request, result ctrl.Result, err error) (ctrl.Result, error) {
	switch {
	case err == nil:
		return result, nil
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: staleRetry}, nil
	case Unavailable(err):
		return ctrl.Result{RequeueAfter: UnavailableRetry}, nil
	case apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return ctrl.Result{}, nil
	default:
		return ctrl.Result{}, fmt.Errorf("%s %s: %w", kind, request, err)
	}
}

// Unavailable reports whether an API is unavailable. Without its APIService, an API answers 404 for every object.
func Unavailable(err error) bool {
	return apierrors.IsServiceUnavailable(err) || utilnet.IsConnectionRefused(err) ||
		notfound.API(err)
}
