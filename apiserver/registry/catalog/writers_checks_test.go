// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog/metadata"
)

// expect reads an object on both sides, and compares it with the model.
func (w *writers) expect(write *attempt, want *reference) {
	w.Helper()
	name := write.name
	before := w.objects[name]
	if want == nil {
		delete(w.objects, name)
	}
	now := &written{reference: want}
	for _, s := range []side{ofKind, ofImages} {
		read, err := w.clients[s].Get(w.Context(), name, metav1.GetOptions{})
		shown := want != nil && want.shows(s)
		if (err == nil) != shown || err != nil && !apierrors.IsNotFound(err) {
			w.Errorf("side %d is shown: %t, want %t: %v", s, err == nil, shown, err)
			return
		}
		if shown {
			now.shown[s] = read
			w.expectSide(s, read, want)
		}
	}
	if want == nil {
		return
	}
	image := now.shown[ofImages]
	if view := now.shown[ofKind]; view != nil {
		if view.GetUID() != metadata.ViewUID(image.GetUID()) || view.GetResourceVersion() != image.GetResourceVersion() || view.GetGeneration() != image.GetGeneration() {
			w.Errorf("the object has %s %s %d, its Image %s %s %d", view.GetUID(), view.GetResourceVersion(), view.GetGeneration(),
				image.GetUID(), image.GetResourceVersion(), image.GetGeneration())
		}
	}
	now.others = w.others(image)
	w.objects[name] = now
	version := image.GetResourceVersion()
	if before == nil {
		w.stored = append(w.stored, name+" "+version)
		return
	}
	former := before.shown[ofImages]
	// An application to an Image can change the order of its parameters.
	specs := [2]any{former.Object["spec"], image.Object["spec"]}
	reordered := write.applies && write.side == ofImages && !reflect.DeepEqual(specs[0], specs[1])
	if same := before.equal(want) && !reordered; same != (former.GetResourceVersion() == version) {
		w.Errorf("the resource version was %s, and is %s, with the same contents: %t: %s", former.GetResourceVersion(), version, same, cmp.Diff(former.Object, image.Object))
	} else if !same {
		w.stored = append(w.stored, name+" "+version)
	}
	generation := former.GetGeneration()
	if !maps.Equal(specOfImage(before.values), specOfImage(want.values)) || reordered {
		generation++
	}
	if image.GetGeneration() != generation || image.GetUID() != former.GetUID() {
		w.Errorf("the Image has the generation %d and UID %s, want %d and %s", image.GetGeneration(), image.GetUID(), generation, former.GetUID())
	}
	released := before.shows(ofKind) && !want.shows(ofKind) // what the kind owns is nobody's
	if diff := cmp.Diff(before.others, now.others); diff != "" && !released {
		w.Errorf("what no writer has changed: %s", diff)
	}
	if now.copies = before.copies; w.often(2) {
		side := choose(w, []side{ofKind, ofImages})
		if now.shown[side] != nil {
			now.copies = append(slices.Clip(now.copies), copied{side, now.shown[side]})
		}
	}
}

func specOfImage(all values) values {
	spec := all.of(ofImages)
	maps.DeleteFunc(spec, func(p *property, _ int) bool {
		return p.sides[ofImages].path != nil && p.sides[ofImages].path[0] != "spec"
	})
	return spec
}

// expectSide checks the values that a side has, and their owners.
func (w *writers) expectSide(s side, read *unstructured.Unstructured, want *reference) {
	w.Helper()
	object := read.DeepCopy().Object
	values, owners := map[string]any{}, map[string][]string{}
	wantedValues, wantedOwners := map[string]any{}, map[string][]string{}
	for _, p := range visible(s) {
		if value, found := p.take(w, s, object); found {
			values[p.name] = value
		}
		if value, found := want.values[p]; found {
			wantedValues[p.name] = p.values[value][s]
		}
		note := func(what string, owners ownerSet) {
			for owner := range owners {
				wantedOwners[what] = append(wantedOwners[what], fmt.Sprint(owner))
			}
			slices.Sort(wantedOwners[what])
		}
		note(p.name, want.owners[p])
		if s == ofImages {
			note(p.name+" item", want.items[p])
		}
	}
	w.eachOwned(read, func(owner owner, path fieldpath.Path) {
		if what := propertyAt(s, path); what != "" {
			owners[what] = append(owners[what], fmt.Sprint(owner))
			slices.Sort(owners[what])
		} else if s == ofKind && !isParent(s, path) {
			w.Errorf("%v owns %s of the object", owner, path)
		}
	})
	if diff := cmp.Diff(wantedValues, values); diff != "" {
		w.Errorf("side %d has other values: %s", s, diff)
	}
	if diff := cmp.Diff(wantedOwners, owners); diff != "" {
		w.Errorf("side %d has other owners: %s", s, diff)
	}
	if s == ofKind {
		if spec := object["spec"].(map[string]any); len(spec) > 0 {
			w.Errorf("the object has %v", spec)
		}
	}
}

