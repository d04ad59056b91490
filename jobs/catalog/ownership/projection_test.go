// SPDX-License-Identifier: Apache-2.0

package ownership

import (
	"testing"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog/binding"
	"goldsmith.dev/goldsmith/jobs/catalog/imagespec"
	"goldsmith.dev/goldsmith/jobs/catalog/schema"
)

func TestManagedFieldsAreReadAsText(t *testing.T) {
	var bindings []*binding.Binding
	for _, declared := range []v1alpha1.ImageKindBinding{
		{Field: "spec.a", To: "spec.parameters[a]"}, {Field: "spec.b", To: `spec.source.inline.files[a"<\b]`}, {Field: "spec.c.d", To: "spec.source.inline.files[c]"},
	} {
		target, errs := (&imagespec.Template{}).Target(declared.To, nil)
		require.NoError(t, errs.ToAggregate())
		leaf := schema.Leaf{Path: declared.Field, Type: "string", Schema: &structuralschema.Structural{}}
		bound, errs := binding.New(&declared, leaf, target, nil)
		require.NoError(t, errs.ToAggregate())
		bindings = append(bindings, bound)
	}
	converter := require.Value(NewConverter(bindings, binding.NewFields(bindings), "catalog.goldsmith.dev/v1"))(t)
	const item = `"k:{\"name\":\"a\"}"`
	for _, test := range []struct{ name, image, want string }{
		{"nothing", `{}`, ""},
		{"an item without its value", `{"f:spec":{"f:parameters":{` + item + `:{".":{},"f:name":{}}}}}`, ""},
		{"a value", `{"f:spec":{"f:parameters":{` + item + `:{".":{},"f:name":{},"f:value":{}}}}}`, `{"f:spec":{"f:a":{}}}`},
		{"white space", " {\n\"f:spec\" : { \"f:parameters\":{" + item + ": {\t\"f:value\" :{}} } }\r\n}", `{"f:spec":{"f:a":{}}}`},
		{"a name that is written in another way", `{"f:spec":{"f:parameters":{"k:{\u0022name\":\"\u0061\"}":{"f:value":{}}}}}`, `{"f:spec":{"f:a":{}}}`},
		{"special characters", `{"f:spec":{"f:source":{"f:inline":{"f:files":{"f:a\"<\\b":{},"f:c":{}}}}}}`, `{"f:spec":{"f:b":{},"f:c":{"f:d":{}}}}`},
		{"escaped special characters", `{"f:spec":{"f:source":{"f:inline":{"f:files":{"f:a\"\u003c\\b":{}}}}}}`, `{"f:spec":{"f:b":{}}}`},
		{"a nested field alone", `{"f:spec":{"f:source":{"f:inline":{"f:files":{"f:c":{}}}}}}`, `{"f:spec":{"f:c":{"f:d":{}}}}`},
		{"only paths below a field", `{"f:spec":{"f:source":{"f:inline":{"f:files":{"f:c":{"f:d":{}}}}}}}`, ""},
		{"a field with paths below it", `{"f:spec":{"f:source":{"f:inline":{"f:files":{"f:c":{".":{},"f:d":{}}}}}}}`, `{"f:spec":{"f:c":{"f:d":{}}}}`},
		{"metadata", `{"f:metadata":{"f:labels":{".":{},"f:app":{}}}}`, `{"f:metadata":{"f:labels":{".":{},"f:app":{}}}}`},
		{"metadata and a field", `{"f:metadata":{"f:finalizers":{"v:\"a\"":{}}},"f:spec":{"f:parameters":{` + item + `:{"f:value":{}}}}}`,
			`{"f:metadata":{"f:finalizers":{"v:\"a\"":{}}},"f:spec":{"f:a":{}}}`},
		{"all annotations, of which the view has none", `{"f:metadata":{"f:annotations":{".":{}},"f:labels":{".":{}}}}`, `{"f:metadata":{"f:labels":{}}}`},
		{"a key that is kept apart", `{"f:metadata":{"f:labels":{"f:app.kubernetes.io/instance":{}}},"f:spec":{"f:parameters":{` + item + `:{"f:value":{}}}}}`, `{"f:spec":{"f:a":{}}}`},
		{"only keys that are kept apart", `{"f:metadata":{"f:labels":{"f:app.kubernetes.io/instance":{}}}}`, ""},
		{"a key of the view", `{"f:metadata":{"f:labels":{"f:app.kubernetes.io.view.catalog.goldsmith.dev/instance":{}}}}`, `{"f:metadata":{"f:labels":{"f:app.kubernetes.io/instance":{}}}}`},
		{"an escaped key that is kept apart", `{"f:metadata":{"f:labels":{"f:\u0061pp.kubernetes.io/instance":{},"f:b":{}}}}`, `{"f:metadata":{"f:labels":{"f:b":{}}}}`},
		{"a finalizer of deletions", `{"f:metadata":{"f:finalizers":{".":{},"v:\"foregroundDeletion\"":{}}}}`, ""},
		{"the labels of the kind", `{"f:metadata":{"f:labels":{"f:catalog.goldsmith.dev/kind":{},"f:catalog.goldsmith.dev/revision":{}}}}`, ""},
		{"empty metadata", `{"f:metadata":{}}`, ""},
		{"no object", `[]`, ""},
		{"a path that is no object", `{"f:metadata":{"f:labels":{}},"f:spec":1}`, ""},
		{"a text that ends early", `{"f:metadata":{"f:labels":{}},"f:spec":{`, ""},
		{"a name that ends early", `{"f:metadata":{"f:labels":{}},"f:sp\`, ""},
		{"no colon", `{"f:spec"}`, ""},
		{"no comma", `{"f:metadata":{}"f:spec":{}}`, ""},
		{"a name that cannot be decoded", `{"f:spec":{"f:parameters":{"\x":{}}}}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			labelled := &metav1.ObjectMeta{Labels: map[string]string{"app": "a"}}
			entry := metav1.ManagedFieldsEntry{
				Manager: "kubectl", Operation: metav1.ManagedFieldsOperationApply, APIVersion: v1alpha1.SchemeGroupVersion.String(), FieldsV1: metav1.NewFieldsV1(test.image),
			}
			view := require.Value(converter.View([]metav1.ManagedFieldsEntry{entry}, labelled))(t)
			got := ""
			if len(view) > 0 {
				got = view[0].FieldsV1.GetRawString()
			}
			if got != test.want || len(view) > 1 {
				t.Errorf("the view has %s, want %s", got, test.want)
			}
		})
	}
}
