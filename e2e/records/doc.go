// SPDX-License-Identifier: Apache-2.0

// Package records has the specs of the records database. The history, the statistics, the changes and the notes of an image are
// readable even after its builds or the image are deleted, and no build waits for the database.
package records
