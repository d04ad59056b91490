// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"context"
	"reflect"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Strategy is the behavior of a stored resource at creation, update and deletion.
type Strategy interface {
	rest.RESTCreateStrategy
	rest.RESTUpdateStrategy
	rest.RESTDeleteStrategy
}

// DefaultStrategy is the strategy of an ordinary namespaced resource. Clients of the main resource cannot write the status. The
// strategy of a resource embeds DefaultStrategy and overrides methods, such as Validate.
//
// Objects with a Spec field have a generation, which grows when the spec changes.
type DefaultStrategy struct {
	runtime.ObjectTyper
	names.NameGenerator
	versions []schema.GroupVersion
}

var _ Strategy = DefaultStrategy{}

// NewDefaultStrategy returns the default strategy for a resource that is served in the given versions.
func NewDefaultStrategy(scheme *runtime.Scheme, versions ...schema.GroupVersion) DefaultStrategy {
	return DefaultStrategy{ObjectTyper: scheme, NameGenerator: names.SimpleNameGenerator, versions: versions}
}

// NamespaceScoped is true. The strategies of a cluster-scoped resource and of its status override it.
func (DefaultStrategy) NamespaceScoped() bool { return true }

// AllowCreateOnUpdate is false: a PUT does not create an object.
func (DefaultStrategy) AllowCreateOnUpdate(context.Context) bool { return false }

// AllowUnconditionalUpdate is true, as for almost every Kubernetes resource: a PUT without a resourceVersion overwrites the object.
func (DefaultStrategy) AllowUnconditionalUpdate(context.Context) bool { return true }

// PrepareForCreate drops the status and sets generation 1.
func (DefaultStrategy) PrepareForCreate(_ context.Context, object runtime.Object) {
	if status, found := topLevelField(object, "Status"); found {
		status.SetZero()
	}
	if _, found := topLevelField(object, "Spec"); found {
		setGeneration(object, 1)
	}
}

// PrepareForUpdate keeps the stored status, and increments the generation if the spec changes.
func (DefaultStrategy) PrepareForUpdate(_ context.Context, object, old runtime.Object) {
	keepField(object, old, "Status")
	spec, found := topLevelField(object, "Spec")
	if !found {
		return
	}
	oldSpec, _ := topLevelField(old, "Spec")
	if !equality.Semantic.DeepEqual(spec.Interface(), oldSpec.Interface()) {
		setGeneration(object, generation(old)+1)
	}
}

// Validate checks the name, which must be a DNS subdomain. The server validates the rest of the metadata. A strategy that
// overrides Validate should also override ValidateUpdate, which does not call it.
func (DefaultStrategy) Validate(_ context.Context, object runtime.Object) field.ErrorList {
	var errs field.ErrorList
	if accessor, err := meta.Accessor(object); err == nil {
		for _, message := range apivalidation.NameIsDNSSubdomain(accessor.GetName(), false) {
			errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), accessor.GetName(), message))
		}
	}
	return errs
}

// ValidateUpdate accepts every change, because a name cannot change.
func (DefaultStrategy) ValidateUpdate(context.Context, runtime.Object, runtime.Object) field.ErrorList {
	return nil
}

// WarningsOnCreate returns none.
func (DefaultStrategy) WarningsOnCreate(context.Context, runtime.Object) []string { return nil }

// WarningsOnUpdate returns none.
func (DefaultStrategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}

// Canonicalize changes nothing: an object is stored as it was accepted.
func (DefaultStrategy) Canonicalize(runtime.Object) {}

// GetResetFields returns the status, which writers of the main resource cannot own.
func (s DefaultStrategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return resetFields(s.versions, "status")
}

// DefaultStatusStrategy is the update strategy of a status subresource: only the status changes. Embed it to override methods.
type DefaultStatusStrategy struct {
	DefaultStrategy
}

// NewDefaultStatusStrategy returns the default strategy for the status of a resource served in the given versions.
func NewDefaultStatusStrategy(scheme *runtime.Scheme, versions ...schema.GroupVersion) DefaultStatusStrategy {
	return DefaultStatusStrategy{DefaultStrategy: NewDefaultStrategy(scheme, versions...)}
}

// PrepareForUpdate keeps everything but the status as it is stored; only managed fields follow the request.
func (DefaultStatusStrategy) PrepareForUpdate(_ context.Context, object, old runtime.Object) {
	managedFields := managedFields(object)
	for _, field := range reflect.VisibleFields(reflect.Indirect(reflect.ValueOf(old)).Type()) {
		if len(field.Index) == 1 && field.IsExported() && field.Name != "Status" && field.Name != "TypeMeta" {
			keepField(object, old, field.Name)
		}
	}
	setManagedFields(object, managedFields)
}

// GetResetFields returns spec and metadata, which writers of the status cannot own.
func (s DefaultStatusStrategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return resetFields(s.versions, "spec", "metadata")
}

func resetFields(versions []schema.GroupVersion, names ...string) map[fieldpath.APIVersion]*fieldpath.Set {
	paths := make([]fieldpath.Path, 0, len(names))
	for _, name := range names {
		paths = append(paths, fieldpath.MakePathOrDie(name))
	}
	fields := make(map[fieldpath.APIVersion]*fieldpath.Set, len(versions))
	for _, version := range versions {
		fields[fieldpath.APIVersion(version.String())] = fieldpath.NewSet(paths...)
	}
	return fields
}

// topLevelField finds a field such as Spec or Status of an API object, which is always a pointer to a struct.
func topLevelField(object runtime.Object, name string) (reflect.Value, bool) {
	value := reflect.ValueOf(object)
	if value.Kind() != reflect.Pointer || value.Elem().Kind() != reflect.Struct {
		return reflect.Value{}, false
	}
	value = value.Elem().FieldByName(name)
	return value, value.IsValid()
}

func keepField(object, old runtime.Object, name string) {
	current, found := topLevelField(object, name)
	stored, foundOld := topLevelField(old, name)
	if found && foundOld {
		current.Set(stored)
	}
}

func setGeneration(object runtime.Object, generation int64) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetGeneration(generation)
	}
}

func generation(object runtime.Object) int64 {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return 0
	}
	return accessor.GetGeneration()
}

func managedFields(object runtime.Object) []metav1.ManagedFieldsEntry {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return nil
	}
	return accessor.GetManagedFields()
}

func setManagedFields(object runtime.Object, entries []metav1.ManagedFieldsEntry) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(entries)
	}
}
