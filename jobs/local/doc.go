// SPDX-License-Identifier: Apache-2.0

// Package local runs Jobs as local processes. It replaces the Job controller and the kubelet on a server without a cluster.
// Package cascade replaces the garbage collector and the namespace controller. For each Job, package local creates one pod, runs
// the pod's builder as a process, and writes the status of both like the real components, so that a controller of Jobs and pods
// sees no difference.
//
// It runs only builders that the operator registered. A Job names a builder by its image (Image). The package must never take
// a path, an argument or an environment variable from an API object, and must never start a process twice for one pod. It writes
// the Secrets that a pod mounts below a directory of the pod, and removes them when the process has ended. It reads the files that a
// builder made, and trusts neither their names nor what the builder reports about them. Package artifacts stores these files. Before it starts a
// process, it provides the artifacts of the base: from the store, or from the registry in which they were published.
//
// A Job with unsupported fields fails with a message: more than one pod, a deadline of the Job, container restarts. There is
// one attempt, whatever spec.backoffLimit, and ttlSecondsAfterFinished is ignored. A suspended Job has no pod, and gets a new
// pod when it is resumed.
package local
