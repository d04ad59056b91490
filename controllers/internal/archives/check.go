// SPDX-License-Identifier: Apache-2.0

package archives

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/podlog"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const (
	// partBytes is about how much of the packages a Job asks for: what exceeds it comes in further Jobs of the check.
	partBytes = 150 << 10
	// maxParts is how many Jobs a check has at most. The next check asks for the other packages.
	maxParts = 32
	// fullEvery is how often a check asks without a condition: nobody signs the answer of a mirror that it is unchanged.
	fullEvery = 24
	// jobLimit is how long the Job of a check may take, from its creation. Its pod has a limit of its own.
	jobLimit = 20 * time.Minute
	// look is when an unfinished Job is looked at again without an event.
	look = time.Minute
	// maxAhead is how far ahead the date of an archive may be. Later checks refuse earlier dates.
	maxAhead = 24 * time.Hour
	// maxUpdateBytes is about how long the texts of all updates of an Archive may be, so that it can be stored.
	maxUpdateBytes = 512 << 10
	// logTimeout is how long reading the answer may take.
	logTimeout = 30 * time.Second
)

// check does the next step of the check of an Archive, and returns when to continue without an event.
func (a *Archives) check(ctx context.Context, archive *v1alpha1.Archive) (time.Duration, error) {
	of := a.demands[archive.Name]
	if of == nil || archive.Spec != of.spec() {
		return 0, nil // no Image needs it any more, or its packages are unknown
	}
	jobs, err := a.jobs(ctx, archive)
	if err != nil {
		return 0, err
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
func (a *Archives) due(archive *v1alpha1.Archive, of *demand) time.Duration {
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
func (a *Archives) covers(archive *v1alpha1.Archive, of *demand) bool {
	release := archive.Status.Release
	if release == nil {
		return false
	}
	covered := a.covered[archive.UID]
	if covered == nil && archive.Status.PackagesDigest == digest(of.packages) { // as before a restart
		covered = map[pkg]bool{}
		for one := range of.packages {
			covered[one] = true
		}
		a.covered[archive.UID] = covered
	}
	for one, date := range of.packages {
		if !covered[one] && date.Before(release.Date.Time) {
			return false
		}
	}
	return true
}

// jobs returns the Jobs of the current check, and deletes those of earlier ones. It reads them from the API, because the answer depends on them.
func (a *Archives) jobs(ctx context.Context, archive *v1alpha1.Archive) ([]*batchv1.Job, error) {
	list, err := a.Kube.BatchV1().Jobs(a.Namespace).List(ctx, metav1.ListOptions{LabelSelector: v1alpha1.LabelArchive + "=" + archive.Name})
	if err != nil {
		return nil, fmt.Errorf("list the Jobs of archive %s: %w", archive.Name, err)
	}
	names := map[string]bool{}
	for part := range maxParts {
		names[render.ProbeJobName(archive, part)] = true
	}
	var current []*batchv1.Job
	for i := range list.Items {
		job := &list.Items[i]
		switch uid, ok := render.ProbeOf(job); {
		case !ok || uid != archive.UID || job.DeletionTimestamp != nil:
		case names[job.Name]:
			current = append(current, job)
		default:
			if err := reconciliation.DeleteJob(ctx, a.Kube, job); err != nil {
				return nil, err
			}
		}
	}
	return current, nil
}

// start stores the number of the next check, and creates its Jobs.
func (a *Archives) start(ctx context.Context, archive *v1alpha1.Archive, of *demand) error {
	builder, missing := a.Builders.Lookup(v1alpha1.BuilderReference{Name: archive.Spec.Builder})
	if missing != nil {
		return a.fail(ctx, archive, of, fmt.Sprintf("%s: %s", missing.Reason, missing.Message))
	}
	if err := a.createNamespace(ctx); err != nil {
		return err
	}
	conditional := a.covers(archive, of) && archive.Status.Checks%fullEvery != 0
	status := archive.Status.DeepCopy()
	status.Checks++
	of.report(status)
	stored, err := a.patch(ctx, archive, status)
	if err != nil {
		return err
	}
	for part, packages := range parts(of.packages, a.covered[archive.UID]) {
		job, err := render.ProbeJob(stored, a.Namespace, part, render.InputProbe{
			Archive: render.InputArchive{Components: of.components}, Conditional: conditional, Packages: packages, Release: stored.Status.Release,
		}, builder)
		if err != nil {
			return a.fail(ctx, stored, of, err.Error())
		}
		_, err = a.Kube.BatchV1().Jobs(a.Namespace).Create(ctx, job, metav1.CreateOptions{})
		switch {
		case apierrors.IsAlreadyExists(err):
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
func (a *Archives) finish(ctx context.Context, archive *v1alpha1.Archive, of *demand, jobs []*batchv1.Job) (time.Duration, error) {
	var answers []answer
	var failures []string
	for _, job := range jobs {
		if !ended(job) {
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

// answer is what the Job of a check has found out about the packages that it asked for.
type answer struct {
	*result.Answer
	asked map[pkg]bool
}

// read reads the answer of an ended Job, or why the Job gave no answer.
func (a *Archives) read(ctx context.Context, job *batchv1.Job) (found answer, failure string, err error) {
	asked := question(job)
	if asked == nil {
		return found, fmt.Sprintf("the input of Job %s was changed", job.Name), nil
	}
	failure, err = a.readLog(ctx, job, func(end *corev1.ContainerStateTerminated, log io.Reader) string {
		judged, failed := result.ParseProbe(end.Message, end.ExitCode, log, asked.Packages)
		switch {
		case failed != nil:
			return failed.Message
		case judged.Unchanged && !asked.Conditional:
			return "the builder left out the packages, although it was asked for them without a condition: correct the builder"
		}
		found = answer{judged, map[pkg]bool{}}
		return ""
	})
	if failure != "" || err != nil {
		return found, failure, err
	}
	for architecture, names := range asked.Packages {
		for name, versions := range names {
			for _, version := range versions {
				found.asked[pkg{name, version, architecture}] = true
			}
		}
	}
	return found, "", nil
}

// readLog calls read with the end of the builder of an ended Job, and with its log. read returns why there is no answer, or "".
func (a *Archives) readLog(ctx context.Context, job *batchv1.Job, read func(*corev1.ContainerStateTerminated, io.Reader) string) (failure string, err error) {
	pods, err := a.Kube.CoreV1().Pods(job.Namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.ControllerUidLabel + "=" + string(job.UID)})
	if err != nil {
		return "", fmt.Errorf("list the pods of Job %s: %w", job.Name, err)
	}
	pod, end := endOf(job, pods.Items)
	if end == nil {
		return "its pod was lost" + whyFailed(job), nil
	}
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	log, err := podlog.OpenBuilder(ctx, a.Kube.CoreV1().Pods(pod.Namespace), pod.Name, corev1.PodLogOptions{})
	if err != nil {
		return fmt.Sprintf("its log cannot be read: %v", err), nil
	}
	defer func() { _ = log.Close() }() // only read from
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

// ended reports whether a Job has ended.
func ended(job *batchv1.Job) bool {
	_, is := endTime(job)
	return is
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

// endOf returns the newest pod of a Job whose builder has ended, and how it ended.
func endOf(job *batchv1.Job, pods []corev1.Pod) (pod *corev1.Pod, end *corev1.ContainerStateTerminated) {
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	for i := range pods {
		if !metav1.IsControlledBy(&pods[i], job) { // anybody can set labels
			continue
		}
		for j := range pods[i].Status.ContainerStatuses {
			status := &pods[i].Status.ContainerStatuses[j]
			if status.Name == render.ContainerName && status.State.Terminated != nil {
				return &pods[i], status.State.Terminated
			}
		}
	}
	return nil, nil
}

// succeed stores the answers of a check. The updates of packages that no answer is about stay.
func (a *Archives) succeed(ctx context.Context, archive *v1alpha1.Archive, of *demand, answers []answer) error {
	now, status := metav1.NewTime(a.Clock.Now().Truncate(time.Second)), archive.Status.DeepCopy()
	first := map[pkg]metav1.Time{} // when each new version was first seen
	for _, update := range status.Updates {
		key := pkg{update.Name, update.To, update.Architecture}
		if since, seen := first[key]; !seen || update.Since.Before(&since) {
			first[key] = update.Since
		}
	}
	answered, covered := map[pkg]bool{}, maps.Clone(a.covered[archive.UID])
	if covered == nil {
		covered = map[pkg]bool{}
	}
	release := answers[0].Release
	for _, answer := range answers {
		if answer.Release.Date.Before(&release.Date) {
			release = answer.Release // of the first of them, so that the next check sees what changed meanwhile
		}
	}
	var found []v1alpha1.PackageUpdate
	for _, answer := range answers {
		for one := range answer.asked {
			covered[one] = true
			answered[one] = !answer.Unchanged
		}
		for _, update := range answer.Updates {
			update.Since = release.Date
			if since, seen := first[pkg{update.Name, update.To, update.Architecture}]; seen {
				update.Since = since
			}
			found = append(found, update)
		}
	}
	for _, update := range status.Updates {
		if !answered[pkg{update.Name, update.From, update.Architecture}] {
			found = append(found, update)
		}
	}
	if release.Date.Sub(now.Time) > maxAhead {
		return a.fail(ctx, archive, of, fmt.Sprintf("the archive is of %s, in the future: correct the clock of its mirror, or that of this machine", release.Date.UTC().Format(time.RFC3339)))
	}
	if status.Release != nil && release.Date.Before(&status.Release.Date) {
		return a.fail(ctx, archive, of, fmt.Sprintf("the archive is of %s, older than in an earlier check (%s): its mirror may be outdated",
			release.Date.UTC().Format(time.RFC3339), status.Release.Date.UTC().Format(time.RFC3339)))
	}
	maps.DeleteFunc(covered, func(one pkg, _ bool) bool { _, wanted := of.packages[one]; return !wanted })
	changed := status.Release == nil || status.Release.SHA256 != release.SHA256
	status.Release, status.LastCheckTime, status.LastAttemptTime, status.ConsecutiveFailures = &release, &now, &now, 0
	status.Updates = found
	of.report(status)
	status.PackagesDigest = digest(covered)
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

// fail stores why a check failed. What earlier checks found out stays.
func (a *Archives) fail(ctx context.Context, archive *v1alpha1.Archive, of *demand, why string) error {
	now, status := metav1.NewTime(a.Clock.Now().Truncate(time.Second)), archive.Status.DeepCopy()
	status.LastAttemptTime = &now
	status.ConsecutiveFailures++
	of.report(status)
	a.ready(archive, status, metav1.ConditionFalse, v1alpha1.ReasonArchiveCheckFailed, v1alpha1.CutMessage(why))
	if _, err := a.patch(ctx, archive, status); err != nil {
		return err
	}
	a.Metrics.Checked("failed")
	return nil
}

// count stores what Images ask for, if that has changed.
func (a *Archives) count(ctx context.Context, archive *v1alpha1.Archive, of *demand) error {
	status := archive.Status.DeepCopy()
	of.report(status)
	if status.Images == archive.Status.Images && status.Packages == archive.Status.Packages && status.UpdateCount == archive.Status.UpdateCount {
		return nil
	}
	_, err := a.patch(ctx, archive, status)
	return err
}

// report sets the counts of a status, and drops updates of packages that nobody asks for. The security updates come first.
func (d *demand) report(status *v1alpha1.ArchiveStatus) {
	status.Images, status.Packages = d.images, int32(len(d.packages)) //nolint:gosec // locks have at most 20,000 packages
	status.Updates = slices.DeleteFunc(status.Updates, func(update v1alpha1.PackageUpdate) bool {
		_, wanted := d.packages[pkg{update.Name, update.From, update.Architecture}]
		return !wanted
	})
	slices.SortFunc(status.Updates, func(a, b v1alpha1.PackageUpdate) int {
		return cmp.Or(compareBool(b.Security, a.Security), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Architecture, b.Architecture), cmp.Compare(a.From, b.From))
	})
	status.UpdateCount = int32(len(status.Updates)) //nolint:gosec // as above
	bytes := 0
	fits := slices.IndexFunc(status.Updates, func(update v1alpha1.PackageUpdate) bool {
		bytes += len(update.Name) + len(update.Architecture) + len(update.From) + len(update.To)
		for _, advisory := range update.Advisories {
			bytes += len(advisory)
		}
		return bytes > maxUpdateBytes
	})
	if fits < 0 {
		fits = len(status.Updates)
	}
	status.Updates = status.Updates[:min(fits, v1alpha1.MaxArchiveUpdates)]
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

// parts splits packages into the questions of Jobs. Those that are not covered come first, because the Jobs may not have room for all.
func parts(packages map[pkg]time.Time, covered map[pkg]bool) []map[string]map[string][]string {
	var all []map[string]map[string][]string
	bytes := partBytes
	ordered := sorted(maps.Keys(packages))
	slices.SortStableFunc(ordered, func(a, b pkg) int { return compareBool(covered[a], covered[b]) })
	for _, one := range ordered {
		if bytes += len(one.name) + len(one.version) + len(`"":["",],`); bytes >= partBytes {
			all = append(all, map[string]map[string][]string{})
			bytes = 0
		}
		part := all[len(all)-1]
		if part[one.architecture] == nil {
			part[one.architecture] = map[string][]string{}
		}
		part[one.architecture][one.name] = append(part[one.architecture][one.name], one.version)
	}
	return all[:min(len(all), maxParts)]
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func sorted(packages iter.Seq[pkg]) []pkg {
	return slices.SortedFunc(packages, func(a, b pkg) int {
		return cmp.Or(cmp.Compare(a.architecture, b.architecture), cmp.Compare(a.name, b.name), cmp.Compare(a.version, b.version))
	})
}

// digest identifies a set of packages.
func digest[V any](packages map[pkg]V) string {
	var text strings.Builder
	for _, one := range sorted(maps.Keys(packages)) {
		fmt.Fprintf(&text, "%s %s %s\n", one.name, one.version, one.architecture)
	}
	return contents.Digest([]byte(text.String()))
}
