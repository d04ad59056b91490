// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"

	structuraldefaulting "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

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
	made, old := &v1alpha1.Image{Spec: *k.template.spec.DeepCopy()}, metav1.ObjectMeta{}
	var former map[string]any
	if image != nil {
		made, old = image.DeepCopy(), image.ObjectMeta
		former = k.withDefaults(before)
	} else {
		old.Labels = map[string]string{KindLabel: k.Name(), RevisionLabel: k.Revision()}
	}
	errs, err := k.putMeta(view, &old, &made.ObjectMeta)
	if err != nil {
		return nil, err
	}
	for _, b := range k.bindings {
		stored, found, err := b.stored(view.Object)
		if err != nil {
			errs = append(errs, field.Invalid(b.path(), field.OmitValueType{}, err.Error()))
			continue
		}
		if was, had, err := b.stored(former); image != nil && err == nil && had == found && was == stored {
			continue
		}
		if !found {
			b.target.remove(&made.Spec)
		} else if err := b.target.set(&made.Spec, stored); err != nil {
			errs = append(errs, field.Invalid(b.path(), field.OmitValueType{}, err.Error()))
		}
	}
	if len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	return made, nil
}

// putMeta sets the metadata of an Image, which had the metadata old.
func (k *Kind) putMeta(view *unstructured.Unstructured, old, made *metav1.ObjectMeta) (field.ErrorList, error) {
	metadata, _ := view.Object["metadata"].(map[string]any)
	var read metav1.ObjectMeta
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(metadata, &read); err != nil {
		return nil, fmt.Errorf("read metadata of %s %s: %w", k.Name(), view.GetName(), err)
	}
	var errs field.ErrorList
	*made, errs = imageMeta(&read, old)
	return errs, nil
}

// withDefaults returns an object that has the spec of another one with the defaults of the schema, as view has them. Otherwise a
// default that was added to the schema would be stored with the next change of a label, and start a build.
func (k *Kind) withDefaults(object *unstructured.Unstructured) map[string]any {
	spec, ok := runtime.DeepCopyJSONValue(object.Object["spec"]).(map[string]any)
	if !ok {
		return nil
	}
	structuraldefaulting.Default(spec, k.schema.Structural)
	return map[string]any{"spec": spec}
}
