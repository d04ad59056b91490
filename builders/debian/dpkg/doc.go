// SPDX-License-Identifier: Apache-2.0

// Package dpkg lists the packages of Debian that a root file system has, for its lock:
//
//	root file system, a tar ── Read ──▶ installed packages, with source and licence
//	lists of apt ── AddDigests ──▶ the SHA-256 of their files
//
// A script of an image can write anything there. So Read follows links only within the tar, and AddDigests only within a directory. Both read
// at most as much as a real system has.
package dpkg
