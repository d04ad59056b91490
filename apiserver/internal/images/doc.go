// SPDX-License-Identifier: Apache-2.0

// +k8s:deepcopy-gen=package
// +groupName=images.goldsmith.dev

// Package images is the hub: the one version of the API that the server works with. Every served version is
// converted to it and from it, so that validation, strategies and storage know no versions. Below it are the generated
// conversion (v1alpha1), the conversion that handlers call (convert), validation, what tables share (table), and the
// registration of all versions (install).
//
// The public types document the fields. Enumerations are those of the public package: their values are part of the API,
// whichever version they are written in.
package images
