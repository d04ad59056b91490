// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	storeerrors "k8s.io/apiserver/pkg/storage/errors"
	"k8s.io/apiserver/pkg/util/dryrun"

	"goldsmith.dev/goldsmith/apiserver/resources"
)

// namespaceStorage serves namespaces. A deletion marks the namespace as terminating. The server removes it when the
// controller that empties namespaces has removed the last of spec.finalizers through the subresource finalize.
func namespaceStorage(scope *resources.Scope) (resources.Storages, error) {
	strategy := clusterStrategy{resources.NewDefaultStrategy(scope.Scheme, corev1.SchemeGroupVersion)}
	store, err := resources.NewStore(scope, resources.Resource{
		New:           func() runtime.Object { return &corev1.Namespace{} },
		NewList:       func() runtime.Object { return &corev1.NamespaceList{} },
		Resource:      corev1.Resource("namespaces"),
		Singular:      "namespace",
		ShortNames:    []string{"ns"},
		Strategy:      namespaceStrategy{strategy},
		Table:         namespaceTable,
		Attributes:    attributes(namespaceFields),
		ReturnDeleted: true,
	})
	if err != nil {
		return nil, err
	}
	store.ShouldDeleteDuringUpdate = func(_ context.Context, _ string, object, _ runtime.Object) bool {
		namespace, ok := object.(*corev1.Namespace)
		return ok && len(namespace.Spec.Finalizers) == 0
	}
	return resources.Storages{
		"":         namespaceREST{namespaceVerbs: store, store: store.Store},
		"status":   store.Status(namespaceStatusStrategy{resources.NewDefaultStatusStrategy(scope.Scheme, corev1.SchemeGroupVersion)}),
		"finalize": store.Status(namespaceFinalizeStrategy{strategy}),
	}, nil
}

// namespaceVerbs are the verbs of the store that namespaces have: there is no deletion of several at once.
type namespaceVerbs interface {
	rest.Storage
	rest.Scoper
	rest.SingularNameProvider
	rest.ShortNamesProvider
	rest.Creater
	rest.Getter
	rest.Lister
	rest.Updater
	rest.Watcher
	rest.ResetFieldsStrategy
}

type namespaceREST struct {
	namespaceVerbs
	store *genericregistry.Store
}

var _ rest.GracefulDeleter = namespaceREST{}

// Delete marks a namespace as terminating. It removes a terminating namespace that has no finalizers left.
func (r namespaceREST) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc, options *metav1.DeleteOptions) (runtime.Object, bool, error) {
	found, err := r.Get(ctx, name, &metav1.GetOptions{})
	if err != nil {
		return nil, false, err
	}
	namespace, ok := found.(*corev1.Namespace)
	if !ok {
		return nil, false, fmt.Errorf("delete namespace %s: got a %T", name, found)
	}
	if namespace.DeletionTimestamp.IsZero() {
		return r.terminate(ctx, name, validate, options)
	}
	if len(namespace.Spec.Finalizers) > 0 {
		return namespace, false, nil
	}
	return r.store.Delete(ctx, name, validate, options)
}

func (r namespaceREST) terminate(ctx context.Context, name string, validate rest.ValidateObjectFunc, options *metav1.DeleteOptions) (runtime.Object, bool, error) {
	key, err := r.store.KeyFunc(ctx, name)
	if err != nil {
		return nil, false, err
	}
	var preconditions storage.Preconditions
	if given := options.Preconditions; given != nil {
		preconditions.UID, preconditions.ResourceVersion = given.UID, given.ResourceVersion
	}
	mark := storage.SimpleUpdate(func(existing runtime.Object) (runtime.Object, error) {
		namespace, ok := existing.(*corev1.Namespace)
		if !ok {
			return nil, fmt.Errorf("delete namespace %s: got a %T", name, existing)
		}
		if err := validate(ctx, namespace); err != nil {
			return nil, err
		}
		if namespace.DeletionTimestamp.IsZero() {
			namespace.DeletionTimestamp = new(metav1.Now())
		}
		namespace.Status.Phase = corev1.NamespaceTerminating
		return namespace, nil
	})
	out := r.store.NewFunc()
	err = r.store.Storage.GuaranteedUpdate(ctx, key, out, false, &preconditions, mark, dryrun.IsDryRun(options.DryRun), nil)
	if err != nil {
		resource := corev1.Resource("namespaces")
		err = storeerrors.InterpretUpdateError(storeerrors.InterpretGetError(err, resource, name), resource, name)
		if apierrors.ReasonForError(err) == metav1.StatusReasonUnknown {
			err = apierrors.NewInternalError(err)
		}
		return nil, false, err
	}
	return out, false, nil
}

type namespaceStrategy struct {
	clusterStrategy
}

// PrepareForCreate adds the finalizer that keeps a terminating namespace until its content is deleted.
func (namespaceStrategy) PrepareForCreate(_ context.Context, object runtime.Object) {
	namespace, ok := object.(*corev1.Namespace)
	if !ok {
		return
	}
	namespace.Status = corev1.NamespaceStatus{Phase: corev1.NamespaceActive}
	if !slices.Contains(namespace.Spec.Finalizers, corev1.FinalizerKubernetes) {
		namespace.Spec.Finalizers = append(namespace.Spec.Finalizers, corev1.FinalizerKubernetes)
	}
}

// PrepareForUpdate keeps spec and status: they have subresources of their own.
func (namespaceStrategy) PrepareForUpdate(_ context.Context, object, old runtime.Object) {
	namespace, ok := object.(*corev1.Namespace)
	stored, okOld := old.(*corev1.Namespace)
	if ok && okOld {
		namespace.Spec, namespace.Status = stored.Spec, stored.Status
	}
}

// Validate checks the metadata. There is nothing else to get wrong.
func (namespaceStrategy) Validate(_ context.Context, object runtime.Object) field.ErrorList {
	namespace, ok := object.(*corev1.Namespace)
	if !ok {
		return wrongType(object)
	}
	return validation.ValidateObjectMeta(&namespace.ObjectMeta, false, validation.ValidateNamespaceName, field.NewPath("metadata"))
}

type namespaceStatusStrategy struct {
	resources.DefaultStatusStrategy
}

// NamespaceScoped returns false, as for the namespace itself.
func (namespaceStatusStrategy) NamespaceScoped() bool { return false }

// namespaceFinalizeStrategy changes spec.finalizers and nothing else.
type namespaceFinalizeStrategy struct {
	clusterStrategy
}

// PrepareForUpdate keeps the status.
func (namespaceFinalizeStrategy) PrepareForUpdate(_ context.Context, object, old runtime.Object) {
	namespace, ok := object.(*corev1.Namespace)
	stored, okOld := old.(*corev1.Namespace)
	if ok && okOld {
		namespace.Status = stored.Status
	}
}
