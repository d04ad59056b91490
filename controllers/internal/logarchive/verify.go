// SPDX-License-Identifier: Apache-2.0

package logarchive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
)

const (
	// verifyInterval is how often archived logs whose pods exist are read back, because these can be archived again. With its jitter it is
	// shorter than an hour, so that no hour of the day passes without a run.
	verifyInterval = 50 * time.Minute
	// verifyShare is the number of hours in which every other archived log is read back once.
	verifyShare = 24
)

// verify reads archived logs back. What it finds depends only on the archive and the API, so that a crash loses nothing.
func (s *sweeper) verify(ctx context.Context) {
	builds := &v1alpha1.ImageBuildList{}
	if err := s.cache.List(ctx, builds, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list the builds whose archived logs are read back")
		return
	}
	for i := range builds.Items {
		build := &builds.Items[i]
		if ctx.Err() != nil || !s.isDue(ctx, build) {
			continue
		}
		if err := s.verifyBuild(ctx, build); err != nil && ctx.Err() == nil {
			s.Metrics.Errors.Inc()
			ctrl.LoggerFrom(ctx).Error(err, "an archived log cannot be read back", "imagebuild", client.ObjectKeyFromObject(build))
		}
	}
}

// isDue reports whether to read back the logs of a build now.
func (s *sweeper) isDue(ctx context.Context, build *v1alpha1.ImageBuild) bool {
	switch reason := archivedReason(build); {
	case reason == v1alpha1.ReasonLogDamaged:
		return true
	case reason != v1alpha1.ReasonLogArchived && reason != v1alpha1.ReasonLogArchivedInPart:
		return false
	}
	if int(reconciliation.ShareOf(build.UID, verifyShare)) == s.Clock.Now().UTC().Hour() {
		return true
	}
	return slices.ContainsFunc(build.Status.Attempts, func(attempt v1alpha1.BuildAttempt) bool {
		pod := &corev1.Pod{}
		err := s.cache.Get(ctx, client.ObjectKey{Namespace: build.Namespace, Name: attempt.PodName}, pod)
		return err == nil && pod.UID == attempt.PodUID
	})
}

// archivedReason is the reason of the condition LogArchived, or empty.
func archivedReason(build *v1alpha1.ImageBuild) string {
	if condition := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildLogArchived); condition != nil {
		return condition.Reason
	}
	return ""
}

// verifyBuild reads back the record and the logs of a build. It reports damage in the condition, and then archives again what a pod still has.
func (s *sweeper) verifyBuild(ctx context.Context, build *v1alpha1.ImageBuild) error {
	record, _, err := s.record(ctx, build, s.image)
	if err != nil {
		return err
	}
	if err := s.streams.refresh(ctx, record); err != nil { // which replaces a damaged record
		return err
	}
	err = s.readBack(ctx, build, false)
	if err == nil && archivedReason(build) != v1alpha1.ReasonLogDamaged {
		return nil
	}
	if err != nil {
		if !errors.Is(err, archive.ErrDamaged) {
			return err
		}
		if err := s.setCurrentCondition(ctx, build, damagedCondition(err)); err != nil {
			return err
		}
		if err := s.readBack(ctx, build, true); err != nil {
			return err
		}
	}
	verdict, err := s.verdict(ctx, build)
	if err != nil {
		return err
	}
	return s.setCurrentCondition(ctx, build, verdict)
}

// readBack reads back the logs of a build. If again is true, it archives damaged parts again from the pods, of every attempt that has one.
func (s *sweeper) readBack(ctx context.Context, build *v1alpha1.ImageBuild, again bool) (first error) {
	for i := range build.Status.Attempts {
		attempt := &build.Status.Attempts[i]
		if attempt.PodUID == "" {
			continue
		}
		first = cmp.Or(first, s.readLogBack(ctx, build, attempt, again))
		if first != nil && !again {
			return first
		}
	}
	return first
}

func (s *sweeper) readLogBack(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, again bool) error {
	summary, err := s.Archive.Summary(ctx, key(build, attempt))
	if err == nil && summary == nil && again {
		summary, err = s.archiveAgain(ctx, build, attempt)
	}
	if err != nil {
		return archiveError{err}
	}
	if summary == nil {
		return fmt.Errorf("attempt %d: its seal is missing or damaged: %w", attempt.Number, archive.ErrDamaged)
	}
	var origin archive.Origin
	if again {
		origin = newStream(s.Options, build, attempt, archive.Limit{}).origin
	}
	if err := s.Archive.Verify(ctx, key(build, attempt), summary, origin); err != nil {
		return fmt.Errorf("attempt %d: %w", attempt.Number, archiveError{err})
	}
	return nil
}

// archiveAgain archives a log without a seal as if it were new. It fails if the pod does not exist.
func (s *sweeper) archiveAgain(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt) (*archive.Summary, error) {
	_, limit, err := s.record(ctx, build, s.image)
	if err != nil {
		return nil, err
	}
	again := newStream(s.Options, build, attempt, limit)
	log, err := again.origin(ctx)
	if err != nil {
		return nil, err
	}
	_ = log.Close() // run opens it again
	again.over.Store(true)
	if err := again.run(ctx); err != nil {
		return nil, err
	}
	return s.Archive.Summary(ctx, key(build, attempt))
}

// setCurrentCondition writes the condition LogArchived of a build as it is now, unless its logs have expired meanwhile.
func (s *sweeper) setCurrentCondition(ctx context.Context, build *v1alpha1.ImageBuild, condition metav1.Condition) error {
	now, err := s.live(ctx, archive.Build{Namespace: build.Namespace, Name: build.Name, UID: build.UID})
	if err != nil || now == nil || archivedReason(now) == v1alpha1.ReasonLogExpired {
		return err
	}
	return s.setCondition(ctx, now, condition)
}
