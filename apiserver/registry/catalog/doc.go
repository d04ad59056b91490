// SPDX-License-Identifier: Apache-2.0

// Package catalog serves the API group catalog.goldsmith.dev, whose kinds ImageKinds declare. Each object of such a kind is a view of
// an Image, which is stored once: package kinds (jobs/catalog) converts between the two. Reads, watches and writes delegate to the
// resource images, so that locks, validation, recorded edits, dry runs, resource versions and paging are those of Images.
//
// A request for a kind is authorized for the kind alone. Its writes pass the admission of both resources: the library's handlers run
// the admission of the kind, and this package runs the admission of Images (see admission.go).
package catalog
