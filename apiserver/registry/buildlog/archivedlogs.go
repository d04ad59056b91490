// SPDX-License-Identifier: Apache-2.0

package buildlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
	"goldsmith.dev/goldsmith/archive"
)

const (
	// retryArchive is when a client should request a log again while the archive is unavailable, in seconds.
	retryArchive = 10
	// archiveAnswer is how long the archive may take to answer whether it has a log, before the log is read from its pod.
	archiveAnswer = time.Second
)

// expiredError means that an attempt's log was archived, and deleted after its retention.
type expiredError struct {
	// At is when the log was deleted.
	At time.Time
	// Retention is how long the log was kept.
	Retention time.Duration
}

// Error returns when and why the log was deleted.
func (e *expiredError) Error() string {
	return fmt.Sprintf("the log was deleted at %s, because history.logRetention is %s", e.At.UTC().Format(time.RFC3339), e.Retention)
}

// unavailableError means that a log may be in the archive, which is unavailable.
type unavailableError struct{ error }

// Unwrap returns the error of the archive.
func (e *unavailableError) Unwrap() error { return e.error }

// archivedLogs reads a log from the archive if the archive has the complete log, and otherwise from its pod. If the pod's log
// is not available, it reads the incomplete log from the archive.
type archivedLogs struct {
	pods    podLogs
	archive *archive.Store
	mayRead func(ctx context.Context, name string, build, namespace types.UID) (bool, error)
}

// Open reads the log of an attempt.
func (l *archivedLogs) Open(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, options corev1.PodLogOptions) (io.ReadCloser, error) {
	name := archivedName(build, attempt)
	if attempt.Outcome != "" {
		// Prefer the archive, because the pod may have only the end of the log. If the archive does not answer, the pod may have the log.
		summary := l.sealed(ctx, name)
		if summary != nil && summary.Gone {
			return nil, &replacedError{summary.Why}
		}
		if summary != nil {
			log, err := l.archive.SealedReader(ctx, name, summary, position(options), func(ctx context.Context) (io.ReadCloser, error) {
				return l.pods.Open(ctx, build, attempt, corev1.PodLogOptions{Timestamps: true})
			})
			if err != nil {
				return nil, err
			}
			return l.show(ctx, build, attempt, options, log), nil
		}
	}
	log, err := l.fromPod(ctx, build, attempt, options)
	if err == nil || errors.Is(err, ErrNotStarted) {
		return log, err
	}
	archived, notArchived := l.open(ctx, build, attempt, options)
	switch {
	case notArchived == nil:
		return archived, nil
	case errors.Is(notArchived, ErrGone):
		return nil, notArchived
	case !errors.Is(notArchived, archive.ErrNotFound):
		return nil, &unavailableError{notArchived}
	}
	return nil, cmp.Or(l.expired(ctx, build), err)
}

// sealed returns the summary of a log, if the archive answers soon that it has the complete log.
func (l *archivedLogs) sealed(ctx context.Context, name archive.Attempt) *archive.Summary {
	ctx, cancel := context.WithTimeout(ctx, archiveAnswer)
	defer cancel()
	summary, err := l.archive.Summary(ctx, name)
	if err != nil {
		return nil
	}
	return summary
}

// fromPod reads the log of the attempt's pod. If the pod is lost, a followed log continues in the archive, at the place that its
// timestamps mark.
func (l *archivedLogs) fromPod(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, options corev1.PodLogOptions) (io.ReadCloser, error) {
	if !options.Follow {
		return l.pods.Open(ctx, build, attempt, options)
	}
	stamped := options
	stamped.Timestamps = true
	log, err := l.pods.Open(ctx, build, attempt, stamped)
	if err != nil {
		return nil, err
	}
	log = &handover{ctx: ctx, logs: l, build: build, attempt: attempt, options: options, log: log}
	return withTimestamps(log, options.Timestamps), nil
}

// open reads the log from the archive.
func (l *archivedLogs) open(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, options corev1.PodLogOptions) (io.ReadCloser, error) {
	log, err := l.archive.Reader(ctx, archivedName(build, attempt), position(options))
	if err != nil {
		return nil, err
	}
	if summary := log.Summary(); summary != nil && summary.Gone {
		return nil, errors.Join(&replacedError{summary.Why}, log.Close())
	}
	return l.show(ctx, build, attempt, options, log), nil
}

