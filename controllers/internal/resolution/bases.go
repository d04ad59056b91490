// SPDX-License-Identifier: Apache-2.0

package resolution

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Bases reads the Image of a name. The error is NotFound if there is none.
type Bases func(ctx context.Context, namespace, name string) (*v1alpha1.Image, error)

// FromCache reads a cache, which may be older than the stored objects. It suffices to see whether a build is due.
func FromCache(cache client.Reader) Bases {
	return func(ctx context.Context, namespace, name string) (*v1alpha1.Image, error) {
		image := &v1alpha1.Image{}
		return image, cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, image, client.UnsafeDisableDeepCopy)
	}
}

// FromAPI reads the stored objects, from which a build is made.
func FromAPI(images versioned.Interface) Bases {
	return func(ctx context.Context, namespace, name string) (*v1alpha1.Image, error) {
		return images.ImagesV1alpha1().Images(namespace).Get(ctx, name, metav1.GetOptions{})
	}
}
