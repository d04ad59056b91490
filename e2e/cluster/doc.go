// SPDX-License-Identifier: Apache-2.0

// Package cluster is the frame of the suites that run on a real cluster: what they are given, how Goldsmith is installed
// there and removed, what is kept of a spec that failed, and what must be true of every build whatever happens to it.
//
// It must never import more than a user of the API could: it looks at the system from outside.
package cluster
