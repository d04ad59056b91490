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

// Bases reads base Images and their builds. The error is NotFound if there is none of a name.
type Bases struct {
	// Image reads an Image.
	Image func(ctx context.Context, namespace, name string) (*v1alpha1.Image, error)
	// Build reads a build, whose revocation its Image may not have recorded yet.
	Build func(ctx context.Context, namespace, name string) (*v1alpha1.ImageBuild, error)
	// Artifact reads a revoked artifact, whose builds may be deleted.
	Artifact func(ctx context.Context, namespace, name string) (*v1alpha1.RevokedArtifact, error)
}

// FromCache reads a cache, which may be older than the stored objects. It suffices to see whether a build is due.
func FromCache(cache client.Reader) Bases {
	return Bases{
		Image: func(ctx context.Context, namespace, name string) (*v1alpha1.Image, error) {
			image := &v1alpha1.Image{}
			return image, cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, image, client.UnsafeDisableDeepCopy)
		},
		Build: func(ctx context.Context, namespace, name string) (*v1alpha1.ImageBuild, error) {
			build := &v1alpha1.ImageBuild{}
			return build, cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, build, client.UnsafeDisableDeepCopy)
		},
		Artifact: func(ctx context.Context, namespace, name string) (*v1alpha1.RevokedArtifact, error) {
			artifact := &v1alpha1.RevokedArtifact{}
			return artifact, cache.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, artifact, client.UnsafeDisableDeepCopy)
		},
	}
}

// FromAPI reads the stored objects, from which a build is made.
func FromAPI(images versioned.Interface) Bases {
	return Bases{
		Image: func(ctx context.Context, namespace, name string) (*v1alpha1.Image, error) {
			return images.ImagesV1alpha1().Images(namespace).Get(ctx, name, metav1.GetOptions{})
		},
		Build: func(ctx context.Context, namespace, name string) (*v1alpha1.ImageBuild, error) {
			return images.ImagesV1alpha1().ImageBuilds(namespace).Get(ctx, name, metav1.GetOptions{})
		},
		Artifact: func(ctx context.Context, namespace, name string) (*v1alpha1.RevokedArtifact, error) {
			return images.ImagesV1alpha1().RevokedArtifacts(namespace).Get(ctx, name, metav1.GetOptions{})
		},
	}
}
