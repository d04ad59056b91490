// SPDX-License-Identifier: Apache-2.0

// +k8s:conversion-gen=goldsmith.dev/goldsmith/apiserver/internal/images
// +k8s:conversion-gen-external-types=goldsmith.dev/goldsmith/apis/images/v1alpha1

// Package v1alpha1 converts between the public v1alpha1 types and the hub, and registers the fields that objects can be
// selected by. Most of it is generated. Handlers call package convert instead.
package v1alpha1
