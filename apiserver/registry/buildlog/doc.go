// SPDX-License-Identifier: Apache-2.0

// Package buildlog serves the logs of builds: the log of one attempt or, if it is followed, the logs of all attempts in order.
//
// A log that is complete in the archive is read there, and every other log is read from the pod of its attempt. If the
// pod is lost, a follower goes on in the archive, at the same byte: see handover.go.
package buildlog
