// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog/binding"
	"goldsmith.dev/goldsmith/jobs/catalog/imagespec"
	"goldsmith.dev/goldsmith/jobs/catalog/metadata"
	"goldsmith.dev/goldsmith/jobs/catalog/ownership"
)

// TestConversionLosesNothing converts random objects of random kinds to Images and back, and changes them on both sides.
func TestConversionLosesNothing(t *testing.T) {
	c := &conversion{generator: newGenerator(t)}
	for seed := range uint64(600) {
		c.bytes = randomBytes(seed)
		c.check()
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
	if c.compiled < 150 || c.stored < 900 {
		t.Errorf("only %d kinds were accepted, and %d writes", c.compiled, c.stored)
	}
}

func FuzzConversion(f *testing.F) {
	for seed := range uint64(16) {
		f.Add(randomBytes(1000 + seed))
	}
	f.Fuzz(func(t *testing.T, bytes []byte) {
		c := &conversion{generator: newGenerator(t)}
		c.bytes = bytes
		c.check()
	})
}

func randomBytes(seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 0))
	bytes := make([]byte, 400)
	for i := range bytes {
		bytes[i] = byte(random.Uint32())
	}
	return bytes
}

// A conversion tests random kinds, and counts those that were accepted, and the writes that were.
type conversion struct {
	*generator
	kind             *Kind
	schema           map[string]any
	compiled, stored int
}

// check tests one kind.
func (c *conversion) check() {
	declared := c.generator.kind()
	if c.kind, _ = Compile(c.Context(), declared); c.kind == nil {
		return
	}
	c.compiled++
	c.schema = map[string]any{}
	require.NoError(c, json.Unmarshal(declared.Spec.Versions[0].Schema.Raw, &c.schema))

	view := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "a"}, "spec": generateSpec(&c.choices, c.schema)}}
	c.own(view)
	image := c.put(view, nil, nil)
	if image == nil {
		return
	}
	image.UID = "71c1bcbd-32a2-4ea8-9d4b-2b9c8de2f9f2"
	c.expectView(image, view, &unstructured.Unstructured{}, "a new object")
	for range 3 {
		c.edit(image)
		c.unchanged(image)
		if image = c.change(image); image == nil {
			return
		}
	}
}

// put stores an object, and returns nil if its Image cannot have a value.
func (c *conversion) put(view, before *unstructured.Unstructured, image *v1alpha1.Image) *v1alpha1.Image {
	made, err := c.kind.Put(c.Context(), view, before, image)
	if refused := utilerrors.Aggregate(nil); errors.As(err, &refused) {
		return nil
	}
	require.NoError(c, err)
	c.stored++
	v1alpha1.SetObjectDefaults_Image(made)
	return made
}

// expectView checks that an Image has the spec, the labels and the owners of an object. Owners keep a field
// that before could not show.
func (c *conversion) expectView(image *v1alpha1.Image, want *unstructured.Unstructured, before *unstructured.Unstructured, what string) {
	c.Helper()
	got := c.get(image)
	for _, part := range [][]string{{"spec"}, {"metadata", "labels"}, {"metadata", "finalizers"}} {
		got, _, _ := unstructured.NestedFieldNoCopy(got.Object, part...)
		want, _, _ := unstructured.NestedFieldNoCopy(want.Object, part...)
		if got, want := string(require.Value(json.Marshal(got))(c)), string(require.Value(json.Marshal(want))(c)); normalNumbers(got) != normalNumbers(want) {
			c.Errorf("%s has %s\n%s\nwant\n%s\nin\n%s\nof\n%s", what, part, got, want, jsonOf(c, image.Spec), jsonOf(c, c.kind.declared))
		}
	}
	wanted := c.owners(want.GetManagedFields(), func(owner owner, path fieldpath.Path) bool {
		former := find(before.GetManagedFields(), owner)
		_, shown, _ := unstructured.NestedFieldNoCopy(before.Object, nestedFields(path)...)
		_, found, _ := unstructured.NestedFieldNoCopy(got.Object, nestedFields(path)...)
		return *path[0].FieldName == "metadata" || found || !shown && former != nil && require.Value(readSet(former))(c).Has(path)
	})
	if got := c.owners(got.GetManagedFields(), nil); !maps.Equal(got, wanted) {
		c.Errorf("%s has owners\n%v\nwant\n%v\nof\n%s", what, got, wanted, jsonOf(c, c.kind.declared))
	}
}

// normalNumbers writes -0 as 0, which JSON does not distinguish.
func normalNumbers(text string) string {
	return strings.NewReplacer(":-0,", ":0,", ":-0}", ":0}").Replace(text)
}

func (c *conversion) get(image *v1alpha1.Image) *unstructured.Unstructured {
	return normal(c, require.Value(require.Value(c.kind.Get(image))(c).Unstructured())(c))
}

