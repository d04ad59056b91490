// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"context"
	"maps"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apiserver/resources"
)

func jobStorage(scope *resources.Scope) (resources.Storages, error) {
	store, err := resources.NewStore(scope, resources.Resource{
		New:           func() runtime.Object { return &batchv1.Job{} },
		NewList:       func() runtime.Object { return &batchv1.JobList{} },
		Resource:      batchv1.Resource("jobs"),
		Singular:      "job",
		Categories:    []string{"all"},
		Strategy:      jobStrategy{resources.NewDefaultStrategy(scope.Scheme, batchv1.SchemeGroupVersion)},
		Table:         jobTable,
		Attributes:    attributes(jobFields),
		ReturnDeleted: true,
	})
	if err != nil {
		return nil, err
	}
	return resources.Storages{
		"":       store,
		"status": store.Status(resources.NewDefaultStatusStrategy(scope.Scheme, batchv1.SchemeGroupVersion)),
	}, nil
}

type jobStrategy struct {
	resources.DefaultStrategy
}

var _ rest.GarbageCollectionDeleteStrategy = jobStrategy{}

// DefaultGarbageCollectionPolicy orphans the pods, as batch/v1 always has.
func (jobStrategy) DefaultGarbageCollectionPolicy(context.Context) rest.GarbageCollectionPolicy {
	return rest.OrphanDependents
}

// PrepareForCreate gives the Job its selector, unless it brings its own.
func (s jobStrategy) PrepareForCreate(ctx context.Context, object runtime.Object) {
	s.DefaultStrategy.PrepareForCreate(ctx, object)
	job, ok := object.(*batchv1.Job)
	if !ok {
		return
	}
	dropManagedFields(job)
	if job.Spec.ManualSelector != nil && *job.Spec.ManualSelector {
		return
	}
	selectOwnPods(job)
}

// dropManagedFields drops the managed fields of a new object that a controller owns and that nobody applied: they are more than half
// of a Job or pod. The API server tracks none later either, until somebody applies the object.
func dropManagedFields(object metav1.Object) {
	applied := func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Operation == metav1.ManagedFieldsOperationApply
	}
	if metav1.GetControllerOfNoCopy(object) != nil && !slices.ContainsFunc(object.GetManagedFields(), applied) {
		object.SetManagedFields(nil)
	}
}

// selectOwnPods labels the Job's pods by its name and UID, and selects them by the UID, as the Job API promises.
func selectOwnPods(job *batchv1.Job) {
	if job.Spec.Template.Labels == nil {
		job.Spec.Template.Labels = map[string]string{}
	}
	uid := string(job.UID)
	maps.Copy(job.Spec.Template.Labels, map[string]string{
		"controller-uid":           uid, // the legacy names, without a prefix
		"job-name":                 job.Name,
		batchv1.ControllerUidLabel: uid,
		batchv1.JobNameLabel:       job.Name,
	})
	if job.Spec.Selector == nil {
		job.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{}}
	}
	if job.Spec.Selector.MatchLabels == nil {
		job.Spec.Selector.MatchLabels = map[string]string{}
	}
	job.Spec.Selector.MatchLabels[batchv1.ControllerUidLabel] = uid
}

// Validate checks what the controller of Jobs relies on.
func (jobStrategy) Validate(_ context.Context, object runtime.Object) field.ErrorList {
	job, ok := object.(*batchv1.Job)
	if !ok {
		return wrongType(object)
	}
	failures := validation.ValidateObjectMeta(&job.ObjectMeta, true, validation.NameIsDNSSubdomain, field.NewPath("metadata"))
	return append(failures, validateJobSpec(&job.Spec, field.NewPath("spec"))...)
}

func validateJobSpec(spec *batchv1.JobSpec, path *field.Path) field.ErrorList {
	failures := validatePodSpec(&spec.Template.Spec, path.Child("template", "spec"))
	switch policy := spec.Template.Spec.RestartPolicy; policy {
	case corev1.RestartPolicyNever, corev1.RestartPolicyOnFailure:
	default:
		supported := []corev1.RestartPolicy{corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever}
		failures = append(failures, field.NotSupported(path.Child("template", "spec", "restartPolicy"), policy, supported))
	}
	for _, count := range []struct {
		name  string
		value *int32
	}{
		{"parallelism", spec.Parallelism},
		{"completions", spec.Completions},
		{"backoffLimit", spec.BackoffLimit},
		{"ttlSecondsAfterFinished", spec.TTLSecondsAfterFinished},
	} {
		if count.value != nil && *count.value < 0 {
			failures = append(failures, field.Invalid(path.Child(count.name), *count.value, "must be greater than or equal to 0"))
		}
	}
	return failures
}

// ValidateUpdate keeps the pods of a Job alike: what they are made from does not change.
func (s jobStrategy) ValidateUpdate(ctx context.Context, object, old runtime.Object) field.ErrorList {
	job, ok := object.(*batchv1.Job)
	stored, okOld := old.(*batchv1.Job)
	if !ok || !okOld {
		return wrongType(object)
	}
	failures := s.Validate(ctx, object)
	path := field.NewPath("spec")
	failures = append(failures, validation.ValidateImmutableField(job.Spec.Template, stored.Spec.Template, path.Child("template"))...)
	failures = append(failures, validation.ValidateImmutableField(job.Spec.Selector, stored.Spec.Selector, path.Child("selector"))...)
	return append(failures, validation.ValidateImmutableField(job.Spec.CompletionMode, stored.Spec.CompletionMode, path.Child("completionMode"))...)
}
