// SPDX-License-Identifier: Apache-2.0

// Package local runs Jobs as local processes on a server without a cluster. It is the kubelet: it runs the builder of each pod as a process, and
// writes the status of the pod as a kubelet does, so that a controller of Jobs and pods sees no difference. Package jobcontroller replaces the Job
// controller, and package cascade the garbage collector and the namespace controller.
//
// It runs only builders that the operator registered. A Job names a builder by its image (Image). The package must never take
// a path, an argument or an environment variable from an API object, and must never start a process twice for one pod. It writes
// the Secrets that a pod mounts below a directory of the pod, and removes them when the process has ended. Package
// transfer moves the artifacts of a pod.
package local
