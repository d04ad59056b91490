// SPDX-License-Identifier: Apache-2.0

// Package bench measures Goldsmith in a cluster against what the cluster does without it, in the same run: builds against
// bare Jobs of the same pods, and Images against the same type as a CustomResourceDefinition. `make bench-cluster` runs
// its benchmarks; the folder's other files say what is measured and how.
//
// Nothing here is a test: figures are reported, never asserted. The cluster is the one that KUBECONFIG names, where
// Goldsmith is installed and nothing else is going on.
package bench
