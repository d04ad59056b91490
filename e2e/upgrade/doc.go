// SPDX-License-Identifier: Apache-2.0

// Package upgrade says what users notice of an upgrade, and of a new serving certificate: nothing. Builds go on, and no
// request fails.
//
// It must never upgrade from anything but what a user may run: the manifests and the programs of the commit before.
package upgrade
