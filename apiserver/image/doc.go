// SPDX-License-Identifier: Apache-2.0

// Package image serves the resource images with its subresources status and instantiate.
//
// It gives numbers to builds, in one place and once per request. It never decides that a build is due; that is the
// controller's or a person's.
package image
