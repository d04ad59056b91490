// SPDX-License-Identifier: Apache-2.0

package archives

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/probe"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
	"goldsmith.dev/goldsmith/jobs/state"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

const (
	// resolveInterval is the time between two resolves of the inputs of a build.
	resolveInterval = 7 * 24 * time.Hour
	// resolveRetry is the time until the next resolve after one that failed.
	resolveRetry = 24 * time.Hour
)

// whole is an Image without a base Image, which can be resolved as a whole, with its latest successful build.
type whole struct {
	image *v1alpha1.Image
	probe.Packages
}

// resolveOf returns the last resolve of an Image, or nil.
func resolveOf(image *v1alpha1.Image) *v1alpha1.PackageResolve {
	if image.Status.Packages == nil {
		return nil
	}
	return image.Status.Packages.Resolved
}

func (w *whole) last() time.Time { return render.LastResolve(w.image, w.Build) }

// next returns when the next resolve may start, which is a little different for each Image.
func (w *whole) next() time.Time {
	wait := resolveInterval
	if resolved := resolveOf(w.image); resolved != nil && resolved.Message != "" && w.image.Status.Packages.Build == w.Build.Name {
		wait = resolveRetry
	}
	return w.last().Add(reconciliation.Spread(wait, w.image.UID))
}

// job returns the name of the Job of the next resolve. Once its result is stored, the next resolve has another name.
func (w *whole) job() string { return render.ResolveJobName(w.image, w.Build, w.last()) }

// resolve deletes the Jobs of resolves whose results are stored, or which nobody needs. Then it starts the one that has been due for longest, unless
// another resolve runs.
func (a *Archives) resolve(ctx context.Context, wholes []whole) error {
	jobs := &batchv1.JobList{}
	if err := a.cache.List(ctx, jobs, client.HasLabels{v1alpha1.LabelResolve}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list the Jobs of resolves: %w", err)
	}
	a.resolves.keep(jobs.Items)
	runs := false
	for i := range jobs.Items {
		job := &jobs.Items[i]
		if _, ours := render.ResolveOf(job); !ours || a.resolves.foreign(job) {
			continue
		}
		if slices.ContainsFunc(wholes, func(w whole) bool { return w.image.Namespace == job.Namespace && w.job() == job.Name }) {
			runs = runs || !state.Finished(job) && a.Clock.Now().Sub(job.CreationTimestamp.Time) < jobLimit
			continue
		}
		if err := reconciliation.DeleteJob(ctx, a.Kube, job); apierrors.IsForbidden(err) { // in one namespace: the others go on
			ctrl.LoggerFrom(ctx).Info("the Job of a resolve cannot be deleted", "job", client.ObjectKeyFromObject(job), "err", err.Error())
		} else if err != nil {
			return err
		}
	}
	if runs {
		return nil
	}
	wholes = slices.DeleteFunc(wholes, func(w whole) bool { return !a.resolveDue(ctx, &w) })
	slices.SortFunc(wholes, func(x, y whole) int { return x.last().Compare(y.last()) })
	for i := range wholes {
		if started, err := a.startResolve(ctx, &wholes[i]); started || err != nil {
			return err
		}
	}
	return nil
}

// resolveDue reports whether the next resolve is due: the last one is long ago, and an archive has changed since the build. It does not start
// a Job again that has ended or was refused, until that is stored.
func (a *Archives) resolveDue(ctx context.Context, w *whole) bool {
	if a.Clock.Now().Before(w.next()) || a.refusal(w) != nil {
		return false
	}
	if err := a.cache.Get(ctx, client.ObjectKey{Namespace: w.image.Namespace, Name: w.job()}, &batchv1.Job{}); err == nil {
		return false
	}
	changed, err := w.Changed(ctx, known{a}, a.Clock.Now())
	return err == nil && changed
}

