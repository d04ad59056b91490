// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +k8s:defaulter-gen=TypeMeta
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=dev.goldsmith.images.v1alpha1
// +groupName=images.goldsmith.dev

// Package v1alpha1 is the public API of Goldsmith: golden images, declared in Kubernetes.
//
// An Image says which system image should exist; an ImageBuild is one attempt at making it so.
// The package holds types, defaults, condition types and reasons, and nothing that acts on them:
// it imports only k8s.io/apimachinery and k8s.io/api, so that every client can.
package v1alpha1
