// SPDX-License-Identifier: Apache-2.0

// Package buildlog serves the logs of builds: those of one attempt or, followed, of all attempts one after the other.
//
// A log that is whole in the archive is read there, and any other from the pod of its attempt. A follower whose pod is lost is
// switched to the archive without noticing: see handover.
package buildlog
