// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/images"
)

// Provider provides the resource and its subresources.
func Provider(clock clock.PassiveClock) builder.Provider {
	return func(scope *builder.Scope) (builder.Storages, error) {
		store, err := builder.NewStore(scope, builder.Resource{
			New:        func() runtime.Object { return &images.Image{} },
			NewList:    func() runtime.Object { return &images.ImageList{} },
			Resource:   images.Resource("images"),
			Singular:   "image",
			ShortNames: []string{"img"},
			Categories: []string{"goldsmith"},
			Strategy:   newStrategy(scope.Scheme),
			Table:      newTable(clock),
			Attributes: attributes,
		})
		if err != nil {
			return nil, err
		}
		return builder.Storages{
			"":            store,
			"status":      store.Status(newStatusStrategy(scope.Scheme)),
			"instantiate": newInstantiateREST(store, scope),
		}, nil
	}
}

// attributes are what images can be selected by.
func attributes(object runtime.Object) (labels.Set, fields.Set, error) {
	image, err := asImage(object)
	if err != nil {
		return nil, nil, err
	}
	selectable := fields.Set{
		"spec.suspend":      strconv.FormatBool(ptr.Deref(image.Spec.Suspend, false)),
		"spec.builder.name": image.Spec.Builder.Name,
	}
	return image.Labels, generic.AddObjectMetaFieldsSet(selectable, &image.ObjectMeta, true), nil
}

func asImage(object runtime.Object) (*images.Image, error) {
	image, ok := object.(*images.Image)
	if !ok {
		return nil, fmt.Errorf("expected an Image, not a %T", object)
	}
	return image, nil
}
