// SPDX-License-Identifier: Apache-2.0

package jobcontroller

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/kubernetes"
	batchlisters "k8s.io/client-go/listers/batch/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/jobs/local/internal/reconcile"
)

// unnoticedWait is how long a Job's counters may be outdated before they are written. Most builds end sooner, so the writes are
// saved.
const unnoticedWait = time.Second

// workers is how many Jobs are reconciled at the same time.
const workers = 8

// Options configure a Controller. All of them are required.
type Options struct {
	// Client reaches the API server.
	Client kubernetes.Interface
	// Recorder records the events of Jobs.
	Recorder record.EventRecorder
	// NodeName is the name of the node that runs the pods.
	NodeName string
	// Clock is the clock for statuses.
	Clock clock.WithTicker
	// Logger gets the messages that have no place in a status.
	Logger logr.Logger
}

// Controller reconciles the Jobs of one API server. It is safe for concurrent use.
type Controller struct {
	options Options
	jobs    batchlisters.JobLister
	pods    corelisters.PodLister
	queue   reconcile.Queue
	synced  []cache.InformerSynced
	late    reconcile.Queue // of changes that are written only if they last, so that they never delay urgent changes

	mu      sync.Mutex
	records map[types.UID]jobRecord
}

// jobRecord are the controller's changes of a Job that its cache may not have yet.
type jobRecord struct {
	created time.Time    // when this controller created its pod; zero if it did not
	written *batchv1.Job // the Job as last written
}

// New creates a controller that reads Jobs and pods from informers, which the caller starts. It does nothing until Run.
func New(jobs, pods cache.SharedIndexInformer, o Options) (*Controller, error) {
	c := &Controller{
		options: o, jobs: batchlisters.NewJobLister(jobs.GetIndexer()), pods: corelisters.NewPodLister(pods.GetIndexer()),
		queue: reconcile.NewQueue(o.Clock), late: reconcile.NewQueue(o.Clock),
		records: map[types.UID]jobRecord{}, synced: []cache.InformerSynced{jobs.HasSynced, pods.HasSynced},
	}
	if _, err := jobs.AddEventHandler(reconcile.Handle(c.enqueueJob)); err != nil {
		return nil, fmt.Errorf("watch Jobs: %w", err)
	}
	if _, err := pods.AddEventHandler(reconcile.Handle(c.enqueueJobOfPod)); err != nil {
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	return c, nil
}

// Run reconciles Jobs, once the informers have synced, until ctx is done. A controller runs once.
func (c *Controller) Run(ctx context.Context) {
	var group sync.WaitGroup
	work := func(queue reconcile.Queue, late bool) {
		group.Go(func() {
			queue.Work(ctx, "Job", c.options.Logger, func(ctx context.Context, ref reconcile.Ref) error { return c.reconcile(ctx, ref, late) })
		})
	}
	if cache.WaitForCacheSync(ctx.Done(), c.synced...) {
		for range workers {
			work(c.queue, false)
		}
		work(c.late, true)
	}
	<-ctx.Done()
	c.queue.ShutDown()
	c.late.ShutDown()
	group.Wait()
}

func (c *Controller) enqueueJob(object any) {
	if job, ok := object.(*batchv1.Job); ok {
		c.queue.Add(reconcile.RefOf(job))
	}
}

func (c *Controller) enqueueJobOfPod(object any) {
	if pod, ok := object.(*corev1.Pod); ok {
		if job, ok := JobOf(pod); ok {
			c.queue.Add(job)
		}
	}
}

// JobOf returns the Job that controls a pod. ok is false if none does.
func JobOf(pod *corev1.Pod) (job reconcile.Ref, ok bool) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "Job" || owner.APIVersion != batchv1.SchemeGroupVersion.String() {
		return reconcile.Ref{}, false
	}
	return reconcile.Ref{Namespace: pod.Namespace, Name: owner.Name, UID: owner.UID}, true
}

// reconcile does the work of the Job controller for a Job. Writes that can wait happen only if late, and if the status has not
// changed again by then.
func (c *Controller) reconcile(ctx context.Context, ref reconcile.Ref, late bool) error {
	job, err := c.jobs.Jobs(ref.Namespace).Get(ref.Name)
	if apierrors.IsNotFound(err) || err == nil && (job.UID != ref.UID || Finished(job)) {
		c.dropRecord(ref.UID)
		return nil
	}
	if err != nil {
		return err
	}
	record := c.recordOf(ref.UID)
	job = newer(job, record.written)
	begun := job.Status.StartTime != nil || !record.created.IsZero()
	switch {
	case Finished(job), job.DeletionTimestamp != nil, controlledElsewhere(job):
		return nil
	case job.Spec.Suspend != nil && *job.Spec.Suspend:
		return c.suspend(ctx, job, record, begun)
	}
	if what := unsupported(job); what != "" && !begun {
		return c.writeStatus(ctx, job, failedWithoutPod(job, c.options.Clock.Now(), reasonUnsupported,
			fmt.Sprintf("Job %s: this server runs Jobs of one pod and one attempt: %s is not supported", ref, what)))
	}
	pod, err := c.podOf(ctx, job, begun)
	switch {
	case err != nil:
		return err
	case pod != nil && !begun && endsBySuspension(job, pod):
		return nil // the next pod has the same name
	case pod != nil:
		return c.followPod(ctx, job, pod, record, late)
	case begun:
		return c.writeStatus(ctx, job, failedWithoutPod(job, c.options.Clock.Now(), batchv1.JobReasonBackoffLimitExceeded, failureMessage(job, nil)))
	}
	return c.createPod(ctx, job)
}

