// SPDX-License-Identifier: Apache-2.0

// Package kind creates kind clusters for end-to-end suites, with or without access to a container registry. It is a provider for
// the envfuncs of sigs.k8s.io/e2e-framework on top of the script `cluster` in this folder, which people use for the same clusters.
// It also pauses and restarts nodes, and installs Kueue, an S3 server and PostgreSQL. It does not depend on Goldsmith.
package kind
