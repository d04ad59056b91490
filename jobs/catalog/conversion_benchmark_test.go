// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// benchmarked returns a kind with ten bindings, and an Image that was created with kubectl.
func benchmarked(b *testing.B) (*Kind, *v1alpha1.Image) {
	b.Helper()
	kind := compile(b, kindWith("", `a: {type: string}, b: {type: string}, c: {type: integer}, d: {type: boolean, default: false}, e: {type: string, enum: [small, large]},
      f: {type: array, items: {type: string}}, g: {type: object, required: [h], properties: {h: {type: string, minLength: 1}, i: {type: string}}},
      j: {type: integer, minimum: 0, maximum: 10, default: 2}, k: {type: string}`,
		`{field: spec.a, to: "spec.parameters[a]"}, {field: spec.b, to: "spec.parameters[b]", prefix: "debian:"}, {field: spec.c, to: "spec.parameters[c]"}, {field: spec.d, to: spec.suspend},
     {field: spec.e, to: "spec.parameters[e]", values: [{value: small, to: 20Gi}, {value: large, to: 100Gi}]}, {field: spec.f, to: "spec.parameters[f]", json: true},
     {field: spec.g.h, to: spec.triggers.schedule.cron}, {field: spec.g.i, to: spec.triggers.schedule.startingDeadline}, {field: spec.j, to: spec.retry.limit},
     {field: spec.k, to: "spec.source.inline.files[k]"}`))
	view := object(b, `
metadata: {name: web, namespace: red, labels: {app: web, tier: gold}}
spec: {a: ada, b: trixie, c: 7, d: true, e: large, f: [nginx, curl], g: {h: "@daily", i: 90m}, j: 3, k: text}
`)
	view.SetManagedFields([]metav1.ManagedFieldsEntry{entry("Apply", "kubectl", viewVersion, `{"f:metadata":{"f:labels":{"f:app":{},"f:tier":{}}},
		"f:spec":{"f:a":{},"f:b":{},"f:c":{},"f:d":{},"f:e":{},"f:f":{},"f:g":{"f:h":{},"f:i":{}},"f:j":{},"f:k":{}}}`, 1)})
	image := require.Value(kind.Put(b.Context(), view, nil, nil))(b)
	image.UID = "71c1bcbd-32a2-4ea8-9d4b-2b9c8de2f9f2"
	v1alpha1.SetObjectDefaults_Image(image)
	return kind, image
}

func BenchmarkGet(b *testing.B) {
	kind, image := benchmarked(b)
	b.ReportAllocs()
	for b.Loop() {
		require.Value(kind.Get(image))(b)
	}
}

func BenchmarkGetWithoutOwners(b *testing.B) {
	kind, image := benchmarked(b)
	image.ManagedFields = nil
	b.ReportAllocs()
	for b.Loop() {
		require.Value(kind.Get(image))(b)
	}
}

func BenchmarkPut(b *testing.B) {
	kind, image := benchmarked(b)
	before := require.Value(require.Value(kind.Get(image))(b).Unstructured())(b)
	view := before.DeepCopy()
	require.NoError(b, unstructured.SetNestedField(view.Object, "bob", "spec", "a"))
	b.ReportAllocs()
	for b.Loop() {
		require.Value(kind.Put(b.Context(), view, before, image))(b)
	}
}
