// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	structuraldefaulting "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
)

// objects does for the objects of a kind what a scheme does for Go types. Objects have one version and know their kind, so that
// no object is ever converted.
type objects struct {
	kind       schema.GroupVersionKind
	structural *structuralschema.Structural
	bare       *structuralschema.Structural // the structural schema without defaults
	selectable []string                     // paths of fields, in addition to name and namespace
}

var (
	_ runtime.ObjectTyper     = objects{}
	_ runtime.ObjectCreater   = objects{}
	_ runtime.ObjectDefaulter = objects{}
	_ runtime.ObjectConvertor = objects{}
)

// ObjectKinds returns the kind that an object has as its own.
func (objects) ObjectKinds(object runtime.Object) ([]schema.GroupVersionKind, bool, error) {
	kind := object.GetObjectKind().GroupVersionKind()
	if kind.Empty() {
		return nil, false, fmt.Errorf("a %T has no kind", object)
	}
	return []schema.GroupVersionKind{kind}, false, nil
}

// Recognizes returns true, because any kind can be decoded.
func (objects) Recognizes(schema.GroupVersionKind) bool { return true }

// New returns an empty object.
func (objects) New(kind schema.GroupVersionKind) (runtime.Object, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	return object, nil
}

// empty returns an empty object of the kind.
func (o objects) empty() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(o.kind)
	return object
}

// Default sets the defaults of the schema.
func (o objects) Default(object runtime.Object) {
	if object, ok := object.(*unstructured.Unstructured); ok && object.GroupVersionKind() == o.kind {
		structuraldefaulting.Default(object.Object, o.structural)
	}
}

// Convert copies an object.
func (objects) Convert(in, out, _ any) error {
	from, known := in.(*unstructured.Unstructured)
	to, alsoKnown := out.(*unstructured.Unstructured)
	if !known || !alsoKnown {
		return fmt.Errorf("convert a %T to a %T: only unstructured objects can be converted", in, out)
	}
	to.Object = from.Object
	return nil
}

// ConvertToVersion returns the object itself, which has the only version.
func (o objects) ConvertToVersion(object runtime.Object, target runtime.GroupVersioner) (runtime.Object, error) {
	kind := object.GetObjectKind().GroupVersionKind()
	if _, ok := target.KindForGroupVersionKinds([]schema.GroupVersionKind{kind}); !ok {
		return nil, runtime.NewNotRegisteredErrForTarget(o.kind.Kind, nil, target)
	}
	return object, nil
}

// ConvertFieldLabel accepts the fields that can be selected.
func (o objects) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	if label == "metadata.name" || label == "metadata.namespace" || slices.Contains(o.selectable, label) {
		return label, value, nil
	}
	return "", "", fmt.Errorf("field label not supported: %s", label)
}
