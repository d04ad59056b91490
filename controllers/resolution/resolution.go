// SPDX-License-Identifier: Apache-2.0

// Package resolution finds out what the inputs of an Image or a build resolve to now: it reads what they refer to and
// leaves the judgement to jobs/inputs.
package resolution

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// Resolution is what inputs resolve to, or why they do not.
type Resolution struct {
	// Resolved inputs; nil if they do not resolve.
	Resolved *v1alpha1.ResolvedInputs
	// Unresolved is why; nil if they do.
	Unresolved *v1alpha1.BuildFailure
	// MayAppear is true if what is missing may still come without anybody changing the inputs.
	MayAppear bool
}

// Of resolves inputs. An error says nothing about them: it is one of the API.
func Of(ctx context.Context, kube kubernetes.Interface, builders inputs.Builders, namespace string, given v1alpha1.BuildInputs) (Resolution, error) {
	if _, notAllowed := builders.Lookup(given.Builder); notAllowed != nil {
		return Resolution{Unresolved: notAllowed}, nil
	}
	configMap, missing, err := configMapOf(ctx, kube, namespace, given.Source)
	if err != nil {
		return Resolution{}, err
	}
	resolved, unresolved := inputs.Resolve(given, configMap)
	return Resolution{Resolved: resolved, Unresolved: unresolved, MayAppear: missing}, nil
}

// configMapOf reads the ConfigMap that a source names, if it names one.
func configMapOf(ctx context.Context, kube kubernetes.Interface, namespace string, source *v1alpha1.Source) (configMap *corev1.ConfigMap, missing bool, err error) {
	if source == nil || source.ConfigMapRef == nil {
		return nil, false, nil
	}
	configMap, err = kube.CoreV1().ConfigMaps(namespace).Get(ctx, source.ConfigMapRef.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, true, nil
	case err != nil:
		return nil, false, fmt.Errorf("reading ConfigMap %s/%s: %w", namespace, source.ConfigMapRef.Name, err)
	}
	return configMap, false, nil
}
