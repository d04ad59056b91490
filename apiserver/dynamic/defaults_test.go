// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"context"
	"reflect"
	"testing"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"

	"goldsmith.dev/goldsmith/e2e/require"
)

// changing is mutating admission.
type changing func(spec map[string]any)

func (changing) Handles(admission.Operation) bool { return true }

func (c changing) Admit(_ context.Context, attributes admission.Attributes, _ admission.ObjectInterfaces) error {
	c(attributes.GetObject().(*unstructured.Unstructured).Object["spec"].(map[string]any))
	return nil
}

func TestOnlyAdmissionSeesDefaults(t *testing.T) {
	text := func(value any) structuralschema.Structural {
		return structuralschema.Structural{Generic: structuralschema.Generic{Type: "string", Default: structuralschema.JSON{Object: value}}}
	}
	structure := func(fallback any, properties map[string]structuralschema.Structural) structuralschema.Structural {
		return structuralschema.Structural{Generic: structuralschema.Generic{Type: "object", Default: structuralschema.JSON{Object: fallback}}, Properties: properties}
	}
	spec := structure(nil, map[string]structuralschema.Structural{
		"left": text("a"), "set": text("b"), "changed": text("c"), "plain": text(nil),
		"inner": structure(map[string]any{}, map[string]structuralschema.Structural{"left": text("d"), "changed": text("e")}),
	})
	whole := structure(nil, map[string]structuralschema.Structural{"spec": spec})
	kind := schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Toy"}
	object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"set": "b"}}}
	object.SetGroupVersionKind(kind)
	var seen any
	admit := objects{kind: kind, structural: &whole}.admission(changing(func(spec map[string]any) {
		seen = (&unstructured.Unstructured{Object: spec}).DeepCopy().Object
		spec["changed"], spec["plain"] = "x", "y"
		spec["inner"].(map[string]any)["changed"] = "z"
	})).(admission.MutationInterface)
	attributes := admission.NewAttributesRecord(object, nil, kind, "", "", schema.GroupVersionResource{}, "", admission.Create, nil, false, nil)
	require.NoError(t, admit.Admit(t.Context(), attributes, nil))
	if want := any(map[string]any{"left": "a", "set": "b", "changed": "c", "inner": map[string]any{"left": "d", "changed": "e"}}); !reflect.DeepEqual(seen, want) {
		t.Errorf("admission has %v, want %v", seen, want)
	}
	if want := any(map[string]any{"set": "b", "changed": "x", "plain": "y", "inner": map[string]any{"changed": "z"}}); !reflect.DeepEqual(object.Object["spec"], want) {
		t.Errorf("the storage has %v, want %v", object.Object["spec"], want)
	}
}
