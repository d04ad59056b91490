// SPDX-License-Identifier: Apache-2.0

package logarchive

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
)

const (
	// sweepInterval is how often expired logs are deleted.
	sweepInterval = time.Hour
	// pingInterval is how often the archive is checked.
	pingInterval = 30 * time.Second
	// jitter keeps several installations that share a store from sweeping at the same time.
	jitter = 0.1
)

// sweeper deletes expired logs, and seals the logs of builds whose deletion was not observed.
type sweeper struct{ *reconciler }

// Start sweeps the archive, reads logs back, and checks whether the archive answers, until ctx is done.
func (s *sweeper) Start(ctx context.Context) error {
	go wait.UntilWithContext(ctx, s.ping, pingInterval)
	go wait.JitterUntilWithContext(ctx, s.verify, verifyInterval, jitter, true)
	wait.JitterUntilWithContext(ctx, s.sweep, sweepInterval, jitter, true)
	return nil
}

func (s *sweeper) ping(ctx context.Context) {
	up := 1.0
	if err := s.Archive.Ping(ctx); err != nil && ctx.Err() == nil {
		up = 0
		ctrl.LoggerFrom(ctx).Error(err, "the log archive does not answer")
	}
	s.Metrics.Up.Set(up)
}

// sweep deletes expired logs. A failed deletion is tried again the next time.
func (s *sweeper) sweep(ctx context.Context) {
	swept, err := s.Archive.Sweep(ctx, s.found)
	s.Metrics.Swept.Add(float64(swept))
	if err != nil && ctx.Err() == nil {
		s.Metrics.Errors.Inc()
		ctrl.LoggerFrom(ctx).Error(err, "cannot delete expired logs")
	}
}

// found brings the record of a build up to date, and reports whether a legal hold of the build or of its Image keeps its logs. The
// API decides both, because the archive and the cache may be out of date. If the build is marked as expired, found reports this
// in its condition. It seals the logs of a build that was deleted before its end was observed.
func (s *sweeper) found(ctx context.Context, record archive.Build) (held bool, err error) {
	build, err := s.live(ctx, record)
	switch {
	case err != nil:
		return false, err
	case build == nil && record.Finished == nil:
		return false, s.finish(ctx, record)
	case build == nil && record.Image == "" || record.Finished == nil:
		return false, nil
	case build == nil:
		image, err := s.liveImage(ctx, record.Namespace, &v1alpha1.ImageReference{Name: record.Image, UID: record.ImageUID})
		return image != nil && v1alpha1.UnderLegalHold(image), err
	}
	now, _, err := s.record(ctx, build, s.liveImage)
	if err != nil {
		return false, err
	}
	if err := s.streams.refresh(ctx, now); err != nil || now.Held || record.Expired == nil {
		return now.Held, err
	}
	return false, s.setCondition(ctx, build, metav1.Condition{
		Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonLogExpired, Message: fmt.Sprintf(
			"the log was deleted at %s: history.logRetention is %s", record.Expired.UTC().Format(time.RFC3339), ptr.Deref(record.Retention, 0)),
	})
}

// live returns the build of a record. It is nil if the build no longer exists.
func (r *reconciler) live(ctx context.Context, record archive.Build) (*v1alpha1.ImageBuild, error) {
	return reconciliation.ReadLive(ctx, r.Client.ImagesV1alpha1().ImageBuilds(record.Namespace).Get, record.Namespace, record.Name, record.UID)
}

// abandon seals the logs of builds of this name that no longer exist.
func (r *reconciler) abandon(ctx context.Context, name types.NamespacedName, now *v1alpha1.ImageBuild) error {
	for _, record := range r.streams.deletedBuilds(name, now) {
		if err := r.finish(ctx, record); err != nil {
			return err
		}
		r.streams.forget(record.UID)
	}
	return nil
}

// finish seals the logs of a build that no longer exists. If its end was not observed, it counts as finished now.
func (r *reconciler) finish(ctx context.Context, record archive.Build) error {
	attempts, err := r.Archive.Attempts(ctx, record.Namespace, record.UID)
	if err != nil {
		return archiveError{err}
	}
	for _, attempt := range attempts {
		w, err := r.Archive.Writer(ctx, attempt, archive.Limit{})
		if err != nil {
			return archiveError{err}
		}
		if w.Sealed() {
			continue
		}
		if _, err := w.Seal(ctx, archive.Seal{InPart: true, Why: "the build was deleted before the end of the log was read"}); err != nil {
			return archiveError{err}
		}
	}
	if record.Finished != nil || len(attempts) == 0 {
		return nil
	}
	record.Finished = new(r.Clock.Now().UTC())
	return ofArchive(r.Archive.PutBuild(ctx, record))
}
