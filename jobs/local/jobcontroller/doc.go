// SPDX-License-Identifier: Apache-2.0

// Package jobcontroller replaces the Job controller on a server without a cluster: it creates the pod of each Job, and writes the status of the
// Job from that of the pod. It must never start a process or read a file: what runs a pod is not its concern.
//
// A Job with unsupported fields fails with a message: more than one pod, a deadline of the Job, container restarts. There is
// one attempt, whatever spec.backoffLimit, and ttlSecondsAfterFinished is ignored. A suspended Job has no pod, and gets a new
// pod when it is resumed.
package jobcontroller
