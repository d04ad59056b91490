// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// unnoticedWait is how long a Job's counters may be outdated before they are written. Most builds end sooner, so the writes are
// saved.
const unnoticedWait = time.Second

// jobRecord are the agent's changes of a Job that its cache may not have yet.
type jobRecord struct {
	created time.Time    // when this agent created its pod; zero if it did not
	written *batchv1.Job // the Job as last written
}

// reconcileJob does the work of the Job controller for a Job. Writes that can wait happen only if late, and if the status has not
// changed again by then.
func (a *Agent) reconcileJob(ctx context.Context, ref objectRef, late bool) error {
	job, err := a.jobs.Jobs(ref.namespace).Get(ref.name)
	if apierrors.IsNotFound(err) || err == nil && (job.UID != ref.uid || finished(job)) {
		a.dropJobRecord(ref.uid)
		return nil
	}
	if err != nil {
		return err
	}
	record := a.jobRecordOf(ref.uid)
	job = newer(job, record.written)
	begun := job.Status.StartTime != nil || !record.created.IsZero()
	switch {
	case finished(job), job.DeletionTimestamp != nil, controlledElsewhere(job):
		return nil
	case job.Spec.Suspend != nil && *job.Spec.Suspend:
		return a.suspendJob(ctx, job, record, begun)
	}
	if what := unsupported(job); what != "" && !begun {
		return a.writeJobStatus(ctx, job, failedWithoutPod(job, a.options.Clock.Now(), reasonUnsupported,
			fmt.Sprintf("Job %s: this server runs Jobs of one pod and one attempt: %s is not supported", ref, what)))
	}
	pod, err := a.podOf(ctx, job, begun)
	switch {
	case err != nil:
		return err
	case pod != nil && !begun && endsBySuspension(job, pod):
		return nil // the next pod has the same name
	case pod != nil:
		return a.followPod(ctx, job, pod, record, late)
	case begun:
		return a.writeJobStatus(ctx, job, failedWithoutPod(job, a.options.Clock.Now(), batchv1.JobReasonBackoffLimitExceeded, failureMessage(job, nil)))
	}
	return a.createPod(ctx, job)
}

// suspendJob deletes the pod of a suspended Job, unless the pod has ended by itself. The pod does not count as failed: a resumed Job
// begins again.
func (a *Agent) suspendJob(ctx context.Context, job *batchv1.Job, record jobRecord, begun bool) error {
	pod, err := a.podOf(ctx, job, begun)
	switch {
	case err != nil:
		return err
	case pod == nil, pod.DeletionTimestamp != nil:
	case terminal(pod):
		return a.followPod(ctx, job, pod, record, false)
	default:
		err := a.options.Client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("delete pod %s of suspended Job: %w", refOf(pod), err)
		}
	}
	a.setCreated(job.UID, time.Time{})
	if status := suspendedStatus(job, a.options.Clock.Now()); !equality.Semantic.DeepEqual(job.Status, status) {
		return a.writeJobStatus(ctx, job, status)
	}
	return nil
}

// endsBySuspension reports whether a pod is being deleted because its Job was suspended.
func endsBySuspension(job *batchv1.Job, pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil && isSuspended(&job.Status)
}

// podOf finds the Job's pod. If a pod that existed is missing in the cache, podOf asks the server.
func (a *Agent) podOf(ctx context.Context, job *batchv1.Job, begun bool) (*corev1.Pod, error) {
	pod, err := a.pods.Pods(job.Namespace).Get(podName(job))
	if apierrors.IsNotFound(err) && begun {
		pod, err = a.options.Client.CoreV1().Pods(job.Namespace).Get(ctx, podName(job), metav1.GetOptions{})
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the pod of Job %s: %w", refOf(job), err)
	}
	if !metav1.IsControlledBy(pod, job) {
		return nil, nil
	}
	return pod, nil
}

// followPod writes the Job's status according to its pod.
func (a *Agent) followPod(ctx context.Context, job *batchv1.Job, pod *corev1.Pod, record jobRecord, late bool) error {
	status := jobStatus(job, pod, record.created, a.options.Clock.Now())
	switch {
	case equality.Semantic.DeepEqual(job.Status, status):
		return nil
	case !late && canWait(job, status, pod):
		a.lateJobs.AddAfter(refOf(job), unnoticedWait)
		return nil
	}
	return a.writeJobStatus(ctx, job, status)
}

// canWait reports whether a status will probably change again soon: a created pod is about to run, and a ready pod may be
// about to end.
func canWait(job *batchv1.Job, status batchv1.JobStatus, pod *corev1.Pod) bool {
	if terminal(pod) || pod.DeletionTimestamp != nil || isSuspended(&job.Status) {
		return false
	}
	status.Ready = job.Status.Ready
	return pod.Status.Phase != corev1.PodRunning || equality.Semantic.DeepEqual(job.Status, status)
}

func (a *Agent) writeJobStatus(ctx context.Context, job *batchv1.Job, status batchv1.JobStatus) error {
	changed := job.DeepCopy()
	changed.Status = status
	stored, err := a.options.Client.BatchV1().Jobs(job.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the status of Job %s: %w", refOf(job), err)
	}
	a.record(job.UID, func(record *jobRecord) { record.written = stored })
	return nil
}

