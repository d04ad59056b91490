// SPDX-License-Identifier: Apache-2.0

// Package trigger decides when a build of an Image is due, why, and for which request. It also decides what the Image's status
// reports, which builds of the Image are superseded or too old, and which builds its channels get. It is pure: it needs only objects and a time, so the
// controller and an ImagePlan come to the same result.
package trigger
