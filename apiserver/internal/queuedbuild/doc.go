// SPDX-License-Identifier: Apache-2.0

// Package queuedbuild serves the resource queuedbuilds: the builds that wait in the queue, in the order in which they
// would be admitted as things are now. It is computed from what is stored whenever somebody asks, and stored nowhere:
// a place in the queue changes with each build that is admitted.
//
// It admits nothing: that is the controller's, by the same rules.
package queuedbuild