func (a *Agent) createPod(ctx context.Context, job *batchv1.Job) error {
	pod := podFor(job)
	_, err := a.options.Client.CoreV1().Pods(job.Namespace).Create(ctx, pod, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return a.adoptPod(ctx, job)
	}
	if err != nil {
		if !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			a.recorder.Eventf(job, corev1.EventTypeWarning, "FailedCreate", "Error creating: %v", err)
		}
		err = fmt.Errorf("create the pod of Job %s: %w", refOf(job), err)
		if apierrors.IsInvalid(err) { // and stays invalid, because a Job's template does not change
			return a.writeJobStatus(ctx, job, failedWithoutPod(job, a.options.Clock.Now(), reasonPodInvalid, err.Error()))
		}
		return err
	}
	a.setCreated(job.UID, a.options.Clock.Now())
	return nil
}

// adoptPod handles an existing pod with the name of the Job's pod: the Job's own pod, created before a crash, or another pod.
func (a *Agent) adoptPod(ctx context.Context, job *batchv1.Job) error {
	pod, err := a.podOf(ctx, job, true)
	if err != nil {
		return err
	}
	if pod == nil {
		return a.writeJobStatus(ctx, job, failedWithoutPod(job, a.options.Clock.Now(), reasonPodNameTaken,
			fmt.Sprintf("Job %s: pod %s exists but does not belong to the Job", refOf(job), podName(job))))
	}
	if endsBySuspension(job, pod) {
		return fmt.Errorf("create the pod of Job %s: its last pod is still being deleted", refOf(job))
	}
	a.setCreated(job.UID, a.options.Clock.Now())
	return nil
}

func (a *Agent) setCreated(uid types.UID, at time.Time) {
	a.record(uid, func(record *jobRecord) { record.created = at })
}

func (a *Agent) record(uid types.UID, change func(*jobRecord)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	record := a.jobRecords[uid]
	change(&record)
	a.jobRecords[uid] = record
}

func (a *Agent) jobRecordOf(uid types.UID) jobRecord {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.jobRecords[uid]
}

func (a *Agent) dropJobRecord(uid types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.jobRecords, uid)
}

// newer is the last written Job if the cache does not have it yet.
func newer(cached, written *batchv1.Job) *batchv1.Job {
	if written == nil {
		return cached
	}
	if order, err := resourceversion.CompareResourceVersion(written.ResourceVersion, cached.ResourceVersion); err != nil || order <= 0 {
		return cached
	}
	return written
}

// controlledElsewhere reports whether the Job requires another controller than the controller of batch/v1.
func controlledElsewhere(job *batchv1.Job) bool {
	return job.Spec.ManagedBy != nil && *job.Spec.ManagedBy != batchv1.JobControllerName
}

// unsupported names a field of the Job that this server does not support.
func unsupported(job *batchv1.Job) string {
	spec := &job.Spec
	switch {
	case spec.Parallelism != nil && *spec.Parallelism != 1:
		return fmt.Sprintf("spec.parallelism %d", *spec.Parallelism)
	case spec.Completions != nil && *spec.Completions != 1:
		return fmt.Sprintf("spec.completions %d", *spec.Completions)
	case spec.CompletionMode != nil && *spec.CompletionMode != batchv1.NonIndexedCompletion:
		return fmt.Sprintf("spec.completionMode %s", *spec.CompletionMode)
	case spec.ActiveDeadlineSeconds != nil:
		return "spec.activeDeadlineSeconds outside the pod template"
	case spec.PodFailurePolicy != nil:
		return "spec.podFailurePolicy"
	case spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever:
		return fmt.Sprintf("restartPolicy %s", spec.Template.Spec.RestartPolicy)
	}
	return ""
}

const (
	maxPodNameBytes = 63
	podSuffixBytes  = 5
	// podSuffixLetters are those of generated names in Kubernetes: no vowels, so no words.
	podSuffixLetters = "bcdfghjklmnpqrstvwxz2456789"
)

// podName is the name of the Job's pod. It depends only on the Job, so that no second pod is created after a crash.
func podName(job *batchv1.Job) string {
	base := job.Name[:min(len(job.Name), maxPodNameBytes-podSuffixBytes-1)]
	sum := sha256.Sum256([]byte(job.UID))
	suffix := make([]byte, podSuffixBytes)
	for i := range suffix {
		suffix[i] = podSuffixLetters[int(sum[i])%len(podSuffixLetters)]
	}
	return strings.TrimRight(base, "-.") + "-" + string(suffix)
}

// podFor is the Job's pod.
func podFor(job *batchv1.Job) *corev1.Pod {
	template := job.Spec.Template.DeepCopy()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       job.Namespace,
			Name:            podName(job),
			GenerateName:    job.Name + "-",
			Labels:          map[string]string{},
			Annotations:     template.Annotations,
			Finalizers:      template.Finalizers,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		},
		Spec:   template.Spec,
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
	maps.Copy(pod.Labels, template.Labels)
	maps.Copy(pod.Labels, map[string]string{
		batchv1.JobNameLabel:       job.Name,
		"job-name":                 job.Name,
		batchv1.ControllerUidLabel: string(job.UID),
		"controller-uid":           string(job.UID),
	})
	pod.Spec.NodeName = nodeName
	return pod
}
