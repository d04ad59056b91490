// SPDX-License-Identifier: Apache-2.0

// Package builds says how builds behave, as a user of the API sees it: what starts one, what becomes of it, and what is
// kept. The specs run against any server that speaks the API, with builders as local processes or in a cluster.
//
// It must never import more than a user of the API could, nor look at how a server works inside.
package builds