// owners returns the paths of managed fields by owner, but only those of fields that have a place in an Image, and that are in it.
func (c *conversion) owners(entries []metav1.ManagedFieldsEntry, in func(owner, fieldpath.Path) bool) map[owner]string {
	owners := map[owner]string{}
	for i := range entries {
		set := fieldpath.NewSet()
		for path := range require.Value(readSet(&entries[i]))(c).All() {
			leaf := slices.ContainsFunc(c.kind.bindings, func(b *binding.Binding) bool { return b.ViewPath.Equals(path) })
			if (leaf || *path[0].FieldName == "metadata") && (in == nil || in(ownerOf(&entries[i]), path)) {
				set.Insert(path)
			}
		}
		if !set.Empty() {
			owners[ownerOf(&entries[i])] = set.String()
		}
	}
	return owners
}

func readSet(entry *metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := fieldpath.NewSet()
	if entry.FieldsV1 == nil {
		return set, nil
	}
	return set, set.FromJSON(entry.FieldsV1.GetRawReader())
}

func nestedFields(path fieldpath.Path) []string {
	var names []string
	for _, element := range path {
		if element.FieldName != nil {
			names = append(names, *element.FieldName)
		}
	}
	return names
}

// own gives random managers random fields of an object.
func (c *conversion) own(view *unstructured.Unstructured) {
	var entries []metav1.ManagedFieldsEntry
	for _, manager := range []string{"kubectl", "argocd", "controller"} {
		set := fieldpath.NewSet()
		for _, b := range c.kind.bindings {
			if _, found := b.Value(view.Object); found && c.often(3) {
				set.Insert(b.ViewPath)
				set.Insert(fieldpath.MakePathOrDie("spec"))
			}
		}
		for name := range view.GetLabels() {
			if manager == "kubectl" {
				set.Insert(fieldpath.MakePathOrDie("metadata", "labels", name))
			}
		}
		if set.Empty() {
			continue
		}
		entry := metav1.ManagedFieldsEntry{Manager: manager, Operation: choose(&c.choices, []metav1.ManagedFieldsOperationType{"Apply", "Update"})}
		setOwned(c, &entry, viewVersion, set)
		entries = append(entries, entry)
	}
	view.SetManagedFields(entries)
}

// edit changes an Image directly: bound fields and others, with the owners of both.
func (c *conversion) edit(image *v1alpha1.Image) {
	for range c.below(4) {
		target := c.targets[choose(&c.choices, generatedTargets)]
		if c.often(2) {
			target.Remove(&image.Spec)
			continue
		}
		var value any = choose(&c.choices, generatedTexts)
		switch target.Type() {
		case "boolean":
			value = c.often(4)
		case "integer":
			value = int64(c.below(256))
		}
		if target.Set(&image.Spec, value) != nil || !c.often(5) {
			continue
		}
		entry := metav1.ManagedFieldsEntry{Manager: "direct", Operation: metav1.ManagedFieldsOperationUpdate, Subresource: choose(&c.choices, []string{"", "", "status"})}
		setOwned(c, &entry, imageVersion, fieldpath.NewSet(target.OwnerPaths()...))
		image.ManagedFields = slices.DeleteFunc(image.ManagedFields, func(e metav1.ManagedFieldsEntry) bool { return e.Manager == "direct" })
		image.ManagedFields = append(image.ManagedFields, entry)
		slices.SortFunc(image.ManagedFields, func(a, b metav1.ManagedFieldsEntry) int { // none has a time
			return cmp.Or(cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Manager, b.Manager), cmp.Compare(a.Subresource, b.Subresource))
		})
	}
	if c.often(3) {
		image.Labels[choose(&c.choices, []string{"app", "app.kubernetes.io/instance", "app.kubernetes.io.view.catalog.goldsmith.dev/instance", "tier"})] = "direct"
	}
	if c.often(3) {
		image.Finalizers = choose(&c.choices, [][]string{nil, {"orphan"}, {"a.example.com/b", "foregroundDeletion", "c.example.com/d"}})
	}
	v1alpha1.SetObjectDefaults_Image(image)
}

// unchanged checks that a view without a change changes nothing of its Image.
func (c *conversion) unchanged(image *v1alpha1.Image) {
	before := c.get(image)
	want := jsonOf(c, image)
	if got := jsonOf(c, c.put(before, before, image)); got != want {
		c.Errorf("an unchanged view changes its Image to\n%s\nfrom\n%s\nof\n%s", got, want, jsonOf(c, c.kind.declared))
	}
	shown := metadata.View(&image.ObjectMeta)
	if got, want := jsonOf(c, require.Value(c.kind.owners.View(image.ManagedFields, &shown))(c)), jsonOf(c, c.projected(image.ManagedFields, &shown)); got != want {
		c.Errorf("the view has owners\n%s\nwant\n%s\nof\n%s", got, want, jsonOf(c, image.ManagedFields))
	}
}

