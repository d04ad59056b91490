// SPDX-License-Identifier: Apache-2.0

// Package images tests and measures the builder debian of `goldsmith up` with large and with many images: `make images-test` and
// `make bench-images`. Packages come from a mirror that keeps them in the cache of the user.
package images
