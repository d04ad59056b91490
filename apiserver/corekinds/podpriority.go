// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/client-go/kubernetes"
)

// podPriority does for new pods what the admission plugin Priority does in a cluster: the class that a pod names must exist, and sets
// the pod's priority.
type podPriority struct {
	client kubernetes.Interface
}

func (p podPriority) begin(ctx context.Context, object runtime.Object, _ *metav1.CreateOptions) (genericregistry.FinishFunc, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return nil, fmt.Errorf("create a pod: got a %T", object)
	}
	finish := func(context.Context, bool) {}
	name := pod.Spec.PriorityClassName
	if name == "" {
		return finish, nil
	}
	class, err := p.client.SchedulingV1().PriorityClasses().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, apierrors.NewForbidden(corev1.Resource("pods"), pod.Name, fmt.Errorf("no PriorityClass with name %s was found", name))
	case err != nil:
		return nil, fmt.Errorf("create pod %s: read priority class %s: %w", pod.Name, name, err)
	}
	pod.Spec.Priority, pod.Spec.PreemptionPolicy = &class.Value, class.PreemptionPolicy
	return finish, nil
}
