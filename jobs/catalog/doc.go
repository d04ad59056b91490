// SPDX-License-Identifier: Apache-2.0

// Package catalog compiles ImageKinds, and converts between the objects of a kind and the Images that store them.
//
// Everything in it is a pure function of its arguments. It never reads from a cluster, a file system or a clock.
package catalog
