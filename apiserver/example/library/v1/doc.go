// SPDX-License-Identifier: Apache-2.0

// +k8s:conversion-gen=goldsmith.dev/goldsmith/apiserver/example/library
// +k8s:deepcopy-gen=package
// +k8s:defaulter-gen=TypeMeta
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=com.example.library.v1
// +groupName=library.example.com

// Package v1 is the first version of the example API. A book has one author, and its location is called a shelf: what
// that takes is in conversion.go.
package v1
