// SPDX-License-Identifier: Apache-2.0

// Package catalog serves the API group catalog.goldsmith.dev, whose kinds ImageKinds declare. Each object of such a kind is a view of
// an Image, which is stored once: package jobs/catalog converts between the two. Reads, watches and writes delegate to the
// resource images, so that locks, validation, recorded edits, dry runs, resource versions and paging are those of Images.
//
// A request for a kind is authorized for the kind alone. Its writes pass the admission of both resources: the library's handlers run
// the admission of the kind, and this package runs the admission of Images (see admission.go).
//
// The subresource build requests a build (build.go), and log shows the log of one (log.go). Their answers and errors never name what
// the kind sets.
package catalog
