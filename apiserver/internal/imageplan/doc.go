// SPDX-License-Identifier: Apache-2.0

// Package imageplan serves the resource imageplans, which can only be created, and the subresource plan of images: what
// would happen to an Image, as it would be applied or as it is.
//
// It decides nothing by itself: it reads what the controllers read, asks the functions that they ask, and writes nothing.
// What the asking user may not read is not in the answer.
package imageplan
