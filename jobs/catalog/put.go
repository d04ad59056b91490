// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"slices"

	structuraldefaulting "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Put returns the Image that stores an object of the kind. For a new object before and image are nil, and the Image has the
// template. Otherwise before is what Get returned for image, and Put changes only what differs between before and view, so that a value
// that the kind cannot show survives. Status and UID are those of image. Put changes none of its arguments, and sets no
// defaults of Images.
//
// The error lists what the Image cannot have, with the paths of the object: its type is utilerrors.Aggregate, with errors of type
// *field.Error.
func (k *Kind) Put(view, before *unstructured.Unstructured, image *v1alpha1.Image) (*v1alpha1.Image, error) {
	metadata, err := metaOf(view)
	if err != nil {
		return nil, err
	}
	p := &put{view: metadata.ManagedFields}
	var formers []map[string]any
	was := &metav1.ObjectMeta{Labels: map[string]string{KindLabel: k.Name(), RevisionLabel: k.Revision()}}
	if image == nil {
		p.made, p.own = &v1alpha1.Image{Spec: *k.template.spec.DeepCopy()}, k.constants()
	} else {
		p.made, p.own, p.image = image.DeepCopy(), fieldpath.NewSet(), image.ManagedFields
		was = &p.made.ObjectMeta
		beforeMetadata, err := metaOf(before)
		if err != nil {
			return nil, err
		}
		p.before, formers = beforeMetadata.ManagedFields, []map[string]any{before.Object, k.withDefaults(before)}
	}
	made, errs := imageMeta(metadata, was)
	p.made.ObjectMeta = made
	errs = append(errs, k.putFields(p, view.Object, formers)...)
	if errs = append(errs, k.putDerived(p, view.Object, formers)...); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	if p.made.ManagedFields, err = k.putOwners(p); err != nil {
		return nil, fmt.Errorf("write managed fields of %s %s: %w", view.GetKind(), view.GetName(), err)
	}
	return p.made, nil
}

// putFields sets the fields of an Image that are bound to fields that differ from the former object, with and without the defaults of the
// schema. A new Image has no former object.
func (k *Kind) putFields(p *put, object map[string]any, formers []map[string]any) field.ErrorList {
	var errs field.ErrorList
	refuse := func(b *binding, err error) {
		value, _ := b.value(object)
		errs = append(errs, field.Invalid(b.path(), value, err.Error()))
	}
	for _, b := range k.bindings {
		stored, found, err := b.stored(object)
		if err != nil {
			refuse(b, err)
			continue
		}
		if slices.ContainsFunc(formers, func(former map[string]any) bool {
			was, had, err := b.stored(former)
			return err == nil && had == found && was == stored
		}) && (!found || !p.applies(b)) {
			continue
		}
		if !found {
			p.remove(b.target)
		} else if err := b.target.set(&p.made.Spec, stored); err != nil {
			refuse(b, err)
		}
	}
	return errs
}

// applies reports whether a manager begins to apply a field that the Image lacks. Its value is then stored even if it is the default of the
// schema: otherwise a tool that applies it would find it missing for ever. In other writes, a default that a user sets cannot be told from
// one that the server has filled in.
func (p *put) applies(b *binding) bool {
	if _, stored := b.target.get(&p.made.Spec); stored {
		return false
	}
	owns := func(entry *metav1.ManagedFieldsEntry) bool {
		if entry == nil {
			return false
		}
		set, valid := readOwned(entry)
		return valid && set.Has(b.viewPath)
	}
	return slices.ContainsFunc(p.view, func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Operation == metav1.ManagedFieldsOperationApply && owns(&entry) && !owns(find(p.before, ownerOf(&entry)))
	})
}

// remove removes a target from the Image.
func (p *put) remove(target *target) {
	target.remove(&p.made.Spec)
	p.removed = append(p.removed, target)
}

// metaOf returns the metadata of an object.
func metaOf(object *unstructured.Unstructured) (*metav1.ObjectMeta, error) {
	content, _ := object.Object["metadata"].(map[string]any)
	metadata := &metav1.ObjectMeta{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, metadata); err != nil {
		return nil, fmt.Errorf("read metadata of %s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return metadata, nil
}

// withDefaults returns the metadata of an object, and its spec with the defaults of the schema, as view has them. Otherwise a
// default that was added to the schema would be stored with the next change of a label, and start a build.
func (k *Kind) withDefaults(object *unstructured.Unstructured) map[string]any {
	spec, ok := runtime.DeepCopyJSONValue(object.Object["spec"]).(map[string]any)
	if !ok {
		spec = map[string]any{}
	}
	structuraldefaulting.Default(spec, k.schema.Structural)
	return map[string]any{"metadata": object.Object["metadata"], "spec": spec}
}
