// SPDX-License-Identifier: Apache-2.0

// Package catalog compiles ImageKinds, and converts between the objects of a kind and the Images that store them.
//
// A Kind is assembled from packages with one idea each. Each imports only those before it:
//   - names: the names of a kind, which no other kind has
//   - expression: CEL expressions with a bounded cost
//   - imagespec: the template, and the targets of a kind in the spec of an Image
//   - metadata: what an object and its Image have of each other's metadata
//   - schema: the declared fields of an object, and their rules
//   - definition: the CustomResourceDefinition that declares the same
//   - examples: examples of objects
//   - binding: a field of the schema, stored in a target
//   - ownership: the owners of fields of an object, and of their targets
//
// Everything in them is a pure function of its arguments. It never reads from a cluster, a file system or a clock.
package catalog
