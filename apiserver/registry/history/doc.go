// SPDX-License-Identifier: Apache-2.0

// Package history is the API server's access to the database of records. It serves the subresources history, stats, changes
// and notes of images, records the edits of Images, and checks whether the database answers. Packages image, imagebuild
// and imagereport read the database through it.
//
// If the database is unavailable, only requests that read it, add notes or upload locks fail.
package history