// projected returns the managed fields of a view as sets have them. Converter.View finds the same in the text.
func (c *conversion) projected(image []metav1.ManagedFieldsEntry, shown *metav1.ObjectMeta) []metav1.ManagedFieldsEntry {
	var view []metav1.ManagedFieldsEntry
	for i := range image {
		if image[i].Subresource != "" || image[i].APIVersion != imageVersion {
			continue
		}
		owned, set := require.Value(readSet(&image[i]))(c), fieldpath.NewSet()
		for path := range owned.WithPrefix(fieldpath.FieldNameElement("metadata")).All() {
			if path, visible := metadata.ViewPath(path, shown); visible {
				set.Insert(append(fieldpath.Path{fieldpath.FieldNameElement("metadata")}, path...))
			}
		}
		for _, b := range c.kind.bindings {
			if owned.Has(b.ImagePaths[0]) {
				set.Insert(b.ViewPath)
			}
		}
		if set.Empty() {
			continue
		}
		entry := metav1.ManagedFieldsEntry{Manager: image[i].Manager, Operation: image[i].Operation, Time: image[i].Time}
		setOwned(c, &entry, viewVersion, set)
		view = append(view, entry)
	}
	return view
}

// change changes some fields of spec of a view, with their owners and labels, and checks that the Image has that and nothing else.
func (c *conversion) change(image *v1alpha1.Image) *v1alpha1.Image {
	before := c.get(image)
	view := before.DeepCopy()
	spec := view.Object["spec"].(map[string]any)
	generated := generateSpec(&c.choices, c.schema)
	for _, name := range slices.Sorted(maps.Keys(c.schema["properties"].(map[string]any))) {
		if !c.often(3) {
			continue
		}
		if value, found := generated[name]; found {
			spec[name] = value
		} else {
			delete(spec, name)
		}
	}
	if c.often(3) {
		view.SetLabels(map[string]string{choose(&c.choices, []string{"app", "app.kubernetes.io/instance", v1alpha1.ImageKindLabel}): "view"})
	}
	if c.often(4) {
		c.own(view)
	}
	made := c.put(view, before, image)
	if made == nil {
		return nil
	}
	// A field that is removed gets the default of the schema, and one that the Image lacks does not.
	want := view.DeepCopy()
	for _, b := range c.kind.bindings {
		_, had := b.Value(before.Object)
		if fallback, found := b.Value(c.kind.WithDefaults(view).Object); had && found {
			require.NoError(c, unstructured.SetNestedField(want.Object, fallback, append([]string{"spec"}, b.Way...)...))
		}
		if _, has := b.Value(want.Object); !has && b.Target.Defaulted {
			// A parent that has other fields, which were set directly, gets the default again.
			if value, again := b.Read(&made.Spec); again {
				require.NoError(c, unstructured.SetNestedField(want.Object, value, append([]string{"spec"}, b.Way...)...))
			}
		}
	}
	c.expectView(made, want, before, "a changed object")
	c.expectRest(image, made, before, view)
	return made
}

// expectRest checks that a changed view changes only the targets of what differs, and the owners of nothing else.
func (c *conversion) expectRest(image, made *v1alpha1.Image, before, view *unstructured.Unstructured) {
	was, is := image.DeepCopy(), made.DeepCopy()
	forget := func(target *imagespec.Target) {
		target.Remove(&was.Spec)
		target.Remove(&is.Spec)
	}
	for _, b := range c.kind.bindings {
		former, _ := b.Value(before.Object)
		if value, _ := b.Value(view.Object); !reflect.DeepEqual(former, value) {
			forget(b.Target)
		}
	}
	for i := range c.kind.derived {
		forget(c.kind.derived[i].target)
	}
	v1alpha1.SetObjectDefaults_Image(was)
	v1alpha1.SetObjectDefaults_Image(is)
	if was, is := jsonOf(c, was.Spec), jsonOf(c, is.Spec); was != is {
		c.Errorf("other fields of the Image changed from\n%v\nto\n%v\nof\n%s", was, is, jsonOf(c, c.kind.declared))
	}
	for i := range made.ManagedFields {
		owner := ownerOf(&made.ManagedFields[i])
		if owner.manager != ownership.Manager && find(image.ManagedFields, owner) == nil && find(view.GetManagedFields(), owner) == nil {
			c.Errorf("%v is a new owner", owner)
		}
	}
	for i := range image.ManagedFields {
		c.expectHidden(&image.ManagedFields[i], made, is)
	}
}

// expectHidden checks that an owner keeps what the view does not show, as long as it exists.
func (c *conversion) expectHidden(former *metav1.ManagedFieldsEntry, made, rest *v1alpha1.Image) {
	now := slices.IndexFunc(made.ManagedFields, func(e metav1.ManagedFieldsEntry) bool {
		return ownerOf(&e) == ownerOf(former) && e.Subresource == former.Subresource
	})
	if former.Subresource != "" {
		if now < 0 || jsonOf(c, made.ManagedFields[now]) != jsonOf(c, former) {
			c.Errorf("the entry of a subresource was lost: %s", jsonOf(c, former))
		}
		return
	}
	kept := fieldpath.NewSet()
	if now >= 0 {
		kept = require.Value(readSet(&made.ManagedFields[now]))(c)
	}
	set := require.Value(readSet(former))(c)
	for _, name := range generatedTargets {
		target := c.targets[name]
		if _, exists := target.Get(&rest.Spec); exists && !c.kind.targets.Has(name) && set.Has(target.OwnerPaths()[0]) && !kept.Has(target.OwnerPaths()[0]) {
			c.Errorf("%v lost %s", ownerOf(former), name)
		}
	}
}