// show applies the options of a request to an archived log. A warning reports why a log is incomplete. A followed log ends
// once it is sealed.
func (l *archivedLogs) show(ctx context.Context, build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt, options corev1.PodLogOptions, log *archive.Reader) io.ReadCloser {
	if summary := log.Summary(); summary != nil && summary.InPart {
		warning.AddWarning(ctx, "", fmt.Sprintf("the log of attempt %d is incomplete: %s", attempt.Number, summary.Why))
	}
	if options.Follow {
		return withTimestamps(&handover{ctx: ctx, logs: l, build: build, attempt: attempt, options: options, log: log, archived: log}, options.Timestamps)
	}
	return withTimestamps(log, options.Timestamps)
}

// position is where reading a log begins in the archive.
func position(options corev1.PodLogOptions) archive.Position {
	from := archive.Position{TailLines: options.TailLines}
	if options.SinceTime != nil {
		from.Since = options.SinceTime.Time
	}
	return from
}

// expired returns an expiredError if the log was deleted after its retention.
func (l *archivedLogs) expired(ctx context.Context, build *v1alpha1.ImageBuild) error {
	record, err := l.archive.GetBuild(ctx, build.Namespace, build.UID)
	switch {
	case errors.Is(err, archive.ErrNotFound), errors.Is(err, archive.ErrDamaged): // there is no log in any case
		return nil
	case err != nil:
		return &unavailableError{err}
	case record.Expired == nil:
		return nil
	}
	return &expiredError{At: *record.Expired, Retention: ptr.Deref(record.Retention, 0)}
}

// deleted returns a deleted build as far as the archive has it: its attempts with a log. The error is NotFound if there is no log. A damaged
// record does not tell who can read the log.
func (l *archivedLogs) deleted(ctx context.Context, namespace, name string, uid types.UID) (*v1alpha1.ImageBuild, error) {
	record, err := l.archive.GetBuild(ctx, namespace, uid)
	if errors.Is(err, archive.ErrNotFound) || err == nil && record.Name != name {
		return nil, noSuchBuild(name, uid)
	}
	if errors.Is(err, archive.ErrDamaged) {
		return nil, apierrors.NewInternalError(fmt.Errorf("find the log of imagebuild %s with UID %s: %w; restore the archive", name, uid, err))
	}
	if err == nil {
		if allowed, err := l.mayRead(ctx, name, uid, record.NamespaceUID); err != nil || !allowed {
			return nil, cmp.Or(err, noSuchBuild(name, uid))
		}
	}
	var attempts []archive.Attempt
	if err == nil {
		attempts, err = l.archive.Attempts(ctx, namespace, uid)
	}
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: uid}}
	if err != nil {
		return nil, unavailable(&unavailableError{err}, build)
	}
	build.Status.Phase, build.Status.Finished = v1alpha1.BuildFailed, true
	if record.Succeeded {
		build.Status.Phase = v1alpha1.BuildSucceeded
	}
	for _, attempt := range attempts {
		build.Status.CurrentAttempt = attempt.Number
		build.Status.Attempts = append(build.Status.Attempts, v1alpha1.BuildAttempt{
			Number: attempt.Number, PodUID: attempt.Pod, Outcome: v1alpha1.AttemptFailed,
		})
	}
	if record.Expired != nil && len(attempts) == 0 { // a legal hold may have kept the logs after all
		return nil, logError(&expiredError{At: *record.Expired, Retention: ptr.Deref(record.Retention, 0)}, build, &v1alpha1.BuildAttempt{})
	}
	return build, nil
}

func noSuchBuild(name string, uid types.UID) error {
	err := apierrors.NewNotFound(v1alpha1.Resource("imagebuilds"), name)
	err.ErrStatus.Message = fmt.Sprintf("imagebuild %q with UID %s does not exist, and the archive has no log of it", name, uid)
	return err
}

// unavailable returns the error for an unavailable archive, with the time of the next try.
func unavailable(err error, build *v1alpha1.ImageBuild) error {
	details := logDetails(build, "")
	details.RetryAfterSeconds = retryArchive
	return requesterrors.Unavailable(fmt.Sprintf("the log of imagebuild %q cannot be read now, try again: %v", build.Name, err), *details)
}

func archivedName(build *v1alpha1.ImageBuild, attempt *v1alpha1.BuildAttempt) archive.Attempt {
	return archive.Attempt{Namespace: build.Namespace, Build: build.UID, Number: attempt.Number, Pod: attempt.PodUID}
}

// withTimestamps drops the timestamps of a log unless they are requested.
func withTimestamps(log io.ReadCloser, wanted bool) io.ReadCloser {
	if wanted {
		return log
	}
	return limited{Reader: archive.StripTimestamps(log), Closer: log}
}
