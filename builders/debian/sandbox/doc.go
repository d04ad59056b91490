// SPDX-License-Identifier: Apache-2.0

// Package sandbox runs the builder debian on one machine: it makes the tools of the builder if that is due, and starts the program of the builder with
// bubblewrap. The program sees the tools as its root file system, and of the machine only the files of the builder contract, the network, and
// its own executable.
package sandbox
