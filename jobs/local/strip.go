// SPDX-License-Identifier: Apache-2.0

package local

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// strip drops from cached objects what nobody will read: of those that have ended, nearly everything.
func strip(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		o.ManagedFields = nil
		if terminal(o) {
			o.Annotations = nil
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
