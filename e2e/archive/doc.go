// SPDX-License-Identifier: Apache-2.0

// Package archive has the specs of the log archive. A log reads the same from its pod, from the archive, and while a reader is
// switched from the one to the other: when it is read in part, is followed, when the build is deleted, and while the archive, a
// controller or a worker is lost.
package archive
