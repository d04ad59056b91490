// SPDX-License-Identifier: Apache-2.0

// Package bench compares builds in a cluster with bare Jobs of the same pods, in the same run. `make bench-cluster` runs the
// benchmark. The other files of the folder describe what is measured and how.
//
// The benchmark reports figures and makes no assertions. It uses the cluster of KUBECONFIG, where Goldsmith is installed and
// which is otherwise idle.
package bench
