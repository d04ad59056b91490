// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/controllers/internal/resolution"
	"goldsmith.dev/goldsmith/jobs/state"
)

// conflicts is how many consecutive conflicts are repeated at once.
const conflicts = 5

// maxSteps is the maximum number of steps of one reconciliation, which needs only a few. An API server that is older than
// this controller drops unknown fields, and the step that sets such a field would be repeated without end.
const maxSteps = 30

// maxRequeueAfter is the longest time until an active build is reconciled again.
const maxRequeueAfter = 10 * time.Minute

type reconciler struct {
	Options
	cache client.Reader
	// sources read the objects that builds refer to.
	sources resolution.Sources
	// written are the builds as last written, until the cache has them. Without them, each reconciliation in between would end in a
	// conflict. The API still checks each write against the stored version.
	written sync.Map // of types.NamespacedName to *v1alpha1.ImageBuild
	// created are the UIDs of the Jobs of the builds' current attempts that this process has created, or has compared with what it renders.
	// A new process compares the Jobs whose UIDs the attempts have not recorded.
	created sync.Map // of types.NamespacedName to types.UID
}

// observation is what a reconciliation has learned besides the build.
type observation struct {
	// fresh is true once the build was read from, or written to, the API itself and not the cache.
	fresh bool
	// job is the Job that existed when the controller tried to create it.
	job      *batchv1.Job
	rejected string
	// refused is why the Job of UID lookedAt has no pod by its events, and forbidden by a dry run.
	lookedAt           types.UID
	refused, forbidden string
	// origin is whose the Job of UID comparedTo is, and uncompared why that is unknown.
	comparedTo types.UID
	origin     state.Origin
	uncompared string
	// begun is true once this reconciliation has stored the current attempt: it has neither Job nor pods yet.
	begun bool
	// live is true if everything is read from the API. It is set before an attempt begins or ends, and before an object is created or
	// deleted. The caches of a process that was frozen, or whose API servers differ in age, may differ in age. The cache of builds may
	// have a newer state than the cache of pods, which may lack the pod that ended. Its log would be deleted with the Job.
	live bool
}

// mayDecide reports whether a decision may be stored or carried out as it is observed.
func (o *observation) mayDecide(decision *state.Decision, build *v1alpha1.ImageBuild) bool {
	return o.live || o.begun && decision.Action == state.CreateJob || !decision.NeedsConfirmation(build)
}

// reject notes why the Job cannot be created. The build's status reports this, so it is no error of the reconciliation.
func (o *observation) reject(err error) { o.rejected = err.Error() }

// giveUp notes why a Job cannot be compared. The build's status reports this, too.
func (o *observation) giveUp(job *batchv1.Job, err error) {
	o.comparedTo, o.uncompared = job.UID, err.Error()
}

// Reconcile stores the decided status until it is up to date, and then performs the action.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	build, err := r.latest(ctx, request.NamespacedName)
	if err != nil {
		r.created.Delete(request.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	result, err := r.proceed(ctx, build, observation{})
	for again := 0; apierrors.IsConflict(err) && again < conflicts; again++ {
		// Another client has written, for example the builder with a report. The stored build is reconciled at once.
		if build, err = r.Client.ImagesV1alpha1().ImageBuilds(request.Namespace).Get(ctx, request.Name, metav1.GetOptions{}); err == nil {
			result, err = r.proceed(ctx, build, observation{fresh: true})
		}
	}
	if err != nil {
		r.Queue.Release(request.NamespacedName)
	}
	return reconciliation.Result("ImageBuild", request, result, err)
}

// latest returns the build from the cache, or the last written version if the cache does not have it yet.
func (r *reconciler) latest(ctx context.Context, key types.NamespacedName) (*v1alpha1.ImageBuild, error) {
	build := &v1alpha1.ImageBuild{}
	err := r.cache.Get(ctx, key, build)
	kept, ok := r.written.Load(key)
	if !ok {
		return build, err
	}
	if written, ok := kept.(*v1alpha1.ImageBuild); ok && err == nil && written.UID == build.UID {
		if order, err := resourceversion.CompareResourceVersion(build.ResourceVersion, written.ResourceVersion); err == nil && order < 0 {
			return written.DeepCopy(), nil
		}
	}
	r.written.CompareAndDelete(key, kept)
	return build, err
}

func (r *reconciler) proceed(ctx context.Context, build *v1alpha1.ImageBuild, seen observation) (ctrl.Result, error) {
	v1alpha1.SetObjectDefaults_ImageBuild(build) // of fields that an older server does not know, during an upgrade
	for range maxSteps {
		observed, stale, err := r.observe(ctx, build, &seen)
		if err != nil {
			return ctrl.Result{}, err
		}
		if stale != nil {
			build = stale
			continue
		}
		decision := state.Next(observed)
		if !seen.mayDecide(&decision, build) {
			seen.live = true
			continue
		}
		if !equality.Semantic.DeepEqual(&decision.Status, &build.Status) {
			begun := len(decision.Status.Attempts) > len(build.Status.Attempts)
			if build, err = r.store(ctx, build, observed.Pod, decision.Status); err != nil {
				return ctrl.Result{}, err
			}
			seen = observation{
				fresh: true, begun: begun, lookedAt: seen.lookedAt, refused: seen.refused, forbidden: seen.forbidden,
				comparedTo: seen.comparedTo, origin: seen.origin, uncompared: seen.uncompared,
			}
			continue
		}
		switch err := r.storeVerdict(ctx, build); {
		case apierrors.IsConflict(err):
			return ctrl.Result{RequeueAfter: verdictRetry}, nil // by then the cache has the other build as it is stored
		case err != nil:
			return ctrl.Result{}, err
		}
		again, err := r.perform(ctx, build, observed, decision.Action, &seen)
		if err != nil {
			return ctrl.Result{}, fmt.Errorf("%s: %w", decision.Action, err)
		}
		if !again {
			return ctrl.Result{RequeueAfter: requeueAfter(build, decision.After)}, nil
		}
	}
	return ctrl.Result{}, errors.New("the API server drops fields of the status: it may be older than this controller")
}

// requeueAfter is when to reconcile again without an event. 0 means never. An active build is always reconciled again after
// maxRequeueAfter, because a Job that was deleted before the cache had it leaves no event.
func requeueAfter(build *v1alpha1.ImageBuild, after time.Duration) time.Duration {
	if build.Status.Finished {
		return min(after, maxRequeueAfter) // a revocation is scheduled
	}
	if len(build.Status.Attempts) == 0 || after > 0 && after < maxRequeueAfter {
		return after
	}
	return maxRequeueAfter
}

// store writes the status, and records events and metrics.
func (r *reconciler) store(ctx context.Context, build *v1alpha1.ImageBuild, pod *corev1.Pod, status v1alpha1.ImageBuildStatus) (*v1alpha1.ImageBuild, error) {
	r.addLogTail(ctx, build, pod, &status)
	stored, err := r.PatchBuild(ctx, build, &status)
	if err != nil {
		r.Queue.ObserveFailedWrite(client.ObjectKeyFromObject(build), err)
		return nil, err
	}
	r.Queue.ObserveWrite(stored)
	if stored.Status.Finished {
		r.written.Delete(client.ObjectKeyFromObject(stored))
		r.created.Delete(client.ObjectKeyFromObject(stored))
	} else {
		r.written.Store(client.ObjectKeyFromObject(stored), stored.DeepCopy())
	}
	r.Metrics.CountEnds(&build.Status, stored)
	r.recordEvent(build, stored)
	logEnd(ctrl.LoggerFrom(ctx), build, stored)
	return stored, nil
}
