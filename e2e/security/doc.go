// SPDX-License-Identifier: Apache-2.0

// Package security has the specs of permissions. They cover users with the roles of the installation, direct callers of its API
// server, and templates of builds. They also check that the installation's service accounts have no unused permissions.
package security
