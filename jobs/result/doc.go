// SPDX-License-Identifier: Apache-2.0

// Package result is the output side of the builder contract. It has the types of the message that a builder leaves, and judges
// the message together with the exit code.
//
// A message comes from a container that may run any code. It is never trusted, and no message makes Parse panic.
package result
