// SPDX-License-Identifier: Apache-2.0

package archives

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/podlog"
	"goldsmith.dev/goldsmith/jobs/probe"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
	"goldsmith.dev/goldsmith/jobs/state"
)

const (
	// fullEvery is how often a check asks without a condition: nobody signs the answer of a mirror that it is unchanged.
	fullEvery = 24
	// jobLimit is how long the Job of a check may take, from its creation. Its pod has a limit of its own.
	jobLimit = 20 * time.Minute
	// look is when an unfinished Job is looked at again without an event.
	look = time.Minute
	// logTimeout is how long reading the answer may take.
	logTimeout = 30 * time.Second
)

// check does the next step of the check of an Archive, and returns when to continue without an event.
func (a *Archives) check(ctx context.Context, archive *v1alpha1.Archive) (time.Duration, error) {
	of := a.demands[archive.Name]
	if of == nil || archive.Spec != of.Archive.Spec() {
		return 0, nil // no Image needs it any more, or its packages are unknown
	}
	jobs, conflict, err := a.jobs(ctx, archive, of)
	switch {
	case err != nil:
		return 0, err
	case conflict != "":
		return look, a.skip(ctx, archive, of, conflict)
	}
	if len(jobs) > 0 {
		return a.finish(ctx, archive, of, jobs)
	}
	if due := a.due(archive, of); due > 0 {
		return due, a.count(ctx, archive, of)
	}
	return look, a.start(ctx, archive, of)
}

// due returns the time until the next check of an archive, or 0. A package that the last check did not ask for is asked for within a minute, unless its
// lock was made from the same state of the archive, or a later one.
func (a *Archives) due(archive *v1alpha1.Archive, of *probe.Demand) time.Duration {
	last := archive.Status.LastAttemptTime
	if last == nil {
		return 0
	}
	wait := a.next(archive)
	if archive.Status.ConsecutiveFailures == 0 && !a.covers(archive, of) {
		wait = min(wait, look)
	}
	return min(wait, max(0, last.Add(wait).Sub(a.Clock.Now()))) // the clock may have been ahead
}

// covers reports whether the last answer covers all packages, so that an unchanged archive has no news.
func (a *Archives) covers(archive *v1alpha1.Archive, of *probe.Demand) bool {
	release := archive.Status.Release
	if release == nil {
		return false
	}
	covered := a.covered[archive.UID]
	if covered == nil && archive.Status.PackagesDigest == probe.Digest(of.Packages) { // as before a restart
		covered = map[probe.Package]bool{}
		for one := range of.Packages {
			covered[one] = true
		}
		a.covered[archive.UID] = covered
	}
	for one, date := range of.Packages {
		if !covered[one] && date.Before(release.Date.Time) {
			return false
		}
	}
	return true
}

// jobs returns the Jobs of the current check, and deletes those of earlier ones. It reads them from the API, because the answer depends on them.
// conflict tells of a Job that has the name of one of them, and is not what the check renders. Such a Job stays.
func (a *Archives) jobs(ctx context.Context, archive *v1alpha1.Archive, of *probe.Demand) (current []*batchv1.Job, conflict string, err error) {
	list, err := a.Kube.BatchV1().Jobs(a.Namespace).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelArchive + "=" + archive.Name})
	if err != nil {
		return nil, "", fmt.Errorf("list the Jobs of archive %s: %w", archive.Name, err)
	}
	origins := a.originsOf(archive)
	origins.keep(list.Items)
	names := map[string]bool{}
	for part := range probe.MaxParts {
		names[render.ProbeJobName(archive, part)] = true
	}
	rendered := sync.OnceValues(func() ([]*batchv1.Job, error) { return a.render(archive, of) })
	for i := range list.Items {
		job := &list.Items[i]
		switch uid, ok := render.ProbeOf(job); {
		case !ok || uid != archive.UID || job.DeletionTimestamp != nil || !names[job.Name] && origins.foreign(job):
		case names[job.Name]:
			why, err := origins.conflict(ctx, a.Options.Options, job, func() (*batchv1.Job, error) {
				all, err := rendered()
				for _, one := range all {
					if one.Name == job.Name {
						return one, nil
					}
				}
				return nil, err
			})
			if err != nil {
				return nil, "", err
			}
			conflict = cmp.Or(conflict, why)
			current = append(current, job)
		default:
			if err := reconciliation.DeleteJob(ctx, a.Kube, job); err != nil {
				return nil, "", err
			}
		}
	}
	return current, conflict, nil
}

