// SPDX-License-Identifier: Apache-2.0

// Package validation validates objects of the API, and their changes.
//
// It enforces every limit that the public types document, and names all invalid fields in one answer. The functions are pure:
// they read no clock, no storage and no user, and change no object. Metadata is validated only at creation, because the
// registry validates it at updates.
package validation
