// SPDX-License-Identifier: Apache-2.0

// Package history is what the API server knows of the database of records: whether there is one and it answers, the
// subresources history, stats, changes and notes of images, which read it, and the edits of Images, which it is told of.
// Only these need the database; everything else is served without it.
package history
