// SPDX-License-Identifier: Apache-2.0

// Package upgrade has the specs of an upgrade and of a new serving certificate: builds continue, no request
// fails, and no followed log seems to be whole.
//
// It upgrades only from a state that a user can have: the manifests and the programs of the previous commit.
package upgrade