// startResolve creates the Job of the next resolve. It returns false if the Image has changed, or the Job is refused.
func (a *Archives) startResolve(ctx context.Context, w *whole) (bool, error) {
	live, err := a.Client.ImagesV1alpha1().Images(w.image.Namespace).Get(ctx, w.image.Name, metav1.GetOptions{}) // it may have been resolved meanwhile
	if err != nil {
		if notfound.Object(err) {
			return false, nil
		}
		return false, fmt.Errorf("get image %s: %w", w.image.Name, err)
	}
	now := whole{live, w.Packages}
	if live.UID != w.image.UID || live.DeletionTimestamp != nil || now.job() != w.job() {
		return false, nil
	}
	job, err := a.renderResolve(w)
	if err != nil {
		a.refuse(w, err.Error())
		return false, nil
	}
	created, err := a.Kube.BatchV1().Jobs(job.Namespace).Create(ctx, job, metav1.CreateOptions{})
	switch {
	case err == nil:
		a.resolves.know(created, true)
		return true, nil
	case apierrors.IsAlreadyExists(err): // the cache will have it, or it is that of somebody else
		conflict, err := a.resolves.conflictOf(ctx, a.Options.Options, job)
		if conflict != "" {
			a.refuse(w, conflict)
		}
		return false, err
	case apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsNotFound(err):
		a.refuse(w, fmt.Sprintf("the Job of the resolve cannot be created: %v", err))
		return false, nil
	}
	return false, fmt.Errorf("create the Job of a resolve of image %s: %w", w.image.Name, err)
}

// renderResolve renders the Job of the next resolve.
func (a *Archives) renderResolve(w *whole) (*batchv1.Job, error) {
	builder, missing := a.Builders.Lookup(w.Build.Spec.Inputs.Builder)
	if missing != nil {
		return nil, errors.New(missing.Message)
	}
	return render.ResolveJob(w.image, w.Build, w.last(), builder)
}

// refuse remembers why the Job of the next resolve cannot be created, until the status of the Image has it.
func (a *Archives) refuse(w *whole, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused[w.image.UID] = map[string]v1alpha1.PackageResolve{w.job(): *a.resolveEnd(w, a.Clock.Now(), why)}
}

// refusal returns why the Job of the next resolve cannot be created, or nil.
func (a *Archives) refusal(w *whole) *v1alpha1.PackageResolve {
	a.mu.Lock()
	defer a.mu.Unlock()
	if refused, found := a.refused[w.image.UID][w.job()]; found {
		return &refused
	}
	return nil
}

// resolveEnd returns a resolve that has ended, after the last one, so that the next one has another name.
func (a *Archives) resolveEnd(w *whole, at time.Time, why string) *v1alpha1.PackageResolve {
	if first := w.last().Add(time.Second); at.Before(first) {
		at = first
	}
	return &v1alpha1.PackageResolve{Time: metav1.NewTime(at.Truncate(time.Second)), Message: v1alpha1.CutMessage(why)}
}

// addResolve adds the result of the next resolve to candidates once its Job has ended. again is when to ask again without an event.
func (a *Archives) addResolve(ctx context.Context, w whole, to *trigger.Candidates) (again time.Duration, err error) {
	if to.Resolved = a.refusal(&w); to.Resolved != nil || len(to.Archives) == 0 {
		return 0, nil
	}
	key := client.ObjectKey{Namespace: w.image.Namespace, Name: w.job()}
	if err := a.cache.Get(ctx, key, &batchv1.Job{}, client.UnsafeDisableDeepCopy); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	job, err := a.Kube.BatchV1().Jobs(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	conflict, err := a.resolves.conflict(ctx, a.Options.Options, job, func() (*batchv1.Job, error) { return a.renderResolve(&w) })
	if err != nil {
		return 0, err
	}
	if conflict != "" {
		to.Resolved = a.resolveEnd(&w, a.Clock.Now(), conflict)
		return 0, nil
	}
	if at, is := endTime(job); !is {
		if left := jobLimit - a.Clock.Now().Sub(job.CreationTimestamp.Time); left > 0 {
			return min(left, look), nil
		}
		to.Resolved = a.resolveEnd(&w, a.Clock.Now(), fmt.Sprintf("Job %s has not ended within %s", job.Name, jobLimit))
	} else {
		var answer *result.Resolution
		failure, err := a.readLog(ctx, job, func(end *corev1.ContainerStateTerminated, log io.Reader) string {
			judged, failed := result.ParseResolve(end.Message, end.ExitCode, log)
			if failed != nil {
				return failed.Message
			}
			answer = judged
			return ""
		})
		if err != nil {
			return 0, err
		}
		to.Resolved = a.resolveEnd(&w, at, failure)
		if answer != nil && !answer.NotSupported {
			to.Updates = append(to.Updates, w.Content.Changes(answer, to.Archives)...)
		}
	}
	return 0, nil
}
