// SPDX-License-Identifier: Apache-2.0

// Package local runs Jobs as local processes: it stands in for the Job controller and the kubelet of a cluster where
// there is none. For each Job it creates one pod, runs the pod's builder as a process and writes the status of both as
// the real ones do, so that a controller that only knows Jobs and pods cannot tell the difference.
//
// It runs builders that the operator registered, and nothing else: a Job names one by its image (Image). It must never
// take a path, an argument or an environment variable from an API object, and never start a process twice for one pod.
//
// What a Job cannot have here fails it with a message: more than one pod, a deadline of its own, container restarts.
// There is one attempt whatever spec.backoffLimit says, and ttlSecondsAfterFinished is not observed. A Job that is
// suspended before it has a pod waits; later the field has no effect.
package local
