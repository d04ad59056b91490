// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/local/internal/reconcile"
)

// syncPod does the work of a kubelet for a pod. It starts the run of the pod's process, and passes changes of the pod to it.
func (a *Agent) syncPod(ctx context.Context, ref reconcile.Ref) error {
	pod, err := a.pods.Pods(ref.Namespace).Get(ref.Name)
	if apierrors.IsNotFound(err) || err == nil && pod.UID != ref.UID {
		return a.forgetPod(ref)
	}
	if err != nil || pod.Spec.NodeName != nodeName {
		return err
	}
	switch r := a.runOf(ref); {
	case terminal(pod) && r != nil && r.abort():
		return nil // another client has ended the pod: the process is killed
	case terminal(pod):
		a.dropRun(ref)
		a.workers.abandon(ref.UID)
		if pod.DeletionTimestamp != nil {
			return a.deletePod(ctx, pod)
		}
		return a.removeUnused(pod)
	case r != nil:
		r.observe(pod)
		return nil
	}
	return a.syncPodWithoutProcess(ctx, pod)
}

func (a *Agent) syncPodWithoutProcess(ctx context.Context, pod *corev1.Pod) error {
	ref := reconcile.RefOf(pod)
	dir, err := a.dirs.dirOf(pod.UID)
	if err != nil {
		return err
	}
	started, err := dir.wasStarted()
	if err != nil {
		return err
	}
	if started || pod.Status.Phase == corev1.PodRunning {
		return a.storeStatus(ctx, pod, func(pod *corev1.Pod) { setLost(pod, a.options.Clock.Now(), messageLost) })
	}
	if pod.DeletionTimestamp != nil {
		a.workers.abandon(ref.UID)
		return a.deletePod(ctx, pod)
	}
	builder, name, refused := a.builderFor(pod)
	if refused != nil {
		return a.storeStatus(ctx, pod, func(pod *corev1.Pod) { setRefused(pod, a.options.Clock.Now(), refused) })
	}
	wanted, refused, err := a.demandOf(ctx, pod, builder, name)
	switch {
	case err != nil:
		return err
	case refused != nil:
		return a.storeStatus(ctx, pod, func(pod *corev1.Pod) { setRefused(pod, a.options.Clock.Now(), refused) })
	}
	mounts, err := a.readMounts(ctx, pod)
	if missing, ok := errors.AsType[*missingError](err); ok {
		return a.waitForMount(ctx, pod, missing)
	}
	if err != nil {
		return err
	}
	acquired, busy := a.workers.acquire(ref, pod.CreationTimestamp.Time, wanted)
	if !acquired {
		if waiting(pod) {
			return nil
		}
		// At once: an attempt whose pod waits without a reason fails after timeouts.start.
		return a.storeStatus(ctx, pod, func(pod *corev1.Pod) { setWaiting(pod, busy, a.options.Clock.Now()) })
	}
	var log *os.File
	if err = ctx.Err(); err == nil { // an agent that stops frees workers: a process that it started now would be lost
		log, err = dir.prepare(pod.Annotations[v1alpha1.AnnotationInput])
	}
	if err != nil {
		a.workers.release(ref.UID)
		return fmt.Errorf("prepare pod %s: %w", ref, err)
	}
	a.startRun(pod, builder, dir, log, mounts)
	return nil
}

// forgetPod ends the process of a deleted pod, and removes its files.
func (a *Agent) forgetPod(ref reconcile.Ref) error {
	a.workers.abandon(ref.UID)
	if r := a.dropRun(ref); r != nil && r.remove() {
		return nil // it removes the directory when the process has ended
	}
	dir, err := a.dirs.dirOf(ref.UID)
	if err != nil {
		return err
	}
	if err := dir.discard(); err != nil {
		return fmt.Errorf("remove the files of pod %s: %w", ref, err)
	}
	return nil
}

// removeUnused removes the files that nothing uses once the end of a cached pod is stored. Its log, and an output whose files nobody
// has stored, stay until the pod is deleted. The agent syncs every pod after its start, so an interrupted removal is completed.
func (a *Agent) removeUnused(pod *corev1.Pod) error {
	dir, err := a.dirs.dirOf(pod.UID)
	if err != nil {
		return err
	}
	_, keepOutput := pod.Annotations[markOutput]
	if err := dir.removeUnused(keepOutput); err != nil {
		return fmt.Errorf("remove the unused files of pod %s: %w", reconcile.RefOf(pod), err)
	}
	return nil
}

func (a *Agent) runOf(ref reconcile.Ref) *run {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.runs[ref.UID]
}

func (a *Agent) dropRun(ref reconcile.Ref) *run {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.runs[ref.UID]
	delete(a.runs, ref.UID)
	return r
}

// deletePod removes a pod without a process, like a kubelet at the end of a deletion.
func (a *Agent) deletePod(ctx context.Context, pod *corev1.Pod) error {
	err := a.options.Client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: new(int64),
		Preconditions:      &metav1.Preconditions{UID: &pod.UID},
	})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // a conflict: another pod has its name
		return nil
	}
	return fmt.Errorf("delete pod %s: %w", reconcile.RefOf(pod), err)
}

// storeStatus writes the status of a pod. It is no error if the pod was deleted, or has ended meanwhile.
func (a *Agent) storeStatus(ctx context.Context, pod *corev1.Pod, change func(*corev1.Pod)) error {
	_, err := a.updateStatus(ctx, pod, change)
	return err
}

// updateStatus writes a change to the status of a pod and returns the stored pod, or nil if it was deleted. A pod that has
// ended is not changed.
func (a *Agent) updateStatus(ctx context.Context, pod *corev1.Pod, change func(*corev1.Pod)) (*corev1.Pod, error) {
	pods, uid := a.options.Client.CoreV1().Pods(pod.Namespace), pod.UID
	for {
		changed := pod.DeepCopy()
		change(changed)
		stored, err := pods.UpdateStatus(ctx, changed, metav1.UpdateOptions{})
		switch {
		case err == nil:
			return stored, nil
		case apierrors.IsNotFound(err):
			return nil, nil
		case !apierrors.IsConflict(err):
			return nil, fmt.Errorf("write the status of pod %s: %w", reconcile.RefOf(pod), err)
		}
		latest, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err), err == nil && latest.UID != uid:
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("read pod %s: %w", reconcile.RefOf(pod), err)
		case terminal(latest):
			return latest, nil
		}
		pod = latest
	}
}
