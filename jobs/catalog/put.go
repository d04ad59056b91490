// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"fmt"
	"maps"

	structuraldefaulting "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/metadata"
	"goldsmith.dev/goldsmith/jobs/catalog/ownership"
)

// Put returns the Image that stores view, an object of the kind. For a new object, before and image are nil, and the Image gets the
// template. For a change, image is the stored Image, and before is the object that Get returned for it. Put changes only values in which
// view and before differ. So values that the kind cannot show stay.
//
// Put sets the default of a field that a new object leaves out, or that a change removes: view comes without defaults. Status and UID are
// those of image. Put changes none of its arguments, and sets no defaults of Images.
//
// The error lists what the Image cannot have, with the paths of the object: its type is utilerrors.Aggregate, with errors of type
// *field.Error.
func (k *Kind) Put(ctx context.Context, view, before *unstructured.Unstructured, image *v1alpha1.Image) (*v1alpha1.Image, error) {
	viewMetadata, err := metaOf(view)
	if err != nil {
		return nil, err
	}
	w := &ownership.Write{View: viewMetadata.ManagedFields}
	var formers []map[string]any
	was := &metav1.ObjectMeta{Labels: map[string]string{v1alpha1.ImageKindLabel: k.Name(), v1alpha1.ImageKindRevisionLabel: k.Revision()}}
	if image == nil {
		w.Made, w.Own = &v1alpha1.Image{Spec: *k.template.Spec.DeepCopy()}, k.template.OwnedPaths().Union(metadata.LabelPaths())
	} else {
		w.Made, w.Own, w.Image = image.DeepCopy(), fieldpath.NewSet(), image.ManagedFields
		was = &w.Made.ObjectMeta
		beforeMetadata, err := metaOf(before)
		if err != nil {
			return nil, err
		}
		w.Before, formers = beforeMetadata.ManagedFields, []map[string]any{before.Object, k.WithDefaults(before).Object}
	}
	made, errs := metadata.Image(viewMetadata, was)
	w.Made.ObjectMeta = made
	full := k.WithDefaults(view)
	errs = append(errs, k.putFields(w, view, full, before)...)
	if errs = append(errs, k.putDerived(ctx, w, full.Object, formers)...); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	if w.Made.ManagedFields, err = k.owners.Image(w); err != nil {
		return nil, fmt.Errorf("write managed fields of %s %s: %w", view.GetKind(), view.GetName(), err)
	}
	return w.Made, nil
}

// putFields sets the fields of an Image that are bound to fields that differ between a view and the former object. A field that the
// view no longer has gets its default. A new Image has no former object, and has all defaults.
func (k *Kind) putFields(w *ownership.Write, view, full, before *unstructured.Unstructured) field.ErrorList {
	var errs field.ErrorList
	for _, b := range k.bindings {
		stored, found, err := b.Stored(full.Object)
		switch {
		case err != nil:
		case before != nil && b.Same(view.Object, before.Object):
			continue
		case !found:
			w.Remove(b.Target)
		default:
			err = b.Target.Set(&w.Made.Spec, stored)
		}
		if err != nil {
			value, _ := b.Value(full.Object)
			errs = append(errs, field.Invalid(b.Path(), value, err.Error()))
		}
	}
	return errs
}

// metaOf returns the metadata of an object.
func metaOf(object *unstructured.Unstructured) (*metav1.ObjectMeta, error) {
	content, _ := object.Object["metadata"].(map[string]any)
	meta := &metav1.ObjectMeta{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, meta); err != nil {
		return nil, fmt.Errorf("read metadata of %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return meta, nil
}

// WithDefaults returns an object with the defaults of the schema, which its rules are about. It shares all but the spec with the object.
func (k *Kind) WithDefaults(object *unstructured.Unstructured) *unstructured.Unstructured {
	spec, ok := runtime.DeepCopyJSONValue(object.Object["spec"]).(map[string]any)
	if !ok {
		spec = map[string]any{}
	}
	structuraldefaulting.Default(spec, k.schema.Structural)
	defaulted := maps.Clone(object.Object)
	defaulted["spec"] = spec
	return &unstructured.Unstructured{Object: defaulted}
}