// suspend deletes the pod of a suspended Job, unless the pod has ended by itself. The pod does not count as failed: a resumed Job
// begins again.
func (c *Controller) suspend(ctx context.Context, job *batchv1.Job, record jobRecord, begun bool) error {
	pod, err := c.podOf(ctx, job, begun)
	switch {
	case err != nil:
		return err
	case pod == nil, pod.DeletionTimestamp != nil:
	case terminal(pod):
		return c.followPod(ctx, job, pod, record, false)
	default:
		err := c.options.Client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("delete pod %s of suspended Job: %w", reconcile.RefOf(pod), err)
		}
	}
	c.setCreated(job.UID, time.Time{})
	if status := suspendedStatus(job, c.options.Clock.Now()); !equality.Semantic.DeepEqual(job.Status, status) {
		return c.writeStatus(ctx, job, status)
	}
	return nil
}

// endsBySuspension reports whether a pod is being deleted because its Job was suspended.
func endsBySuspension(job *batchv1.Job, pod *corev1.Pod) bool {
	return pod.DeletionTimestamp != nil && isSuspended(&job.Status)
}

// podOf finds the Job's pod. If a pod that existed is missing in the cache, podOf asks the server.
func (c *Controller) podOf(ctx context.Context, job *batchv1.Job, begun bool) (*corev1.Pod, error) {
	pod, err := c.pods.Pods(job.Namespace).Get(PodName(job))
	if apierrors.IsNotFound(err) && begun {
		pod, err = c.options.Client.CoreV1().Pods(job.Namespace).Get(ctx, PodName(job), metav1.GetOptions{})
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the pod of Job %s: %w", reconcile.RefOf(job), err)
	}
	if !metav1.IsControlledBy(pod, job) {
		return nil, nil
	}
	return pod, nil
}

// followPod writes the Job's status according to its pod.
func (c *Controller) followPod(ctx context.Context, job *batchv1.Job, pod *corev1.Pod, record jobRecord, late bool) error {
	status := jobStatus(job, pod, record.created, c.options.Clock.Now())
	switch {
	case equality.Semantic.DeepEqual(job.Status, status):
		return nil
	case !late && canWait(job, status, pod):
		c.late.AddAfter(reconcile.RefOf(job), unnoticedWait)
		return nil
	}
	return c.writeStatus(ctx, job, status)
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

func (c *Controller) writeStatus(ctx context.Context, job *batchv1.Job, status batchv1.JobStatus) error {
	changed := job.DeepCopy()
	changed.Status = status
	stored, err := c.options.Client.BatchV1().Jobs(job.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the status of Job %s: %w", reconcile.RefOf(job), err)
	}
	c.record(job.UID, func(record *jobRecord) { record.written = stored })
	return nil
}

func (c *Controller) createPod(ctx context.Context, job *batchv1.Job) error {
	pod := podFor(job, c.options.NodeName)
	_, err := c.options.Client.CoreV1().Pods(job.Namespace).Create(ctx, pod, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return c.adoptPod(ctx, job)
	}
	if err != nil {
		if !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			c.options.Recorder.Eventf(job, corev1.EventTypeWarning, "FailedCreate", "Error creating: %v", err)
		}
		err = fmt.Errorf("create the pod of Job %s: %w", reconcile.RefOf(job), err)
		if apierrors.IsInvalid(err) { // and stays invalid, because a Job's template does not change
			return c.writeStatus(ctx, job, failedWithoutPod(job, c.options.Clock.Now(), reasonPodInvalid, err.Error()))
		}
		return err
	}
	c.setCreated(job.UID, c.options.Clock.Now())
	return nil
}

// adoptPod handles an existing pod with the name of the Job's pod: the Job's own pod, created before a crash, or another pod.
func (c *Controller) adoptPod(ctx context.Context, job *batchv1.Job) error {
	pod, err := c.podOf(ctx, job, true)
	if err != nil {
		return err
	}
	if pod == nil {
		return c.writeStatus(ctx, job, failedWithoutPod(job, c.options.Clock.Now(), reasonPodNameTaken,
			fmt.Sprintf("Job %s: pod %s exists but does not belong to the Job", reconcile.RefOf(job), PodName(job))))
	}
	if endsBySuspension(job, pod) {
		return fmt.Errorf("create the pod of Job %s: its last pod is still being deleted", reconcile.RefOf(job))
	}
	c.setCreated(job.UID, c.options.Clock.Now())
	return nil
}

func (c *Controller) setCreated(uid types.UID, at time.Time) {
	c.record(uid, func(record *jobRecord) { record.created = at })
}

func (c *Controller) record(uid types.UID, change func(*jobRecord)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	record := c.records[uid]
	change(&record)
	c.records[uid] = record
}

func (c *Controller) recordOf(uid types.UID) jobRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.records[uid]
}

func (c *Controller) dropRecord(uid types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.records, uid)
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

// PodName returns the name of the Job's pod. It depends only on the Job, so that no second pod is created after a crash.
func PodName(job *batchv1.Job) string {
	base := job.Name[:min(len(job.Name), maxPodNameBytes-podSuffixBytes-1)]
	sum := sha256.Sum256([]byte(job.UID))
	suffix := make([]byte, podSuffixBytes)
	for i := range suffix {
		suffix[i] = podSuffixLetters[int(sum[i])%len(podSuffixLetters)]
	}
	return strings.TrimRight(base, "-.") + "-" + string(suffix)
}

// podFor is the Job's pod.
func podFor(job *batchv1.Job, nodeName string) *corev1.Pod {
	template := job.Spec.Template.DeepCopy()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       job.Namespace,
			Name:            PodName(job),
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
