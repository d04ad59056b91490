// SPDX-License-Identifier: Apache-2.0

package builder

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

// Strategy is what a stored resource does at creation, update and deletion.
type Strategy interface {
	rest.RESTCreateStrategy
	rest.RESTUpdateStrategy
	rest.RESTDeleteStrategy
}

// DefaultStrategy is the strategy of an ordinary namespaced resource: it allows nothing unusual, and objects with a
// Status field do not take their status from clients of the main resource. Where an object's type has a method for it,
// such as Validate, it does what the method says: see Validator and its like.
//
// A resource without a strategy has this one. To write another, embed it and override what differs.
//
// Objects with a Spec field have a generation, which grows when the spec changes.
type DefaultStrategy struct {
	runtime.ObjectTyper
	names.NameGenerator
	versions []schema.GroupVersion
	example  runtime.Object // nil if embedded: only the store's own strategies know the type before they have an object
	main     rest.Scoper    // of a status: the strategy of the resource itself, whose scope it has
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

// NamespaceScoped says yes, unless the type of the store says no. Override it for a cluster-scoped resource.
func (s DefaultStrategy) NamespaceScoped() bool {
	if s.main != nil {
		return s.main.NamespaceScoped()
	}
	return namespaced(s.example)
}

// namespaced reports whether objects of a type are in namespaces: they are, unless it says no.
func namespaced(example runtime.Object) bool {
	scoper, ok := example.(rest.Scoper)
	return !ok || scoper.NamespaceScoped()
}

// AllowCreateOnUpdate says no, unless the type of the store says yes: a PUT does not create.
func (s DefaultStrategy) AllowCreateOnUpdate(context.Context) bool {
	allower, ok := s.example.(CreateOnUpdateAllower)
	return ok && allower.AllowCreateOnUpdate()
}

// AllowUnconditionalUpdate says yes, as almost every Kubernetes resource, unless the type of the store says no: a PUT
// without a resourceVersion overwrites.
func (s DefaultStrategy) AllowUnconditionalUpdate(context.Context) bool {
	allower, ok := s.example.(UnconditionalUpdateAllower)
	return !ok || allower.AllowUnconditionalUpdate()
}

// PrepareForCreate drops the status, asks the object, and sets generation 1.
func (DefaultStrategy) PrepareForCreate(ctx context.Context, object runtime.Object) {
	if status, found := topLevelField(object, "Status"); found {
		status.SetZero()
	}
	if preparer, ok := object.(CreatePreparer); ok {
		preparer.PrepareForCreate(ctx)
	}
	if _, found := topLevelField(object, "Spec"); found {
		setGeneration(object, 1)
	}
}

// PrepareForUpdate keeps the stored status, asks the object, and counts the generation up if the spec changes.
func (DefaultStrategy) PrepareForUpdate(ctx context.Context, object, old runtime.Object) {
	keepField(object, old, "Status")
	if preparer, ok := object.(UpdatePreparer); ok {
		preparer.PrepareForUpdate(ctx, old)
	}
	spec, found := topLevelField(object, "Spec")
	if !found {
		return
	}
	if _, ok := object.(Canonicalizer); ok { // as it will be stored
		canonical := object.DeepCopyObject()
		canonical.(Canonicalizer).Canonicalize()
		spec, _ = topLevelField(canonical, "Spec")
	}
	oldSpec, _ := topLevelField(old, "Spec")
	if !equality.Semantic.DeepEqual(spec.Interface(), oldSpec.Interface()) {
		setGeneration(object, generation(old)+1)
	}
}

// Validate checks the name, which must be a DNS subdomain, and asks the object. The rest of the metadata is validated by the
// server besides. Who overrides Validate says something about ValidateUpdate as well, which does not call it.
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

// ValidateUpdate asks the object: what is wrong with it, and what is wrong with the change.
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

// WarningsOnCreate asks the object.
func (DefaultStrategy) WarningsOnCreate(ctx context.Context, object runtime.Object) []string {
	if warner, ok := object.(Warner); ok {
		return warner.Warnings(ctx)
	}
	return nil
}

// WarningsOnUpdate asks the object.
func (DefaultStrategy) WarningsOnUpdate(ctx context.Context, object, _ runtime.Object) []string {
	if warner, ok := object.(Warner); ok {
		return warner.Warnings(ctx)
	}
	return nil
}

// Canonicalize asks the object.
func (DefaultStrategy) Canonicalize(object runtime.Object) {
	if canonicalizer, ok := object.(Canonicalizer); ok {
		canonicalizer.Canonicalize()
	}
}

// GetResetFields says that writers of the main resource cannot own the status.
func (s DefaultStrategy) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	return resetFields(s.versions, "status")
}

// DefaultStatusStrategy is the update strategy of a status subresource: only the status changes.
// Embed it and override what differs.
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

// AllowCreateOnUpdate says no: a status is that of an object which is there.
func (DefaultStatusStrategy) AllowCreateOnUpdate(context.Context) bool { return false }

// ValidateUpdate asks the object what is wrong with the change of its status; the rest has been validated before.
func (DefaultStatusStrategy) ValidateUpdate(ctx context.Context, object, old runtime.Object) field.ErrorList {
	if validator, ok := object.(StatusUpdateValidator); ok {
		return validator.ValidateStatusUpdate(ctx, old)
	}
	return nil
}

// WarningsOnUpdate returns none: who writes the status cannot change the rest.
func (DefaultStatusStrategy) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string {
	return nil
}

// GetResetFields says that writers of the status own neither spec nor metadata.
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
