// SPDX-License-Identifier: Apache-2.0

// Package faults has the specs of builds that run while a part of the system fails. A part is killed, deleted, paused or
// unregistered while twenty builds run, and every build must still succeed exactly once. disruptions.go has the faults, outage.go
// the long outage of the API together with a lost worker, whose log the archive keeps.
//
// It must never disrupt or read more than an administrator of a cluster can.
package faults
