// SPDX-License-Identifier: Apache-2.0

package caches

import (
	"net/http"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Mapper has the resources of the cached kinds. It sends no discovery request, because a server whose API is unavailable
// would answer that the kind does not exist.
func Mapper(*rest.Config, *http.Client) (meta.RESTMapper, error) {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{v1alpha1.SchemeGroupVersion, batchv1.SchemeGroupVersion, corev1.SchemeGroupVersion})
	for _, kind := range []schema.GroupVersionKind{
		v1alpha1.SchemeGroupVersion.WithKind("Image"),
		v1alpha1.SchemeGroupVersion.WithKind("ImageBuild"),
		v1alpha1.SchemeGroupVersion.WithKind("RevokedArtifact"),
		batchv1.SchemeGroupVersion.WithKind("Job"),
		corev1.SchemeGroupVersion.WithKind("Pod"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"),
	} {
		mapper.Add(kind, meta.RESTScopeNamespace)
	}
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	mapper.Add(v1alpha1.SchemeGroupVersion.WithKind("ImageKind"), meta.RESTScopeRoot)
	mapper.Add(v1alpha1.SchemeGroupVersion.WithKind("Archive"), meta.RESTScopeRoot)
	mapper.AddSpecific(v1alpha1.SchemeGroupVersion.WithKind("SigningKey"), v1alpha1.SchemeGroupVersion.WithResource("signingkeys"), // and not signingkeies
		v1alpha1.SchemeGroupVersion.WithResource("signingkey"), meta.RESTScopeRoot)
	return mapper, nil
}
