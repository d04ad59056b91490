// SPDX-License-Identifier: Apache-2.0

// Package history is what the API server knows of the database of records: whether there is one and it answers, how what is
// in it looks in the API, and how what is changed of Images gets there. Only what is asked of the records needs the
// database; everything else is served without it.
package history
