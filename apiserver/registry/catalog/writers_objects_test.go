// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"encoding/json"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// body returns an object that has only some values.
func (w *writers) body(write *attempt, of values) *unstructured.Unstructured {
	version, kind := "catalog.goldsmith.dev/v1", "Machine"
	if write.side == ofImages {
		version, kind = v1alpha1.SchemeGroupVersion.String(), "Image"
	}
	body := &unstructured.Unstructured{Object: map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{"name": write.name}}}
	for _, p := range visible(write.side) {
		if value, found := of[p]; found {
			p.set(w, write.side, body.Object, value)
		}
	}
	return body
}

// changed returns an object as it is shown, with other values.
func (w *writers) changed(s side, object *written, wanted values) *unstructured.Unstructured {
	body := object.shown[s].DeepCopy()
	for _, p := range visible(s) {
		if value := wanted.value(p); value != object.values.value(p) {
			p.set(w, s, body.Object, value)
		}
	}
	return body
}

var parametersPath = []string{"spec", "parameters"}

// set gives an object a value, or none.
func (p *property) set(t testing.TB, s side, object map[string]any, value int) {
	place := p.sides[s]
	if place.parameter == "" {
		if value == none {
			unstructured.RemoveNestedField(object, place.path...)
		} else {
			require.NoError(t, unstructured.SetNestedField(object, p.values[value][s], place.path...))
		}
		return
	}
	list, _, _ := unstructured.NestedSlice(object, parametersPath...)
	at := slices.IndexFunc(list, func(item any) bool { return item.(map[string]any)["name"] == place.parameter })
	switch {
	case value == none && at >= 0:
		list = slices.Delete(list, at, at+1)
	case value == none:
	case at >= 0:
		list[at].(map[string]any)["value"] = p.values[value][s]
	default:
		list = append(list, map[string]any{"name": place.parameter, "value": p.values[value][s]})
	}
	if len(list) == 0 {
		unstructured.RemoveNestedField(object, parametersPath...)
	} else {
		require.NoError(t, unstructured.SetNestedSlice(object, list, parametersPath...))
	}
}

// take returns the value that an object has, and removes it.
func (p *property) take(t testing.TB, s side, object map[string]any) (any, bool) {
	place := p.sides[s]
	if place.parameter == "" {
		value, found, err := unstructured.NestedFieldCopy(object, place.path...)
		require.NoError(t, err)
		unstructured.RemoveNestedField(object, place.path...)
		return value, found
	}
	list, _, err := unstructured.NestedSlice(object, parametersPath...)
	require.NoError(t, err)
	for _, item := range list {
		if item := item.(map[string]any); item["name"] == place.parameter {
			p.set(t, s, object, none)
			return item["value"], true
		}
	}
	return nil, false
}

func merge(into, from map[string]any) {
	for name, value := range from {
		if have, ok := into[name].(map[string]any); ok {
			merge(have, value.(map[string]any))
		} else {
			into[name] = value
		}
	}
}

func text(t testing.TB, value any) string {
	return string(require.Value(json.Marshal(value))(t))
}
