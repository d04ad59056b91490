// SPDX-License-Identifier: Apache-2.0

package logarchive

import (
	"context"
	"errors"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

type workQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

type reconciler struct {
	Options
	cache   client.Reader
	streams *streams
}

// Reconcile archives each log of a build, and reports the result in the condition LogArchived.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	build := &v1alpha1.ImageBuild{}
	err := r.cache.Get(ctx, request.NamespacedName, build)
	if err := client.IgnoreNotFound(err); err != nil {
		return ctrl.Result{}, err
	}
	if apierrors.IsNotFound(err) {
		build = nil
	}
	err = r.abandon(ctx, request.NamespacedName, build)
	if err == nil && build != nil {
		err = r.reconcile(ctx, build)
	}
	if failure := (archiveError{}); errors.As(err, &failure) {
		r.Metrics.Errors.Inc()
	}
	return reconciliation.Result("log of ImageBuild", request, ctrl.Result{}, err)
}

func (r *reconciler) reconcile(ctx context.Context, build *v1alpha1.ImageBuild) error {
	settled := trigger.LogSettled(build)
	record, limit, err := r.record(ctx, build, r.image)
	if err == nil {
		err = r.archive(ctx, build, record, limit, settled)
	}
	failure := archiveError{}
	switch {
	case settled && err == nil:
		return r.release(ctx, build)
	case errors.Is(err, errGoesOn):
		return nil // the end of the stream triggers the next reconciliation
	case !build.Status.Finished || settled || err != nil && !errors.As(err, &failure):
		return err
	case err != nil:
		return errors.Join(err, r.setCondition(ctx, build, unavailable(failure)))
	}
	verdict, err := r.verdict(ctx, build)
	if err != nil {
		return err
	}
	if err := r.setCondition(ctx, build, verdict); err != nil {
		return err
	}
	r.streams.forget(build.UID)
	return nil
}

// errGoesOn means that a stream still reads a log.
var errGoesOn = errors.New("a log is being archived")

// archive stores the record of a build that has a log, and starts a stream for each log that is not complete in the archive. Errors
// take precedence over errGoesOn.
func (r *reconciler) archive(ctx context.Context, build *v1alpha1.ImageBuild, record archive.Build, limit archive.Limit, settled bool) error {
	var failures []error
	goesOn := false
	for i := range build.Status.Attempts {
		attempt := &build.Status.Attempts[i]
		if attempt.PodUID == "" {
			continue // its containers never started
		}
		if settled { // so it is not remembered: finished builds would add up
			r.streams.forget(build.UID)
			return r.streams.refresh(ctx, record)
		}
		if err := r.streams.storeRecord(ctx, record); err != nil {
			return err
		}
		err := r.streams.ensureStream(build, attempt, limit)
		failure := archiveError{}
		switch {
		case errors.Is(err, errGoesOn):
			goesOn = true
		case errors.As(err, &failure):
			return failure
		case err != nil:
			failures = append(failures, err)
		}
	}
	if failures == nil && goesOn {
		return errGoesOn
	}
	return errors.Join(failures...)
}

// verdict returns the condition LogArchived of a finished build whose streams have ended.
func (r *reconciler) verdict(ctx context.Context, build *v1alpha1.ImageBuild) (metav1.Condition, error) {
	logs, partial := 0, []string(nil)
	for i := range build.Status.Attempts {
		attempt := &build.Status.Attempts[i]
		if attempt.PodUID == "" {
			continue
		}
		summary, err := r.Archive.Summary(ctx, key(build, attempt))
		if err != nil {
			return metav1.Condition{}, archiveError{err}
		}
		if summary == nil {
			return metav1.Condition{}, fmt.Errorf("the log of attempt %d is not sealed", attempt.Number)
		}
		logs++
		if summary.Digest == "" { // it was damaged when it was sealed
			err := r.Archive.Verify(ctx, key(build, attempt), summary, nil)
			switch {
			case errors.Is(err, archive.ErrDamaged):
				return damagedCondition(fmt.Errorf("attempt %d: %w", attempt.Number, err)), nil
			case err != nil:
				return metav1.Condition{}, archiveError{err}
			}
		}
		if summary.InPart {
			partial = append(partial, fmt.Sprintf("attempt %d: %s", attempt.Number, summary.Why))
		}
	}
	condition := metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonLogArchived}
	switch {
	case logs == 0:
		condition.Reason, condition.Message = v1alpha1.ReasonNoLog, "no attempt has written a log"
	case partial != nil:
		condition.Reason, condition.Message = v1alpha1.ReasonLogArchivedInPart, strings.Join(partial, "; ")
	}
	return condition, nil
}

// damagedCondition returns the condition LogArchived for a log that is damaged or lost in the archive.
func damagedCondition(err error) metav1.Condition {
	return metav1.Condition{Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonLogDamaged, Message: err.Error() + "; restore the archive"}
}

// unavailable returns the condition LogArchived for an archive that cannot be written to.
func unavailable(failure archiveError) metav1.Condition {
	return metav1.Condition{
		Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonArchiveUnavailable,
		Message: failure.Error() + "; the controller retries, and the pod keeps the log meanwhile",
	}
}

func (r *reconciler) setCondition(ctx context.Context, build *v1alpha1.ImageBuild, condition metav1.Condition) error {
	condition.Type = v1alpha1.BuildLogArchived
	return r.SetCondition(ctx, build, condition)
}

// release deletes the Job of a cancelled build with its pod, because the log is in the archive.
func (r *reconciler) release(ctx context.Context, build *v1alpha1.ImageBuild) error {
	if build.Status.Phase != v1alpha1.BuildCancelled || len(build.Status.Attempts) == 0 {
		return nil
	}
	attempt := build.Status.Attempts[len(build.Status.Attempts)-1]
	job := &batchv1.Job{}
	err := r.cache.Get(ctx, client.ObjectKey{Namespace: build.Namespace, Name: attempt.JobName}, job)
	if err != nil || job.UID != attempt.JobUID || job.DeletionTimestamp != nil {
		return client.IgnoreNotFound(err)
	}
	return reconciliation.DeleteJob(ctx, r.Kube, job)
}

// key names the log of an attempt in the archive.
func key(build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt) archive.Attempt {
	return archive.Attempt{Namespace: build.Namespace, Build: build.UID, Number: attempt.Number, Pod: attempt.PodUID}
}

// archiveError is an error of the archive, and not of the API or a pod.
type archiveError struct{ error }

// Unwrap returns the error of the archive.
func (e archiveError) Unwrap() error { return e.error }

// ofArchive returns what the archive returned: an archiveError, or nil.
func ofArchive(err error) error {
	if err == nil {
		return nil
	}
	return archiveError{err}
}
