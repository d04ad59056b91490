// SPDX-License-Identifier: Apache-2.0

// Command release writes a release into a directory, from the commit of a clean checkout: archives of the programs, packages of Linux, container
// images, what installs them in a cluster, and their checksums. It needs neither Docker nor privileges, and the same commit and the same version of
// Go make the same bytes, wherever and by whomever it is called.
//
// It exports the commit and compiles the copy, so nothing that git ignores and nobody who edits the checkout meanwhile changes the release. The
// directory appears complete, or not at all.
package main
