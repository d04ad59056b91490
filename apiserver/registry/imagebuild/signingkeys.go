// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/jobs/signing"
)

// signingKeys reads the SigningKeys, and the namespaces that they select.
type signingKeys struct {
	keys   rest.Lister
	client kubernetes.Interface
}

// all returns all SigningKeys. They share memory with the watch cache.
func (s *signingKeys) all(ctx context.Context) ([]*v1alpha1.SigningKey, error) {
	list, err := store.List[*v1alpha1.SigningKeyList](subresource.For(ctx, "signingkeys", ""), s.keys, &internalversion.ListOptions{})
	if err != nil {
		return nil, err
	}
	keys := make([]*v1alpha1.SigningKey, len(list.Items))
	for i := range list.Items {
		keys[i] = &list.Items[i]
	}
	return keys, nil
}

// namespace returns a namespace as keys select it. It reads the labels only if a key has a selector.
func (s *signingKeys) namespace(ctx context.Context, name string, keys ...*v1alpha1.SigningKey) (signing.Namespace, error) {
	namespace := signing.Namespace{Name: name, Labels: map[string]string{corev1.LabelMetadataName: name}}
	for _, key := range keys {
		if key.Spec.NamespaceSelector == nil {
			continue
		}
		found, err := s.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return namespace, apierrors.NewInternalError(fmt.Errorf("read the labels of namespace %s, by which SigningKeys select it: %w", name, err))
		}
		for label, value := range found.Labels {
			if label != corev1.LabelMetadataName { // which no user can change in a cluster
				namespace.Labels[label] = value
			}
		}
		break
	}
	return namespace, nil
}

// keysOf returns all SigningKeys and the namespace of a build, unless its artifacts are not to be signed.
func (s *signingKeys) keysOf(ctx context.Context, build *v1alpha1.ImageBuild) ([]*v1alpha1.SigningKey, signing.Namespace, error) {
	if attestPolicy(build) == v1alpha1.AttestNever {
		return nil, signing.Namespace{}, nil
	}
	keys, err := s.all(ctx)
	if err != nil {
		return nil, signing.Namespace{}, err
	}
	namespace, err := s.namespace(ctx, build.Namespace, keys...)
	return keys, namespace, err
}

// attestPolicy returns whether the artifacts of a build are signed.
func attestPolicy(build *v1alpha1.ImageBuild) v1alpha1.AttestPolicy {
	if output := build.Spec.Inputs.Output; output != nil && output.Attest != "" {
		return output.Attest
	}
	return v1alpha1.AttestAutomatic
}
