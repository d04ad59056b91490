// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"slices"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/api/operation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/generated/validation"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/binding"
	"goldsmith.dev/goldsmith/jobs/catalog/definition"
	"goldsmith.dev/goldsmith/jobs/catalog/examples"
	"goldsmith.dev/goldsmith/jobs/catalog/expression"
	"goldsmith.dev/goldsmith/jobs/catalog/imagespec"
	"goldsmith.dev/goldsmith/jobs/catalog/names"
	"goldsmith.dev/goldsmith/jobs/catalog/ownership"
	"goldsmith.dev/goldsmith/jobs/catalog/schema"
)

// A Kind is a declared kind in the form in which a server uses it. It is immutable, and safe for concurrent use.
type Kind struct {
	declared *v1alpha1.ImageKind
	version  *v1alpha1.ImageKindVersion
	schema   *schema.Schema
	template *imagespec.Template
	bindings []*binding.Binding
	derived  []derivation
	targets  sets.Set[string] // of the bindings and the derived values
	// fields are the bindings by the fields of spec, in the order in which views have them.
	fields     binding.Fields
	owners     *ownership.Converter
	apiVersion string
	revision   string
	definition *apiextensionsv1.CustomResourceDefinition
	structural *structuralschema.Structural
	validator  func() *schema.Validator // compiled by the first call, and kept: only Conforms needs them
}

// Compile checks a declared kind, and returns it in the form in which a server uses it. Each fault is at its path in the ImageKind.
// The kind is nil if there is a fault. The work has a limit, and ends with ctx.
func Compile(ctx context.Context, declared *v1alpha1.ImageKind) (*Kind, field.ErrorList) {
	spec := field.NewPath("spec")
	errs := validation.Validate_ImageKindSpec(ctx, operation.Operation{Type: operation.Create}, spec, &declared.Spec, nil)
	if len(declared.Spec.Versions) != 1 {
		return nil, errs
	}
	steps := expression.NewSteps(ctx)
	declared = declared.DeepCopy()
	kind := &Kind{declared: declared, version: &declared.Spec.Versions[0], targets: sets.New[string]()}
	version := spec.Child("versions").Index(0)
	errs = append(errs, append(names.Check(declared), checkTexts(kind.version, version)...)...)
	var faults field.ErrorList
	kind.template, faults = imagespec.ReadTemplate(declared.Spec.Template.Raw, spec.Child("template"))
	errs = append(errs, faults...)
	kind.schema, faults = schema.Read(ctx, steps, kind.version.Schema.Raw, version.Child("schema"))
	if errs = append(errs, faults...); len(errs) > 0 {
		return nil, errs
	}
	var err error
	if kind.definition, kind.structural, err = definition.New(declared, kind.schema); err != nil {
		return nil, field.ErrorList{field.InternalError(spec, err)}
	}
	errs = append(errs, kind.bind(ctx, steps, version, spec.Child("template"))...)
	if errs = append(errs, definition.CheckColumns(kind.version.Columns, kind.structural, version.Child("columns"))...); len(errs) > 0 {
		return nil, errs
	}
	kind.apiVersion = kind.GroupVersionKind().GroupVersion().String()
	kind.fields = binding.NewFields(kind.bindings)
	if kind.owners, err = ownership.NewConverter(kind.bindings, kind.fields, kind.apiVersion); err != nil {
		return nil, field.ErrorList{field.InternalError(spec, err)}
	}
	kind.revision = kind.hash()
	kind.validator = sync.OnceValue(func() *schema.Validator { return schema.NewValidator(kind.schema.Structural) })
	return kind, nil
}

// Name is the name of the ImageKind: the plural name of the kind.
func (k *Kind) Name() string { return k.declared.Name }

// Declared is the ImageKind that the kind was compiled from. It must not be changed.
func (k *Kind) Declared() *v1alpha1.ImageKind { return k.declared }

// GroupVersionKind is the version that the kind has, and its kind in manifests.
func (k *Kind) GroupVersionKind() runtimeschema.GroupVersionKind {
	return runtimeschema.GroupVersionKind{Group: v1alpha1.CatalogGroup, Version: k.version.Name, Kind: k.declared.Spec.Names.Kind}
}

// Revision changes with everything that decides what an object of the kind has in its Image: the template, the bindings and the
// derived fields.
func (k *Kind) Revision() string { return k.revision }

// Definition returns what a CustomResourceDefinition of the kind would declare, with the status of Images. No cluster has it. It must
// not be changed.
func (k *Kind) Definition() *apiextensionsv1.CustomResourceDefinition { return k.definition }

// Structural returns the schema of the whole object. It must not be changed.
func (k *Kind) Structural() *structuralschema.Structural { return k.structural }

// Owns reports whether an Image stores an object of the kind.
func (k *Kind) Owns(image *v1alpha1.Image) bool {
	return image.Labels[v1alpha1.ImageKindLabel] == k.Name()
}

// Template is the part of the spec that all Images of the kind have in common. It must not be changed.
func (k *Kind) Template() *v1alpha1.ImageSpec { return &k.template.Spec }

// Example returns an object of the kind named example, from which users can start: that of examples.Of.
func (k *Kind) Example(ctx context.Context) *unstructured.Unstructured {
	texts := map[string]string{}
	for _, b := range k.bindings {
		if text := b.Target.Example(); text != "" {
			texts[b.Leaf.Path] = text
		}
	}
	spec, _ := examples.Of(ctx, k.schema.Structural, texts)
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(k.GroupVersionKind())
	object.SetName("example")
	return object
}

// WithoutShortNames returns the kind without some of its short names.
func (k *Kind) WithoutShortNames(taken []string) *Kind {
	reduced := *k
	reduced.declared = k.declared.DeepCopy()
	reduced.version = &reduced.declared.Spec.Versions[0]
	reduced.declared.Spec.Names.ShortNames = slices.DeleteFunc(reduced.declared.Spec.Names.ShortNames, func(name string) bool { return slices.Contains(taken, name) })
	reduced.definition = k.definition.DeepCopy()
	reduced.definition.Spec.Names = names.Of(reduced.declared)
	reduced.definition.Status.AcceptedNames = reduced.definition.Spec.Names
	return &reduced
}
