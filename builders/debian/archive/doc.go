// SPDX-License-Identifier: Apache-2.0

// Package archive reads an archive of Debian, and finds newer versions of packages in it:
//
//	InRelease, or Release and Release.gpg ── release.go ──▶ what a key of the keyring has signed
//	Packages.xz ── index.go ──▶ candidates: the newest version of each package that is asked for
//	.deb ── advisories.go ──▶ the CVEs that the changelog of a newer version names
//
// Nothing is read before its signature, or its SHA-256 in a signed file, is verified. fetch.go stores each file in a directory until then. So neither
// the memory nor the disk that a check takes depends on what a mirror sends.
package archive
