// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Namespace returns an empty Namespace of the kind that the cache has: only metadata.
func Namespace() *metav1.PartialObjectMetadata {
	kind := &metav1.PartialObjectMetadata{}
	kind.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return kind
}

// NamespaceUID returns the UID of the namespace of an object from the cache. It is empty if the cache does not have the namespace.
// older is true if the object may be older than the namespace: times have whole seconds. Then the object may be of an earlier namespace
// of the name, if the caller has not seen its deletion yet, or the object was restored from a backup.
func NamespaceUID(ctx context.Context, cache client.Reader, object client.Object) (uid types.UID, older bool, err error) {
	namespace := Namespace()
	err = cache.Get(ctx, types.NamespacedName{Name: object.GetNamespace()}, namespace)
	if apierrors.IsNotFound(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("get namespace %s: %w", object.GetNamespace(), err)
	}
	return namespace.UID, !object.GetCreationTimestamp().After(namespace.CreationTimestamp.Time), nil
}
