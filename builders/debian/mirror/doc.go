// SPDX-License-Identifier: Apache-2.0

// Package mirror is a caching proxy for APT. Its directory is a snapshot: what was fetched once is kept, and is never asked for again. So
// builds with the same directory install the same packages, and need no network once the directory has all of their files.
//
// A snapshot cannot be torn. The first InRelease of a suite that is fetched is kept. An index is kept only if it is what that InRelease
// describes, or what its own name describes (by-hash). Other files below dists, and files that an archive does not have, are refused.
// A file is kept once it is complete, and never before.
//
// The package trusts neither its clients nor the archives: a client reaches no host that the operator has not allowed, or no private address
// if the operator allows every host, and no archive decides which files are written. It checks no signatures: APT does.
package mirror
