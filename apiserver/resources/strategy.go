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

// DefaultStrategy is the strategy of an ordinary namespaced resource. Clients of the main resource cannot write the status.
// Methods of an object's type, such as Validate, extend the strategy: see Validator and the interfaces below it.
//
// A resource without a strategy has this one. To write another strategy, embed it and override methods.
//
// Objects with a Spec field have a generation, which grows when the spec changes.
type DefaultStrategy struct {
	runtime.ObjectTyper
	names.NameGenerator
	versions []schema.GroupVersion
	example  runtime.Object // nil if embedded: only the default strategies of a store know the type without an object
	main     rest.Scoper    // of a status strategy: the strategy of the resource, which determines the scope
}

var _ Strategy = DefaultStrategy{}

// NewDefaultStrategy returns the default strategy for a resource that is served in the given versions.
func NewDefaultStrategy(scheme *runtime.Scheme, versions ...schema.GroupVersion) DefaultStrategy {
	return DefaultStrategy{ObjectTyper: scheme, NameGenerator: names.SimpleNameGenerator, versions: versions}
}

// strategyFor returns the default strategy for objects like the example, in every version that has their kind.
func strategyFor(scheme *runtime.Scheme, example runtime.Object) (DefaultStrategy, error) {
	kinds, _, err := scheme.ObjectKinds(example)
	if err != nil {
		return DefaultStrategy{}, err
	}
	var versions []schema.GroupVersion
	for _, version := range scheme.PrioritizedVersionsForGroup(kinds[0].Group) {
		if scheme.Recognizes(version.WithKind(kinds[0].Kind)) {
			versions = append(versions, version)
		}
	}
	strategy := NewDefaultStrategy(scheme, versions...)
	strategy.example = example
	return strategy, nil
}

// NamespaceScoped is true, unless the type of the store is not. Override it for a cluster-scoped resource.
func (s DefaultStrategy) NamespaceScoped() bool {
	if s.main != nil {
		return s.main.NamespaceScoped()
	}
	return namespaced(s.example)
}

// namespaced reports whether objects of a type are in namespaces, which is the default.
func namespaced(example runtime.Object) bool {
	scoper, ok := example.(rest.Scoper)
	return !ok || scoper.NamespaceScoped()
}

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

// Validate checks the name, which must be a DNS subdomain, and calls Validate of the object. The server validates the rest of
// the metadata. A strategy that overrides Validate should also override ValidateUpdate, which does not call it.
func (DefaultStrategy) Validate(ctx context.Context, object runtime.Object) field.ErrorList {
	var errs field.ErrorList
	if accessor, err := meta.Accessor(object); err == nil {
		for _, message := range apivalidation.NameIsDNSSubdomain(accessor.GetName(), false) {
			errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), accessor.GetName(), message))
		}
	}
	if validator, ok := object.(Validator); ok {
		errs = append(errs, validator.Validate(ctx)...)
	}
	return errs
}

// ValidateUpdate calls Validate and ValidateUpdate of the object.
func (DefaultStrategy) ValidateUpdate(ctx context.Context, object, old runtime.Object) field.ErrorList {
	var errs field.ErrorList
	if validator, ok := object.(Validator); ok {
		errs = validator.Validate(ctx)
	}
	if validator, ok := object.(UpdateValidator); ok {
		errs = append(errs, validator.ValidateUpdate(ctx, old)...)
	}
	return errs
}

// WarningsOnCreate calls Warnings of the object.
func (DefaultStrategy) WarningsOnCreate(ctx context.Context, object runtime.Object) []string {
	if warner, ok := object.(Warner); ok {
		return warner.Warnings(ctx)
	}
	return nil
}

// WarningsOnUpdate calls Warnings of the object.
func (DefaultStrategy) WarningsOnUpdate(ctx context.Context, object, _ runtime.Object) []string {
	if warner, ok := object.(Warner); ok {
		return warner.Warnings(ctx)
	}
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

// ValidateUpdate calls ValidateStatusUpdate of the object. The rest of the object was validated before.
func (DefaultStatusStrategy) ValidateUpdate(ctx context.Context, object, old runtime.Object) field.ErrorList {
	if validator, ok := object.(StatusUpdateValidator); ok {
		return validator.ValidateStatusUpdate(ctx, old)
	}
	return nil
}

// WarningsOnUpdate returns none, because a writer of the status cannot change the spec.
func (DefaultStatusStrategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
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
