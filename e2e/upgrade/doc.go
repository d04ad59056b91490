// SPDX-License-Identifier: Apache-2.0

// Package upgrade has the specs of an upgrade and of a new serving certificate: builds continue, and no request fails.
//
// It upgrades only from what a user can run: the manifests and the programs of the commit before.
package upgrade
