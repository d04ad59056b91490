// SPDX-License-Identifier: Apache-2.0

// Package secrets finds in a root file system what all machines of an image would share, though each must have its own: private keys, and what
// identifies a machine. Files that are as a package of Debian ships them are public, so they are not reported.
//
// It looks at what is in files, not at their names, so it also finds what packages make that nobody has thought of. It cannot find a secret that
// looks like any other text, such as a password, nor one in an archive or a file of more than 1 MiB.
package secrets
