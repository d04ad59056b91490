// SPDX-License-Identifier: Apache-2.0

// Package inputs resolves what an image is built from: the builder, the base, the files, and the digest that tells whether any
// of them has changed. It also pins the inputs of a rerun, and compares two sets of inputs.
//
// Everything in it is a pure function of its arguments. It never reads from a cluster, a file system or a clock.
package inputs
