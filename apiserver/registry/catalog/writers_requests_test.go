// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"encoding/json"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"goldsmith.dev/goldsmith/e2e/require"
)

func updateBy(manager string) owner { return owner{manager, metav1.ManagedFieldsOperationUpdate} }

// values returns other values of a side.
func (w *writers) values(s side, from values) values {
	wanted := from.of(s)
	for range 1 + w.random.IntN(3) {
		p := choose(w, visible(s))
		switch removed := w.often(3); {
		case p == kindLabel, p == profile && !w.often(2): // adopt changes the label
		case !removed:
			wanted[p] = w.random.IntN(len(p.values))
		case s == ofKind || p.name != "release" && (p != size || w.often(6)): // an Image needs its base
			delete(wanted, p)
		}
	}
	return wanted
}

// complete returns the values of a new object.
func (w *writers) complete(s side) values {
	wanted := w.values(s, values{})
	if s == ofImages || w.often(6) {
		wanted[size] = w.random.IntN(len(size.values))
	}
	if s == ofImages {
		wanted[properties[0]], wanted[profile], wanted[kindLabel] = w.random.IntN(2), wanted[size], 0
	}
	return wanted
}

func (w *writers) create(write *attempt, object *written) {
	wanted := w.complete(write.side)
	if write.next, write.reason = create(write.side, updateBy(write.manager), wanted); object != nil && write.reason == "" {
		write.reason = exists
	}
	body := w.body(write, wanted)
	if write.side == ofImages {
		template := map[string]any{"history": map[string]any{"recordRetention": map[string]any{"failed": "48h"}}, "builder": map[string]any{"name": "mock"},
			"targets": []any{map[string]any{"platform": "linux/amd64", "format": "raw"}}}
		merge(body.Object["spec"].(map[string]any), template)
	}
	w.perform(write, "create "+text(w, body), func(client dynamic.ResourceInterface) error {
		return errorOf(client.Create(w.Context(), body, metav1.CreateOptions{FieldManager: write.manager}))
	})
}

func (w *writers) delete(write *attempt, object *written) {
	if write.reason = notFound; object != nil && object.shown[write.side] != nil {
		write.reason = ""
	}
	options := metav1.DeleteOptions{}
	if write.reason == "" && w.often(4) {
		uid, version := object.shown[write.side].GetUID(), object.shown[write.side].GetResourceVersion()
		options.Preconditions = &metav1.Preconditions{UID: &uid, ResourceVersion: &version}
	}
	w.perform(write, "delete", func(client dynamic.ResourceInterface) error { return client.Delete(w.Context(), write.name, options) })
}

// adopt makes an Image an object of the kind, or no longer one.
func (w *writers) adopt(write *attempt, object *written) {
	write.side = ofImages
	wanted := object.values.of(ofImages)
	if _, labelled := wanted[kindLabel]; labelled {
		delete(wanted, kindLabel)
	} else {
		wanted[kindLabel] = 0
	}
	w.send(write, object, wanted, w.mergePatch)
}

// touch sends a request that changes nothing.
func (w *writers) touch(write *attempt, object *written) {
	write.next = object.reference
	shown := object.shown[write.side]
	options := metav1.PatchOptions{FieldManager: write.manager}
	switch w.random.IntN(3) {
	case 0:
		w.perform(write, "update without a change", func(client dynamic.ResourceInterface) error {
			return errorOf(client.Update(w.Context(), shown.DeepCopy(), metav1.UpdateOptions{FieldManager: write.manager}))
		})
	case 1:
		w.perform(write, "empty merge patch", func(client dynamic.ResourceInterface) error {
			return errorOf(client.Patch(w.Context(), write.name, types.MergePatchType, []byte("{}"), options))
		})
	case 2:
		w.perform(write, "empty JSON patch", func(client dynamic.ResourceInterface) error {
			return errorOf(client.Patch(w.Context(), write.name, types.JSONPatchType, []byte("[]"), options))
		})
	}
}

func (w *writers) update(write *attempt, object *written) {
	w.send(write, object, w.values(write.side, object.values), func(write *attempt, object *written, wanted values) {
		body := w.changed(write.side, object, wanted)
		w.perform(write, "update "+text(w, body), func(client dynamic.ResourceInterface) error {
			return errorOf(client.Update(w.Context(), body, metav1.UpdateOptions{FieldManager: write.manager}))
		})
	})
}

