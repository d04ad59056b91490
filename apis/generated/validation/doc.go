// SPDX-License-Identifier: Apache-2.0

// +k8s:validation-gen=TypesWithSuffix=Spec
// +k8s:validation-gen=TypesWithSuffix=Request
// +k8s:validation-gen=TypesWithSuffix=Options
// +k8s:validation-gen-input=goldsmith.dev/goldsmith/apis/images/v1alpha1
// +k8s:validation-gen-scheme-registry=nil

// Package validation enforces the tags of the types: limits, enums, formats and unions. They are written once, on the fields.
package validation
