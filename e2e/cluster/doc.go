// SPDX-License-Identifier: Apache-2.0

// Package cluster is the framework of the suites that need a real cluster. An Environment installs and removes Goldsmith, stops its
// parts and reads its metrics; a Workspace gives a spec its namespace there; a History records every version of the objects in it,
// and reports violations of the invariants of builds; DumpOnFailure keeps the objects and logs of a spec that failed.
//
// It must never import more than a user of the API could: it observes the system from outside.
package cluster
