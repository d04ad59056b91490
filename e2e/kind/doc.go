// SPDX-License-Identifier: Apache-2.0

// Package kind creates kind clusters for end-to-end suites, with or without access to a container registry. It is a provider for
// the envfuncs of sigs.k8s.io/e2e-framework on top of the script `cluster` in this folder, which people use for the same clusters.
// It also pauses and restarts nodes, and installs Kueue, an S3 server and PostgreSQL. It does not depend on Goldsmith.
//
// Traps of the scripts that build a node image:
//   - Without -ldflags for k8s.io/component-base/version, kubeadm reports its version as v0.0.0 and refuses to run.
//   - docker commit accepts no STOPSIGNAL, so that the container starts with --stop-signal: without SIGRTMIN+3 systemd does not stop.
//   - containerd's overlay snapshots cannot live on Docker's overlay: images are imported into a volume, and the store is copied.
//   - kindnet is no Go module, and not every patch release of Kubernetes is on the proxy.
package kind
