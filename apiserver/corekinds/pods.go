// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// podStorage serves pods. A pod that may run is deleted in two steps, as in a cluster: the deletion marks the pod, and
// its agent deletes it with a grace period of zero once its processes have ended.
func podStorage(logs LogOpener) resources.Provider {
	return func(scope *resources.Scope) (resources.Storages, error) {
		store, err := resources.NewStore(scope, resources.Resource{
			New:           func() runtime.Object { return &corev1.Pod{} },
			NewList:       func() runtime.Object { return &corev1.PodList{} },
			Resource:      corev1.Resource("pods"),
			Singular:      "pod",
			ShortNames:    []string{"po"},
			Categories:    []string{"all"},
			Strategy:      podStrategy{resources.NewDefaultStrategy(scope.Scheme, corev1.SchemeGroupVersion)},
			Table:         podTable,
			Attributes:    attributes(podFields),
			ReturnDeleted: true,
		})
		if err != nil {
			return nil, err
		}
		client, err := kubernetes.NewForConfig(scope.Loopback)
		if err != nil {
			return nil, fmt.Errorf("read PriorityClasses: %w", err)
		}
		store.BeginCreate = podPriority{client: client}.begin
		return resources.Storages{
			"":       store,
			"status": store.Status(resources.NewDefaultStatusStrategy(scope.Scheme, corev1.SchemeGroupVersion)),
			"log":    logREST{Base: subresource.Base{Answer: ""}, pods: store, logs: logs},
		}, nil
	}
}

type podStrategy struct {
	resources.DefaultStrategy
}

var (
	_ rest.RESTGracefulDeleteStrategy      = podStrategy{}
	_ rest.GarbageCollectionDeleteStrategy = podStrategy{}
)

// DefaultGarbageCollectionPolicy deletes what a pod owns with it.
func (podStrategy) DefaultGarbageCollectionPolicy(context.Context) rest.GarbageCollectionPolicy {
	return rest.DeleteDependents
}

// CheckGracefulDelete sets how long the pod may take to end: none at all if nothing of it can be running.
func (podStrategy) CheckGracefulDelete(_ context.Context, object runtime.Object, options *metav1.DeleteOptions) bool {
	pod, ok := object.(*corev1.Pod)
	if !ok || options == nil {
		return false
	}
	var seconds int64
	switch {
	case pod.Spec.NodeName == "", pod.Status.Phase == corev1.PodFailed, pod.Status.Phase == corev1.PodSucceeded:
	case options.GracePeriodSeconds != nil:
		seconds = *options.GracePeriodSeconds
	case pod.Spec.TerminationGracePeriodSeconds != nil:
		seconds = *pod.Spec.TerminationGracePeriodSeconds
	}
	if seconds < 0 {
		seconds = 1
	}
	options.GracePeriodSeconds = &seconds
	return true
}

// PrepareForCreate sets the phase to Pending until an agent runs the pod.
func (s podStrategy) PrepareForCreate(ctx context.Context, object runtime.Object) {
	s.DefaultStrategy.PrepareForCreate(ctx, object)
	if pod, ok := object.(*corev1.Pod); ok {
		pod.Status.Phase = corev1.PodPending
		dropManagedFields(pod)
	}
}

// Validate checks what an agent relies on.
func (podStrategy) Validate(_ context.Context, object runtime.Object) field.ErrorList {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return wrongType(object)
	}
	failures := validation.ValidateObjectMeta(&pod.ObjectMeta, true, validation.NameIsDNSSubdomain, field.NewPath("metadata"))
	return append(failures, validatePodSpec(&pod.Spec, field.NewPath("spec"))...)
}

// validatePodSpec requires what a pod cannot do without: containers with distinct names and an image.
func validatePodSpec(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	var failures field.ErrorList
	if len(spec.Containers) == 0 {
		failures = append(failures, field.Required(path.Child("containers"), ""))
	}
	names := map[string]bool{}
	failures = append(failures, validateContainers(spec.InitContainers, names, path.Child("initContainers"))...)
	failures = append(failures, validateContainers(spec.Containers, names, path.Child("containers"))...)
	if seconds := spec.ActiveDeadlineSeconds; seconds != nil && *seconds < 1 {
		failures = append(failures, field.Invalid(path.Child("activeDeadlineSeconds"), *seconds, "must be greater than 0"))
	}
	if seconds := spec.TerminationGracePeriodSeconds; seconds != nil && *seconds < 0 {
		failures = append(failures, field.Invalid(path.Child("terminationGracePeriodSeconds"), *seconds, "must be greater than or equal to 0"))
	}
	return failures
}

func validateContainers(containers []corev1.Container, names map[string]bool, path *field.Path) field.ErrorList {
	var failures field.ErrorList
	for i, container := range containers {
		at := path.Index(i)
		messages := utilvalidation.IsDNS1123Label(container.Name)
		switch {
		case container.Name == "":
			failures = append(failures, field.Required(at.Child("name"), ""))
		case len(messages) > 0:
			failures = append(failures, field.Invalid(at.Child("name"), container.Name, strings.Join(messages, "; ")))
		case names[container.Name]:
			failures = append(failures, field.Duplicate(at.Child("name"), container.Name))
		}
		names[container.Name] = true
		if container.Image == "" {
			failures = append(failures, field.Required(at.Child("image"), ""))
		}
	}
	return failures
}

// ValidateUpdate keeps the spec as it was, except for activeDeadlineSeconds, which may be set and lowered.
func (podStrategy) ValidateUpdate(_ context.Context, object, old runtime.Object) field.ErrorList {
	pod, ok := object.(*corev1.Pod)
	stored, okOld := old.(*corev1.Pod)
	if !ok || !okOld {
		return wrongType(object)
	}
	path := field.NewPath("spec")
	failures := validateDeadlineUpdate(pod.Spec.ActiveDeadlineSeconds, stored.Spec.ActiveDeadlineSeconds, path.Child("activeDeadlineSeconds"))
	allowed := pod.Spec
	allowed.ActiveDeadlineSeconds = stored.Spec.ActiveDeadlineSeconds
	if !equality.Semantic.DeepEqual(allowed, stored.Spec) {
		failures = append(failures, field.Forbidden(path, "pod updates may not change fields other than `spec.activeDeadlineSeconds`"))
	}
	return failures
}

func validateDeadlineUpdate(seconds, stored *int64, path *field.Path) field.ErrorList {
	switch {
	case seconds == nil && stored == nil:
		return nil
	case seconds == nil:
		return field.ErrorList{field.Invalid(path, nil, "must not be removed once it is set")}
	case *seconds < 1:
		return field.ErrorList{field.Invalid(path, *seconds, "must be greater than 0")}
	case stored != nil && *seconds > *stored:
		return field.ErrorList{field.Invalid(path, *seconds, "must be less than or equal to the previous value")}
	}
	return nil
}
