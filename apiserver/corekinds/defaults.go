// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// addDefaults registers those defaults of a kube-apiserver that somebody reads here: what is not run has no defaults.
func addDefaults(scheme *runtime.Scheme) {
	scheme.AddTypeDefaultingFunc(&corev1.Namespace{}, func(object any) {
		if namespace, ok := object.(*corev1.Namespace); ok {
			defaultNamespace(namespace)
		}
	})
	scheme.AddTypeDefaultingFunc(&corev1.Secret{}, func(object any) {
		if secret, ok := object.(*corev1.Secret); ok {
			defaultSecret(secret)
		}
	})
	scheme.AddTypeDefaultingFunc(&corev1.Pod{}, func(object any) {
		if pod, ok := object.(*corev1.Pod); ok {
			defaultPodSpec(&pod.Spec)
		}
	})
	scheme.AddTypeDefaultingFunc(&schedulingv1.PriorityClass{}, func(object any) {
		if class, ok := object.(*schedulingv1.PriorityClass); ok {
			defaultPriorityClass(class)
		}
	})
	scheme.AddTypeDefaultingFunc(&batchv1.Job{}, func(object any) {
		if job, ok := object.(*batchv1.Job); ok {
			defaultJobSpec(&job.Spec)
			defaultPodSpec(&job.Spec.Template.Spec)
		}
	})
}

func defaultNamespace(namespace *corev1.Namespace) {
	if namespace.Name == "" {
		return // generated later
	}
	if namespace.Labels == nil {
		namespace.Labels = map[string]string{}
	}
	namespace.Labels[corev1.LabelMetadataName] = namespace.Name
}

func defaultPodSpec(spec *corev1.PodSpec) {
	setDefault(&spec.RestartPolicy, corev1.RestartPolicyAlways)
	setDefault(&spec.DNSPolicy, corev1.DNSClusterFirst)
	setDefault(&spec.SchedulerName, corev1.DefaultSchedulerName)
	setPointer(&spec.TerminationGracePeriodSeconds, corev1.DefaultTerminationGracePeriodSeconds)
	setPointer(&spec.SecurityContext, corev1.PodSecurityContext{})
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			setDefault(&containers[i].ImagePullPolicy, corev1.PullIfNotPresent)
			setDefault(&containers[i].TerminationMessagePath, corev1.TerminationMessagePathDefault)
			setDefault(&containers[i].TerminationMessagePolicy, corev1.TerminationMessageReadFile)
		}
	}
}

func defaultJobSpec(spec *batchv1.JobSpec) {
	const backoffLimit = 6
	// As batch/v1 has it: neither given means one pod; only parallelism given means a work queue.
	if spec.Completions == nil && spec.Parallelism == nil {
		setPointer(&spec.Completions, 1)
	}
	setPointer(&spec.Parallelism, 1)
	setPointer(&spec.BackoffLimit, backoffLimit)
	setPointer(&spec.CompletionMode, batchv1.NonIndexedCompletion)
	setPointer(&spec.Suspend, false)
	setPointer(&spec.PodReplacementPolicy, batchv1.TerminatingOrFailed)
}

func setDefault[T comparable](field *T, value T) {
	var unset T
	if *field == unset {
		*field = value
	}
}

func setPointer[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}
