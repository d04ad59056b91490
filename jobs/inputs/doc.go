// SPDX-License-Identifier: Apache-2.0

// Package inputs says what goes into an image: which builder, which files, and the digest that tells whether any of
// it has changed.
//
// Everything in it is a pure function of its arguments. It never reads from a cluster, a file system or a clock.
package inputs
