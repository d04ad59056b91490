// SPDX-License-Identifier: Apache-2.0

// Package queue admits builds. It knows the unfinished builds from a cache and from the last writes, and jobs/queue decides
// which of them is next. When a slot becomes free, the next build is reconciled, and no other build.
//
// The package stores nothing. After a restart or a handover it begins with the builds that the API stores.
package queue

import (
	"context"
	"errors"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/jobs/queue"
)

// Options of a queue. All but Limits are required.
type Options struct {
	// Limits are how many builds may be active.
	Limits queue.Limits
	// Cache has the builds, and the metadata of Namespaces.
	Cache cache.Cache
	// API has the builds as they are stored.
	API client.Reader
	// Events records events of Namespaces.
	Events record.EventRecorder
	// Metrics measures the queue.
	Metrics *metrics.Queue
	// Clock tells the time.
	Clock clock.PassiveClock
}

// Queue admits builds. It is a source of the controller that starts them, and may be used once that source has synced.
type Queue struct {
	Options
	synced chan error // the outcome of filling the ledger

	mutex sync.Mutex
	// ledger has the builds.
	ledger *queue.Ledger
	// open is true once the ledger is full. Before that, no build is admitted.
	open bool
	// due takes the builds that may start.
	due workqueue.TypedRateLimitingInterface[reconcile.Request]
	// complaints are the reported problems of the annotations of Namespaces, by name.
	complaints map[string]string
}

// New makes a queue.
func New(options Options) *Queue {
	return &Queue{
		Options:    options,
		synced:     make(chan error, 1),
		ledger:     queue.NewLedger(options.Limits),
		complaints: map[string]string{},
	}
}

// Admission reports whether a waiting build may start and if not, what it waits for. A build that may start holds its slot
// until its start is stored or the slot is released.
func (q *Queue) Admission(ctx context.Context, build *v1alpha1.ImageBuild) (admitted bool, why string) {
	key := client.ObjectKeyFromObject(build)
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if !q.ledger.Has(key, build.UID) {
		q.observeCached(ctx, key)
		if !q.ledger.Has(key, build.UID) {
			return false, "" // the cache is behind: the build is reconciled again once the cache has it, or no longer has its predecessor
		}
	}
	q.measure(build, q.ledger.ObserveAPI(build))
	q.ledger.Resume(key)
	q.admit(key)
	return q.ledger.Admission(key)
}

// ObserveWrite takes the answer to a write of a build's status.
func (q *Queue) ObserveWrite(build *v1alpha1.ImageBuild) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.measure(build, q.ledger.ObserveAPI(build))
	q.admit(queue.Key{})
}

// measure counts how long a build has waited, when its start has been stored.
func (q *Queue) measure(build *v1alpha1.ImageBuild, settled bool) {
	if settled && build.Status.StartTime != nil {
		q.Metrics.Admitted(build.Status.StartTime.Sub(build.CreationTimestamp.Time))
	}
}

// ObserveFailedWrite takes the error of a write of a build's status. Unless the API refused the write, it may still be stored.
func (q *Queue) ObserveFailedWrite(key queue.Key, err error) {
	if isRefused(err) {
		return
	}
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.ledger.MarkUncertain(key)
}

// Release takes the slot from a build that could not be started. Other builds precede it until Admission is called for it again.
func (q *Queue) Release(key queue.Key) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.ledger.Release(key)
	q.admit(queue.Key{})
}

// admit admits the builds that can be admitted, and enqueues them, except the build that is being reconciled. The mutex is held.
func (q *Queue) admit(except queue.Key) {
	if !q.open {
		return
	}
	for _, key := range q.ledger.Admit(q.Clock.Now()) {
		if key != except {
			q.due.Add(reconcile.Request{NamespacedName: key})
		}
	}
	q.Metrics.Waiting(q.ledger.Waiting())
}

// observeCached takes a build from the cache before its event arrives, with the other builds of its Image: an earlier one, whose
// event has not arrived either, must start first. The events are handled later. The mutex is held.
func (q *Queue) observeCached(ctx context.Context, key queue.Key) {
	build := &v1alpha1.ImageBuild{}
	if err := q.Cache.Get(ctx, key, build); err != nil {
		return
	}
	q.ledger.Observe(build)
	if build.Spec.ImageRef == nil {
		return
	}
	others := &v1alpha1.ImageBuildList{}
	err := q.Cache.List(ctx, others, client.InNamespace(key.Namespace), client.MatchingFields{caches.BuildsByImage: string(build.Spec.ImageRef.UID)})
	if err != nil {
		return
	}
	for i := range others.Items {
		if other := &others.Items[i]; !q.ledger.Has(client.ObjectKeyFromObject(other), other.UID) {
			q.ledger.Observe(other)
		}
	}
}

// isRefused reports whether the API has refused a request, so that its outcome is known.
func isRefused(err error) bool {
	const first, last = 400, 500
	var status apierrors.APIStatus
	if !errors.As(err, &status) || apierrors.IsTimeout(err) {
		return false
	}
	code := status.Status().Code
	return code >= first && code < last
}