// others returns what an Image has besides the properties: the rest of its spec, its status, and owners of other paths.
func (w *writers) others(image *unstructured.Unstructured) string {
	object := image.DeepCopy().Object
	for _, p := range visible(ofImages) {
		p.take(w, ofImages, object)
	}
	lines := []string{}
	w.eachOwned(image, func(owner owner, path fieldpath.Path) {
		if propertyAt(ofImages, path) == "" && !isParent(ofImages, path) {
			lines = append(lines, fmt.Sprint(owner, " ", path))
		}
	})
	slices.Sort(lines)
	return text(w, object["spec"]) + "\n" + text(w, object["status"]) + "\n" + strings.Join(lines, "\n")
}

// eachOwned calls visit with each path of the managed fields, except for those of a subresource.
func (w *writers) eachOwned(object *unstructured.Unstructured, visit func(owner, fieldpath.Path)) {
	for _, entry := range object.GetManagedFields() {
		set := &fieldpath.Set{}
		require.NoError(w, set.FromJSON(entry.FieldsV1.GetRawReader()))
		for path := range set.All() {
			if entry.Subresource == "" {
				visit(owner{entry.Manager, entry.Operation}, path)
			}
		}
	}
}

// ownerPath returns the path of a place in managed fields.
func (p place) ownerPath() fieldpath.Path {
	if p.parameter != "" {
		return fieldpath.MakePathOrDie("spec", "parameters", fieldpath.KeyByFields("name", p.parameter), "value")
	}
	var path fieldpath.Path
	for _, name := range p.path {
		path = append(path, fieldpath.FieldNameElement(name))
	}
	return path
}

// propertyAt returns the property at a path in managed fields, or the item that has it.
func propertyAt(s side, path fieldpath.Path) string {
	for _, p := range visible(s) {
		switch at := p.sides[s].ownerPath(); {
		case at.Equals(path):
			return p.name
		case p.sides[s].parameter != "" && at[:len(at)-1].Equals(path):
			return p.name + " item"
		}
	}
	return ""
}

// isParent reports whether a property is below a path, or the path is the name of a parameter. Parents have no values of their own.
func isParent(s side, path fieldpath.Path) bool {
	return slices.ContainsFunc(visible(s), func(p *property) bool {
		at := p.sides[s].ownerPath()
		if p.sides[s].parameter != "" && append(at[:len(at)-1:len(at)-1], fieldpath.FieldNameElement("name")).Equals(path) {
			return true
		}
		return len(path) < len(at) && at[:len(path)].Equals(path)
	})
}

// event is an event of a watch, as both sides have it.
type event struct {
	kind   watch.EventType
	object *unstructured.Unstructured
}

// lastName is the name of an object that is created after all others.
const lastName = "last"

// watch begins to watch both sides.
func (w *writers) watch() {
	for s, client := range w.clients {
		list := require.Value(client.List(w.Context(), metav1.ListOptions{}))(w)
		watcher := require.Value(client.Watch(w.Context(), metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}))(w)
		done := make(chan []event, 1)
		w.watched[s] = done
		go func() {
			defer watcher.Stop()
			var events []event
			for received := range watcher.ResultChan() {
				object, ok := received.Object.(*unstructured.Unstructured)
				if !ok || object.GetName() == lastName {
					break
				}
				events = append(events, event{received.Type, object})
			}
			done <- events
		}()
	}
}

// expectEvents checks that watches of both sides had the same events, and those of all writes.
func (w *writers) expectEvents() {
	write := &attempt{name: lastName, side: ofImages, manager: "ada"}
	w.create(write, nil)
	var stored, images, got, want []string
	labelled := map[string]bool{}
	for _, event := range <-w.watched[ofImages] {
		object := event.object
		name, version := object.GetName(), object.GetResourceVersion()
		if event.kind != watch.Deleted {
			images = append(images, name+" "+version)
		}
		was, is := labelled[name], object.GetLabels()[v1alpha1.ImageKindLabel] != "" && event.kind != watch.Deleted
		labelled[name] = is
		kind := watch.Modified
		switch {
		case !was && !is:
			continue
		case !was:
			kind = watch.Added
		case !is:
			kind = watch.Deleted
		}
		want = append(want, fmt.Sprint(kind, " ", name, " ", version, " ", metadata.ViewUID(object.GetUID())))
	}
	for _, event := range <-w.watched[ofKind] {
		object := require.Value(meta.Accessor(event.object))(w)
		got = append(got, fmt.Sprint(event.kind, " ", object.GetName(), " ", object.GetResourceVersion(), " ", object.GetUID()))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("watches of the kind have other events than those of Images: %s", diff)
	}
	stored = w.stored[:len(w.stored)-1] // without the last one
	if diff := cmp.Diff(stored, images); diff != "" {
		w.Errorf("watches of Images have other events than those of the writes: %s", diff)
	}
}
