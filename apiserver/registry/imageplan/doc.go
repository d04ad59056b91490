// SPDX-License-Identifier: Apache-2.0

// Package imageplan serves the resource imageplans, which can only be created, and the subresource plan of images. A plan
// reports whether an Image would be built now: the stored Image, or what a manifest would make of it.
//
// It makes no decisions of its own: it reads the same objects as the controllers and calls the same functions. It writes no
// objects. The answer contains no data that the user has no permission to read.
package imageplan
