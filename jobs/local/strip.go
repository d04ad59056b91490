// SPDX-License-Identifier: Apache-2.0

package local

import (
	"encoding/json"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// markFailed is an annotation that only cached pods of failed attempts have.
const markFailed = "failed"

// strip drops the unused fields of cached objects, which are nearly all fields of an object that has ended. It does not
// change an object that is stripped already.
func strip(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		o.ManagedFields = nil
		if terminal(o) && len(o.Spec.Containers) > 0 {
			failed := attemptFailed(o)
			o.Annotations = nil
			if failed {
				o.Annotations = map[string]string{markFailed: ""}
			}
			o.Spec = corev1.PodSpec{NodeName: o.Spec.NodeName}
			o.Status.ContainerStatuses = nil
		}
	case *batchv1.Job:
		o.ManagedFields = nil
		if finished(o) {
			o.Spec = batchv1.JobSpec{}
		}
	}
	return object, nil
}

// attemptFailed reports whether the attempt of a pod that has ended failed. It agrees with jobs/state: a valid result counts even
// if the pod exceeded its deadline, and without one an attempt fails even if its pod succeeded.
func attemptFailed(pod *corev1.Pod) bool {
	end := containerStatus(pod).State.Terminated
	if end == nil || end.ExitCode != 0 {
		return true
	}
	var input render.Input
	if err := json.Unmarshal([]byte(pod.Annotations[v1alpha1.AnnotationInput]), &input); err != nil {
		return true // no builder can have read the input
	}
	targets := make([]v1alpha1.Target, 0, len(input.Targets))
	for _, target := range input.Targets {
		targets = append(targets, v1alpha1.Target{Platform: target.Platform, Format: target.Format})
	}
	return result.Parse(end.Message, end.ExitCode, targets, result.Policy{AllowUnlocated: true}).Failure != nil
}
