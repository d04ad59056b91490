// SPDX-License-Identifier: Apache-2.0

// Package image serves the resource images with its subresources, except for plan, which is package imageplan's. It serves the
// subresource rerun of builds as well.
//
// It gives numbers to builds, in one place and once per request. It never decides that a build is due; that is the
// controller's or a person's.
package image
