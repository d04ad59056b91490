// SPDX-License-Identifier: Apache-2.0

package local

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/jobs/local/jobcontroller"
	"goldsmith.dev/goldsmith/jobs/result"
)

// markOutput is an annotation that only cached pods have whose output is needed.
const markOutput = "output"

// strip drops the unused fields of cached objects, which are nearly all fields of an object that has ended. It does not
// change an object that is stripped already.
func strip(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		o.ManagedFields = nil
		if terminal(o) && len(o.Spec.Containers) > 0 {
			needed := needsOutput(o)
			o.Annotations = nil
			if needed {
				o.Annotations = map[string]string{markOutput: ""}
			}
			o.Spec = corev1.PodSpec{NodeName: o.Spec.NodeName}
			o.Status.ContainerStatuses, o.Status.InitContainerStatuses = nil, nil
		}
	case *batchv1.Job:
		o.ManagedFields = nil
		if jobcontroller.Finished(o) {
			o.Spec = batchv1.JobSpec{}
		}
	}
	return object, nil
}

// needsOutput reports whether the attempt of a pod that has ended succeeded, and its artifacts are only in its output, because no agent
// with a store ran it. It agrees with jobs/state: a valid result counts even if the pod exceeded its deadline, and without one an attempt
// fails even if its pod succeeded.
func needsOutput(pod *corev1.Pod) bool {
	end := containerStatus(pod).State.Terminated
	if end == nil || end.ExitCode != 0 || result.Checked(end.Message) {
		return false
	}
	input := inputOf(pod)
	if input == nil {
		return false // no builder can have read the input
	}
	return result.Parse(end.Message, end.ExitCode, input.BuildTargets(), result.Policy{AllowUnlocated: true}).Failure == nil
}
