// SPDX-License-Identifier: Apache-2.0

// Package bench compares Goldsmith in a cluster with the cluster alone, in the same run: builds with bare Jobs of the same
// pods, and Images with a CustomResourceDefinition of the same type. `make bench-cluster` runs the benchmarks. The other
// files of the folder describe what is measured and how.
//
// The benchmarks report figures and make no assertions. They use the cluster of KUBECONFIG, where Goldsmith is installed and
// which is otherwise idle.
package bench
