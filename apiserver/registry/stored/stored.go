// SPDX-License-Identifier: Apache-2.0

// Package stored asserts the types of the objects that the stores of Images and ImageBuilds return. Package images/convert converts
// objects.
package stored

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Image returns an object as the Image that it is.
func Image(object runtime.Object) (*v1alpha1.Image, error) {
	image, ok := object.(*v1alpha1.Image)
	if !ok {
		return nil, fmt.Errorf("expected an Image, not a %T", object)
	}
	return image, nil
}

// Images returns an object as the list of Images that it is.
func Images(object runtime.Object) (*v1alpha1.ImageList, error) {
	list, ok := object.(*v1alpha1.ImageList)
	if !ok {
		return nil, fmt.Errorf("expected an ImageList, not a %T", object)
	}
	return list, nil
}

// Build returns an object as the ImageBuild that it is.
func Build(object runtime.Object) (*v1alpha1.ImageBuild, error) {
	build, ok := object.(*v1alpha1.ImageBuild)
	if !ok {
		return nil, fmt.Errorf("expected an ImageBuild, not a %T", object)
	}
	return build, nil
}

// Builds returns an object as the list of ImageBuilds that it is.
func Builds(object runtime.Object) (*v1alpha1.ImageBuildList, error) {
	builds, ok := object.(*v1alpha1.ImageBuildList)
	if !ok {
		return nil, fmt.Errorf("expected an ImageBuildList, not a %T", object)
	}
	return builds, nil
}

// GetImage reads an Image of the namespace of ctx.
func GetImage(ctx context.Context, store rest.Getter, name string) (*v1alpha1.Image, error) {
	object, err := store.Get(ctx, name, &metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return Image(object)
}

// GetBuild reads an ImageBuild of the namespace of ctx.
func GetBuild(ctx context.Context, store rest.Getter, name string) (*v1alpha1.ImageBuild, error) {
	object, err := store.Get(ctx, name, &metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return Build(object)
}
