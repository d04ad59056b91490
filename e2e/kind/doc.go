// SPDX-License-Identifier: Apache-2.0

// Package kind gives end-to-end suites a kind cluster, with or without a container registry in reach. It is a provider for
// the envfuncs of sigs.k8s.io/e2e-framework on top of the script `cluster` beside it, which people use for the same clusters,
// and adds what the framework has not: nodes that are lost and come back, Kueue, an S3 server, and PostgreSQL. It knows nothing of
// Goldsmith.
package kind
