// SPDX-License-Identifier: Apache-2.0

// Package archives checks the archives that packages of images come from for newer versions of these packages. Its data flow:
//
//	locks of the latest builds ── demand.go ──▶ an Archive for each source in them, and the packages to ask for
//	Archive ───────────────────── check.go ───▶ Jobs, in which a builder asks the archive; their answer becomes the status of the Archive
//	inputs of the latest builds ─ resolve.go ─▶ weekly a Job, in which a builder resolves them: what a build would install
//	locks, Archives and Jobs ──── candidates.go ▶ trigger.Candidates, with which package image decides, and which it stores
//
// Package jobs/probe decides what locks ask of archives, and what answers and Archives mean for Images. This package stores and schedules.
// The number of a check is stored before its Jobs are created, and their names have it. So a check that a crash interrupts is finished or
// repeated, and never decides twice. An answer counts only if its Job is what this process renders, and its pod runs what that Job describes, as in
// package sources. If somebody else created a Job of that name, the Job stays, and the check or the resolve fails. What the package remembers can be
// read again: locks never change, and each Job has its own question.
package archives

import (
	"context"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/probe"
)

const (
	// settle is how long a changed Image may wait until its archives are looked for, so that many changes cost one search.
	settle = time.Second
	// resync is when the archives are looked for without an event.
	resync = 10 * time.Minute
)

// search is the request to look for the archives of all Images. No Archive has an empty name.
var search = reconcile.Request{}

// Options of the controller. All are required.
type Options struct {
	reconciliation.Options
	// Namespace is where the Jobs of checks run.
	Namespace string
	// CreateNamespace is whether the controller creates Namespace before the first check, for a server without a cluster.
	CreateNamespace bool
	// Interval is the time between two checks of an archive.
	Interval time.Duration
	// Wave is how many builds because of the same new packages run at the same time until as many have succeeded. 0 is no limit.
	Wave int
	// Metrics counts checks.
	Metrics *metrics.Checks
}

// Archives knows which packages of images have newer versions. It is safe for concurrent use.
type Archives struct {
	Options
	cache client.Reader
	locks *locks

	// Of the only worker.
	demands probe.Demands // nil before the first search
	covered map[types.UID]map[probe.Package]bool
	checks  map[types.UID]*origins // by Archives
	enqueue func(reconcile.Request)

	mu      sync.Mutex                                       // guards enqueue and refused
	refused map[types.UID]map[string]v1alpha1.PackageResolve // by Images, and the names of Jobs that could not be created

	resolves *origins

	rollout  sync.Mutex
	reserved map[types.UID]reserved // Images whose builds are about to be created; guarded by rollout
}

// New makes the controller. The cache was made with package caches.
func New(options Options, cache client.Reader) *Archives {
	return &Archives{
		Options: options, cache: cache, locks: newLocks(options.Client), covered: map[types.UID]map[probe.Package]bool{}, reserved: map[types.UID]reserved{},
		enqueue: func(reconcile.Request) {}, refused: map[types.UID]map[string]v1alpha1.PackageResolve{},
		checks: map[types.UID]*origins{}, resolves: newOrigins(),
	}
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Controller returns the controller, with the source that its manager adds.
func (a *Archives) Controller() (*reconciliation.Controller, source.Source) {
	controller := &reconciliation.Controller{Reconciler: a, Name: "archive", Workers: 1, Watches: []reconciliation.Watch{
		{Object: &v1alpha1.Archive{}},
		{Object: &v1alpha1.Image{}, Events: imageEvents()},
		{Object: &batchv1.Job{}, Events: handler.EnqueueRequestsFromMapFunc(archiveOf)},
	}}
	return controller, source.Func(func(_ context.Context, q queue) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.enqueue = q.Add
		q.Add(search)
		return nil
	})
}

// archiveOf finds the Archive of a Job. Those of resolves are looked for with the archives.
func archiveOf(_ context.Context, job client.Object) []reconcile.Request {
	if job.GetLabels()[v1alpha1.LabelResolve] != "" {
		return []reconcile.Request{search}
	}
	if name := job.GetLabels()[v1alpha1.LabelArchive]; name != "" {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: name}}}
	}
	return nil
}

// imageEvents looks for archives when an Image needs others: its trigger, its latest successful build or its last resolve has changed.
func imageEvents() handler.EventHandler {
	enqueue := func(object client.Object, q queue) {
		if image, is := object.(*v1alpha1.Image); is && image.Spec.Triggers != nil && image.Spec.Triggers.OnPackageChange != nil {
			q.AddAfter(search, settle)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { enqueue(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			before, was := e.ObjectOld.(*v1alpha1.Image)
			after, is := e.ObjectNew.(*v1alpha1.Image)
			if !was || !is || before.Generation == after.Generation && equality.Semantic.DeepEqual(before.Status.LatestSuccessful, after.Status.LatestSuccessful) && equality.Semantic.DeepEqual(resolveOf(before), resolveOf(after)) {
				return
			}
			enqueue(before, q)
			enqueue(after, q)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { enqueue(e.Object, q) },
	}
}

// Reconcile looks for the archives of all Images, or does the next step of the check of an Archive.
func (a *Archives) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if request == search {
		err := a.search(ctx)
		return reconciliation.Result("Archives", request, ctrl.Result{RequeueAfter: resync}, err)
	}
	if a.demands == nil {
		return ctrl.Result{}, nil // the first search asks again
	}
	archive, err := a.Client.ImagesV1alpha1().Archives().Get(ctx, request.Name, metav1.GetOptions{}) // an outdated one would have its Jobs deleted
	if notfound.Object(err) && a.demands[request.Name] != nil {                                      // a user deleted it, and it is created anew
		return reconciliation.Result("Archives", request, ctrl.Result{}, a.search(ctx))
	}
	if err != nil || archive.DeletionTimestamp != nil {
		return reconciliation.Result("Archive", request, ctrl.Result{}, client.IgnoreNotFound(err))
	}
	after, err := a.check(ctx, archive)
	return reconciliation.Result("Archive", request, ctrl.Result{RequeueAfter: after}, err)
}

// again requests a reconciliation.
func (a *Archives) again(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.enqueue(reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
}

// next is when an archive is due again, counted from the end of its last check. It is a little different for each archive. After failures it is
// sooner, and then later with each of them.
func (a *Archives) next(archive *v1alpha1.Archive) time.Duration {
	status := &archive.Status
	wait := a.Interval
	if failures := status.ConsecutiveFailures; failures > 0 {
		wait = min(wait, time.Minute<<min(failures-1, 10))
	}
	return reconciliation.Spread(wait, archive.UID)
}
