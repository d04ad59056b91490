// SPDX-License-Identifier: Apache-2.0

// Package catalog compiles ImageKinds, and converts between the objects of a kind and the Images that store them.
//
// Everything in it is a pure function of its arguments. It never reads from a cluster, a file system or a clock.
package catalog

const (
	// Group is the API group of the kinds that ImageKinds declare.
	Group = "catalog.goldsmith.dev"
	// KindLabel is the label of Images that has the name of their ImageKind.
	KindLabel = Group + "/kind"
	// RevisionLabel is the label of Images that has the revision of their kind when they were created through it. A later write of the
	// object does not change it, because it does not apply the template again.
	RevisionLabel = Group + "/revision"
	// Manager is the manager, in managed fields, of what a kind sets itself: constants, derived fields, and the two labels.
	Manager = "goldsmith-catalog"
)
