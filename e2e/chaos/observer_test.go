// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestOnlyAPodOnALostNodeRunsBesideAnother(t *testing.T) {
	pod := func(uid, job types.UID) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: string(uid), UID: uid, Labels: map[string]string{"batch.kubernetes.io/controller-uid": string(job)}},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
				{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			}},
		}
	}
	for name, test := range map[string]struct {
		jobs     map[types.UID]types.UID // the build of each Job
		lost     map[types.UID]bool
		violated bool
	}{
		"two attempts of a build":           {map[types.UID]types.UID{"first": "build", "second": "build"}, nil, true},
		"the first is on a lost node":       {map[types.UID]types.UID{"first": "build", "second": "build"}, map[types.UID]bool{"pod-1": true}, false},
		"another is on a lost node":         {map[types.UID]types.UID{"first": "build", "second": "build"}, map[types.UID]bool{"pod-3": true}, true},
		"attempts of two builds":            {map[types.UID]types.UID{"first": "build", "second": "other"}, nil, false},
		"Jobs of which nobody knows builds": {nil, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := newObserver(&api{})
			o.jobs = test.jobs
			o.observePods([]corev1.Pod{pod("pod-1", "first"), pod("pod-2", "second")}, test.lost)
			if violations := o.violations(); len(violations) > 0 != test.violated {
				t.Errorf("violations %q, want any: %t", violations, test.violated)
			}
		})
	}
}
