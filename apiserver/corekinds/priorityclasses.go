// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apiserver/resources"
)

// highestPriority is the highest value that users may give to a class. Higher values are reserved for the system.
const highestPriority = 1_000_000_000

func priorityClassStorage(scope *resources.Scope) (resources.Storages, error) {
	store, err := resources.NewStore(scope, resources.Resource{
		New:        func() runtime.Object { return &schedulingv1.PriorityClass{} },
		NewList:    func() runtime.Object { return &schedulingv1.PriorityClassList{} },
		Resource:   schedulingv1.SchemeGroupVersion.WithResource("priorityclasses").GroupResource(),
		Singular:   "priorityclass",
		ShortNames: []string{"pc"},
		Strategy:   priorityClassStrategy{clusterStrategy{resources.NewDefaultStrategy(scope.Scheme, schedulingv1.SchemeGroupVersion)}},
		Table:      priorityClassTable,
		Attributes: attributes(priorityClassFields),
	})
	if err != nil {
		return nil, err
	}
	return resources.Storages{"": store}, nil
}

func priorityClassFields(class *schedulingv1.PriorityClass) fields.Set {
	return generic.ObjectMetaFieldsSet(&class.ObjectMeta, false)
}

func defaultPriorityClass(class *schedulingv1.PriorityClass) {
	setPointer(&class.PreemptionPolicy, corev1.PreemptLowerPriority)
}

type priorityClassStrategy struct {
	clusterStrategy
}

// Validate checks the name and the value.
func (priorityClassStrategy) Validate(_ context.Context, object runtime.Object) field.ErrorList {
	class, ok := object.(*schedulingv1.PriorityClass)
	if !ok {
		return wrongType(object)
	}
	failures := validation.ValidateObjectMeta(&class.ObjectMeta, false, validation.NameIsDNSSubdomain, field.NewPath("metadata"))
	if class.Value > highestPriority {
		failures = append(failures, field.Forbidden(field.NewPath("value"), fmt.Sprintf("maximum allowed value of a user defined priority is %d", highestPriority)))
	}
	policies := []corev1.PreemptionPolicy{corev1.PreemptLowerPriority, corev1.PreemptNever}
	if policy := ptr.Deref(class.PreemptionPolicy, ""); policy != policies[0] && policy != policies[1] {
		failures = append(failures, field.NotSupported(field.NewPath("preemptionPolicy"), policy, policies))
	}
	return failures
}

// ValidateUpdate refuses to change the value and the policy, which builds and pods copied when they were created.
func (s priorityClassStrategy) ValidateUpdate(ctx context.Context, object, old runtime.Object) field.ErrorList {
	class, ok := object.(*schedulingv1.PriorityClass)
	stored, okOld := old.(*schedulingv1.PriorityClass)
	if !ok || !okOld {
		return wrongType(object)
	}
	failures := s.Validate(ctx, object)
	if class.Value != stored.Value {
		failures = append(failures, field.Forbidden(field.NewPath("value"), "may not be changed in an update."))
	}
	return append(failures, validation.ValidateImmutableField(class.PreemptionPolicy, stored.PreemptionPolicy, field.NewPath("preemptionPolicy"))...)
}

func priorityClassCells(class *schedulingv1.PriorityClass) []any {
	return []any{class.Name, int64(class.Value), class.GlobalDefault, age(class.CreationTimestamp), string(ptr.Deref(class.PreemptionPolicy, ""))}
}
