// SPDX-License-Identifier: Apache-2.0

// +k8s:conversion-gen=goldsmith.dev/goldsmith/apiserver/example/library
// +k8s:deepcopy-gen=package
// +k8s:defaulter-gen=TypeMeta
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=com.example.library.v2
// +groupName=library.example.com

// Package v2 is the second version of the example API. The hub is like it, so that all of its conversion is generated.
package v2
