// SPDX-License-Identifier: Apache-2.0

// Package builds has the specs of builds as a user of the API sees them: what starts a build, in which order builds run, how they
// fail and are retried, and what is kept. Specs hold for every server, LocalSpecs where builders are local processes, and
// ClusterSpecs where they are pods of a cluster.
//
// It must never import more than a user of the API could, nor depend on how a server works inside.
package builds
