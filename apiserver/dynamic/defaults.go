// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"context"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
)

// withoutDefaults sets none: defaults that a server fills in have no owner.
type withoutDefaults struct{}

// Default does nothing.
func (withoutDefaults) Default(runtime.Object) {}

// bareOf returns a schema without its defaults.
func bareOf(structural *structuralschema.Structural) *structuralschema.Structural {
	bare := structural.DeepCopy()
	visitor := structuralschema.Visitor{Structural: func(at *structuralschema.Structural) bool {
		at.Default.Object = nil
		return true
	}}
	visitor.Visit(bare)
	return bare
}

// defaulting is admission that sees objects with the defaults of the schema. Storages get the objects without them.
type defaulting struct {
	admission.Interface
	objects objects
}

var (
	_ admission.MutationInterface   = defaulting{}
	_ admission.ValidationInterface = defaulting{}
)

// admission returns admission that sees the defaults of the kind. A server without admission has none.
func (o objects) admission(all admission.Interface) admission.Interface {
	if all == nil {
		return nil
	}
	return defaulting{all, o}
}

// Admit runs mutating admission. A default that admission leaves as it is does not stay in the object.
func (d defaulting) Admit(ctx context.Context, attributes admission.Attributes, interfaces admission.ObjectInterfaces) error {
	mutating, ok := d.Interface.(admission.MutationInterface)
	if !ok {
		return nil
	}
	object, ok := attributes.GetObject().(*unstructured.Unstructured)
	if !ok {
		return mutating.Admit(ctx, attributes, interfaces)
	}
	bare := object.DeepCopy()
	d.objects.Default(object)
	filled := object.DeepCopy()
	if err := mutating.Admit(ctx, attributes, interfaces); err != nil {
		return err
	}
	restore(object.Object, filled.Object, bare.Object)
	return nil
}

// Validate runs validating admission.
func (d defaulting) Validate(ctx context.Context, attributes admission.Attributes, interfaces admission.ObjectInterfaces) error {
	if validating, ok := d.Interface.(admission.ValidationInterface); ok {
		return validating.Validate(ctx, attributes, interfaces)
	}
	return nil
}

// restore gives the values of an object that are as they were filled in the values that they had before.
func restore(object, filled, bare map[string]any) {
	for name, value := range object {
		former, had := bare[name]
		inner, isObject := value.(map[string]any)
		innerFilled, _ := filled[name].(map[string]any)
		innerBare, _ := former.(map[string]any)
		switch same := equality.Semantic.DeepEqual(value, filled[name]); {
		case same && had:
			object[name] = former
		case same:
			delete(object, name)
		case isObject:
			restore(inner, innerFilled, innerBare)
		}
	}
}
