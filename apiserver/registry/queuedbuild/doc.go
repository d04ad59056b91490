// SPDX-License-Identifier: Apache-2.0

// Package queuedbuild serves the resource queuedbuilds: the builds that wait in the queue, in the order in which they would
// be admitted now. It computes the order from the stored objects. The order is not stored, because it changes with each
// admitted build. Requests may share an order that is up to a second old. Each request reads its builds afresh.
//
// The controller admits builds, by the same rules.
package queuedbuild