// updateLate sends an update of what was read earlier.
func (w *writers) updateLate(write *attempt, object *written) {
	late := choose(w, object.copies)
	write.side, write.reason = late.side, conflict
	if shown := object.shown[late.side]; shown == nil {
		write.reason = notFound
	} else if shown.GetResourceVersion() == late.object.GetResourceVersion() {
		write.reason, write.next = "", object.reference
	}
	w.perform(write, "late update "+late.object.GetResourceVersion(), func(client dynamic.ResourceInterface) error {
		return errorOf(client.Update(w.Context(), late.object.DeepCopy(), metav1.UpdateOptions{FieldManager: write.manager}))
	})
}

func (w *writers) patch(write *attempt, object *written) {
	if object == nil || object.shown[write.side] == nil {
		write.reason = notFound
		w.perform(write, "patch", func(client dynamic.ResourceInterface) error {
			return errorOf(client.Patch(w.Context(), write.name, types.MergePatchType, []byte(`{"metadata": {"labels": {"team": "x"}}}`), metav1.PatchOptions{FieldManager: write.manager}))
		})
		return
	}
	w.send(write, object, w.values(write.side, object.values), choose(w, []func(*attempt, *written, values){w.mergePatch, w.jsonPatch}))
}

// send predicts the outcome of an update to other values, and sends it.
func (w *writers) send(write *attempt, object *written, wanted values, send func(*attempt, *written, values)) {
	if write.next, write.reason = object.update(write.side, updateBy(write.manager), wanted); write.reason != unsupported {
		send(write, object, wanted)
	}
}

func (w *writers) mergePatch(write *attempt, object *written, wanted values) {
	after, patch := w.changed(write.side, object, wanted).Object, map[string]any{}
	for _, p := range visible(write.side) {
		if place := p.sides[write.side]; wanted.value(p) != object.values.value(p) {
			if place.parameter != "" {
				place.path = parametersPath
			}
			value, found, _ := unstructured.NestedFieldCopy(after, place.path...)
			if !found {
				value = nil
			}
			require.NoError(w, unstructured.SetNestedField(patch, value, place.path...))
		}
	}
	w.patchWith(write, types.MergePatchType, patch)
}

func (w *writers) jsonPatch(write *attempt, object *written, wanted values) {
	before, after := object.shown[write.side].Object, w.changed(write.side, object, wanted).Object
	operations := []any{}
	for _, path := range []string{"metadata/labels", "metadata/annotations", "spec"} {
		names := strings.Split(path, "/")
		_, had, _ := unstructured.NestedFieldNoCopy(before, names...)
		value, has, _ := unstructured.NestedFieldNoCopy(after, names...)
		switch {
		case has:
			operations = append(operations, map[string]any{"op": "add", "path": "/" + path, "value": value})
		case had:
			operations = append(operations, map[string]any{"op": "remove", "path": "/" + path})
		}
	}
	w.patchWith(write, types.JSONPatchType, operations)
}

func (w *writers) patchWith(write *attempt, patchType types.PatchType, patch any) {
	body := require.Value(json.Marshal(patch))(w)
	w.perform(write, string(patchType)+" "+string(body), func(client dynamic.ResourceInterface) error {
		return errorOf(client.Patch(w.Context(), write.name, patchType, body, metav1.PatchOptions{FieldManager: write.manager}))
	})
}

// apply applies some values, and often the same ones again.
func (w *writers) apply(write *attempt, object *written) {
	by := owner{write.manager, metav1.ManagedFieldsOperationApply}
	write.applies = true
	from := values{}
	if object != nil {
		for _, p := range visible(write.side) {
			if value, found := object.values[p]; found && (object.owners[p][by] || p == size || w.often(1)) && p != kindLabel && w.often(7) {
				from[p] = value
			}
		}
	}
	applied := w.values(write.side, from)
	force := w.often(4)
	switch {
	case object == nil && w.often(7):
		applied[size] = 0
		fallthrough
	case object == nil:
		write.next, write.reason = create(write.side, by, applied)
	case object.shown[write.side] == nil:
		write.reason = exists
	default:
		write.next, write.reason = object.apply(write.side, by, applied, force)
	}
	if write.reason == unsupported || write.reason == "" && write.side == ofImages && write.next.values.value(properties[0]) == none {
		return
	}
	body := w.body(write, applied)
	options := metav1.ApplyOptions{FieldManager: write.manager, Force: force}
	request := fmt.Sprintf("apply (force %t) %s", force, text(w, body))
	send := func(client dynamic.ResourceInterface) error {
		return errorOf(client.Apply(w.Context(), write.name, body, options))
	}
	w.perform(write, request, send)
	if write.reason == "" && !w.Failed() {
		w.perform(write, "again "+request, send)
	}
}
