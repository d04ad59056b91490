// SPDX-License-Identifier: Apache-2.0

// Package kept keeps root file systems in which only packages are installed, so that a later build with the same packages starts from one.
//
// A Store is a directory with a size limit, which several processes can use at a time. Each build has a Server outside of its sandbox, and a
// Client in it:
//
//	builder, in its sandbox ── Get KEY, Put KEY ──▶ Server, of the launcher ──▶ Store, on the disk of the machine
//
// The scripts of users run in the sandbox, so the Server trusts only what it is told before. The builder tells its key before it runs any
// program, and closes its connection before it runs a script. The Server takes one connection, one key, and at most one root file system for
// it. It adds the namespace of the build to the key, so that no namespace gets what another one has kept.
package kept