// originsOf remembers who created the Jobs of an Archive.
func (a *Archives) originsOf(archive *v1alpha1.Archive) *origins {
	if a.checks[archive.UID] == nil {
		a.checks[archive.UID] = newOrigins()
	}
	return a.checks[archive.UID]
}

// render renders the Jobs of the current check. Another process renders the same Jobs as long as Images need the same packages.
func (a *Archives) render(archive *v1alpha1.Archive, of *probe.Demand) (jobs []*batchv1.Job, err error) {
	builder, missing := a.Builders.Lookup(v1alpha1.BuilderReference{Name: archive.Spec.Builder})
	if missing != nil {
		return nil, fmt.Errorf("%s: %s", missing.Reason, missing.Message)
	}
	conditional := a.covers(archive, of) && (archive.Status.Checks-1)%fullEvery != 0
	for part, packages := range of.Questions(a.covered[archive.UID]) {
		job, err := render.ProbeJob(archive, a.Namespace, part, render.InputProbe{
			Archive: render.InputArchive{Components: of.Components}, Conditional: conditional, Packages: packages, Release: archive.Status.Release,
		}, builder)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// start stores the number of the next check, and creates its Jobs.
func (a *Archives) start(ctx context.Context, archive *v1alpha1.Archive, of *probe.Demand) error {
	if err := a.createNamespace(ctx); err != nil {
		return err
	}
	status := archive.Status.DeepCopy()
	status.Checks++
	of.Report(status)
	stored, err := a.patch(ctx, archive, status)
	if err != nil {
		return err
	}
	jobs, err := a.render(stored, of)
	if err != nil {
		return a.fail(ctx, stored, of, err.Error())
	}
	for _, job := range jobs {
		created, err := a.Kube.BatchV1().Jobs(a.Namespace).Create(ctx, job, metav1.CreateOptions{})
		switch {
		case err == nil:
			a.originsOf(stored).know(created, true)
		case apierrors.IsAlreadyExists(err): // it is one whose creation was not answered, or one of somebody else
			conflict, err := a.originsOf(stored).conflictOf(ctx, a.Options.Options, job)
			if err != nil {
				return err
			}
			if conflict != "" {
				return a.skip(ctx, stored, of, conflict)
			}
		case apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsNotFound(err):
			return a.fail(ctx, stored, of, fmt.Sprintf("the Job of the check cannot be created: %v", err))
		case err != nil:
			return fmt.Errorf("create the Job of a check of archive %s: %w", archive.Name, err)
		}
	}
	return nil
}

// createNamespace creates the namespace of the Jobs if the controller is to do that.
func (a *Archives) createNamespace(ctx context.Context) error {
	if !a.CreateNamespace {
		return nil
	}
	_, err := a.Kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: a.Namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", a.Namespace, err)
	}
	return nil
}

// finish stores the result of the current check once all of its Jobs have ended, and deletes them.
func (a *Archives) finish(ctx context.Context, archive *v1alpha1.Archive, of *probe.Demand, jobs []*batchv1.Job) (time.Duration, error) {
	var answers []probe.Answer
	var failures []string
	for _, job := range jobs {
		if !state.Finished(job) {
			if left := jobLimit - a.Clock.Now().Sub(job.CreationTimestamp.Time); left > 0 {
				return min(left, look), nil
			}
			failures = append(failures, fmt.Sprintf("Job %s has not ended within %s", job.Name, jobLimit))
			continue
		}
		read, failure, err := a.read(ctx, job)
		if err != nil {
			return 0, err
		}
		if failure != "" {
			failures = append(failures, failure)
			continue
		}
		answers = append(answers, read)
	}
	var err error
	if len(failures) > 0 {
		err = a.fail(ctx, archive, of, failures[0])
	} else {
		err = a.succeed(ctx, archive, of, answers)
	}
	for _, job := range jobs {
		if err == nil {
			err = reconciliation.DeleteJob(ctx, a.Kube, job)
		}
	}
	return look, err
}

// read reads the answer of an ended Job, or why the Job gave no answer.
func (a *Archives) read(ctx context.Context, job *batchv1.Job) (found probe.Answer, failure string, err error) {
	asked := question(job)
	if asked == nil {
		return found, fmt.Sprintf("the input of Job %s was changed", job.Name), nil
	}
	failure, err = a.readLog(ctx, job, func(end *corev1.ContainerStateTerminated, log io.Reader) string {
		read, failed := probe.ReadAnswer(end.Message, end.ExitCode, log, asked)
		if failed != nil {
			return failed.Error()
		}
		found = read
		return ""
	})
	return found, failure, err
}

// readLog calls read with the end of the builder of an ended Job, and with its log. read returns why there is no answer, or "".
func (a *Archives) readLog(ctx context.Context, job *batchv1.Job, read func(*corev1.ContainerStateTerminated, io.Reader) string) (failure string, err error) {
	pods, deviation, err := reconciliation.PodsOf(ctx, a.Kube, job)
	if err != nil {
		return "", err
	}
	pod, end := endOf(pods)
	switch {
	case end == nil && deviation != "":
		return fmt.Sprintf("%s: %s", v1alpha1.ReasonJobConflict, deviation), nil
	case end == nil:
		return cmp.Or(notFetched(pods), "its pod was lost"+whyFailed(job)), nil
	}
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	log, err := podlog.OpenBuilder(ctx, a.Kube.CoreV1().Pods(pod.Namespace), pod.Name, corev1.PodLogOptions{})
	if err != nil {
		return fmt.Sprintf("its log cannot be read: %v", err), nil
	}
	defer func() { _ = log.Close() }() // only read from
	opened, err := reconciliation.ReadLive(ctx, a.Kube.CoreV1().Pods(pod.Namespace).Get, pod.Namespace, pod.Name, pod.UID)
	if err != nil {
		return "", err
	}
	if opened == nil { // the log may be that of another pod with its name
		return "its pod was lost", nil
	}
	return read(end, log), nil
}

// question returns what the Job of a check asks for. It is nil if the Job was changed.
func question(job *batchv1.Job) *render.InputProbe {
	input, err := render.ParseInput([]byte(job.Spec.Template.Annotations[v1alpha1.AnnotationInput]))
	if err != nil {
		return nil
	}
	return input.Probe
}

// endTime returns when a Job has ended.
func endTime(job *batchv1.Job) (at time.Time, is bool) {
	for _, condition := range job.Status.Conditions {
		if (condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) && condition.Status == corev1.ConditionTrue {
			return condition.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}

func whyFailed(job *batchv1.Job) string {
	for _, condition := range job.Status.Conditions {
		if condition.Type == batchv1.JobFailed && condition.Message != "" {
			return ": " + condition.Message
		}
	}
	return ""
}

// notFetched returns why the pods of a Job did not fetch the source for its builder, or "".
func notFetched(pods []corev1.Pod) string {
	for i := range pods {
		status := render.FetcherStatus(&pods[i])
		if status == nil || status.State.Terminated == nil || status.State.Terminated.ExitCode == 0 {
			continue
		}
		if failure := result.ParseNotFetched(status.State.Terminated.Message); failure != nil {
			return fmt.Sprintf("%s: %s", failure.Reason, failure.Message)
		}
	}
	return ""
}

// endOf returns the newest of the pods of a Job whose builder has ended, and how it ended.
func endOf(pods []corev1.Pod) (pod *corev1.Pod, end *corev1.ContainerStateTerminated) {
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	for i := range pods {
		for j := range pods[i].Status.ContainerStatuses {
			status := &pods[i].Status.ContainerStatuses[j]
			if status.Name == render.ContainerName && status.State.Terminated != nil {
				return &pods[i], status.State.Terminated
			}
		}
	}
	return nil, nil
}

// succeed stores the answers of a check.
func (a *Archives) succeed(ctx context.Context, archive *v1alpha1.Archive, of *probe.Demand, answers []probe.Answer) error {
	status := archive.Status.DeepCopy()
	if err := of.Add(status, answers, a.Clock.Now()); err != nil {
		return a.fail(ctx, archive, of, err.Error())
	}
	covered := maps.Clone(a.covered[archive.UID])
	if covered == nil {
		covered = map[probe.Package]bool{}
	}
	for _, answer := range answers {
		maps.Copy(covered, answer.Asked)
	}
	maps.DeleteFunc(covered, func(one probe.Package, _ bool) bool { _, wanted := of.Packages[one]; return !wanted })
	changed := archive.Status.Release == nil || archive.Status.Release.SHA256 != status.Release.SHA256
	status.PackagesDigest = probe.Digest(covered)
	a.ready(archive, status, metav1.ConditionTrue, v1alpha1.ReasonArchiveChecked, "")
	if _, err := a.patch(ctx, archive, status); err != nil {
		return err
	}
	a.covered[archive.UID] = covered
	a.Metrics.Checked(outcome(changed))
	return nil
}

func outcome(changed bool) string {
	if changed {
		return "changed"
	}
	return "unchanged"
}

// skip stores that a Job is in the way of the current check. The number of the check is passed over, so that the next one has Jobs of other names.
func (a *Archives) skip(ctx context.Context, archive *v1alpha1.Archive, of *probe.Demand, conflict string) error {
	ctrl.LoggerFrom(ctx).Info("a Job is in the way of the check of an archive", "archive", archive.Name, "err", conflict)
	return a.end(ctx, archive, of, conflict, archive.Status.Checks+1)
}

// fail stores why a check failed. What earlier checks found out stays.
func (a *Archives) fail(ctx context.Context, archive *v1alpha1.Archive, of *probe.Demand, why string) error {
	return a.end(ctx, archive, of, why, archive.Status.Checks)
}

// end stores why a check failed, and the number after which the next one has its own.
func (a *Archives) end(ctx context.Context, archive *v1alpha1.Archive, of *probe.Demand, why string, number int64) error {
	now, status := metav1.NewTime(a.Clock.Now().Truncate(time.Second)), archive.Status.DeepCopy()
	status.LastAttemptTime, status.Checks = &now, number
	status.ConsecutiveFailures++
	of.Report(status)
	a.ready(archive, status, metav1.ConditionFalse, v1alpha1.ReasonArchiveCheckFailed, v1alpha1.CutMessage(why))
	if _, err := a.patch(ctx, archive, status); err != nil {
		return err
	}
	a.Metrics.Checked("failed")
	return nil
}

// count stores what Images ask for, if that has changed.
func (a *Archives) count(ctx context.Context, archive *v1alpha1.Archive, of *probe.Demand) error {
	status := archive.Status.DeepCopy()
	of.Report(status)
	if status.Images == archive.Status.Images && status.Packages == archive.Status.Packages && status.UpdateCount == archive.Status.UpdateCount {
		return nil
	}
	_, err := a.patch(ctx, archive, status)
	return err
}

func (a *Archives) ready(archive *v1alpha1.Archive, status *v1alpha1.ArchiveStatus, is metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ArchiveReady, Status: is, Reason: reason, Message: message,
		ObservedGeneration: archive.Generation, LastTransitionTime: metav1.NewTime(a.Clock.Now().Truncate(time.Second)),
	})
}

// patch writes a status of the version of the Archive that was read.
func (a *Archives) patch(ctx context.Context, archive *v1alpha1.Archive, status *v1alpha1.ArchiveStatus) (*v1alpha1.Archive, error) {
	patch, err := reconciliation.StatusPatch(archive, v1alpha1.Archive{}, &archive.Status, status)
	if err != nil {
		return nil, err
	}
	stored, err := a.Client.ImagesV1alpha1().Archives().Patch(ctx, archive.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		return nil, fmt.Errorf("write the status of archive %s: %w", archive.Name, err)
	}
	return stored, nil
}
