// SPDX-License-Identifier: Apache-2.0

// Package buildlog serves the logs of builds: those of one attempt or, followed, of all attempts one after the other.
//
// A log is read from the pod of its attempt while the pod has it, and then from the archive, if there is one. A follower is
// switched from the pod to the archive without noticing: see handover.
package buildlog
