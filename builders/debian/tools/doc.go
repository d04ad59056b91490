// SPDX-License-Identifier: Apache-2.0

// Package tools makes the tools of the builder debian: a directory with the programs of Debian 13 that make an image, such as mmdebstrap,
// mke2fs and GRUB. It is the root file system of the builder, in a container image or in a sandbox.
//
// It also makes the root file system of the program that tests images, with QEMU and its firmware, for a container image.
//
// The tools are of the release of the images, because programs in a fake chroot use the C library of both. No program of the machine is used
// in a build, so each machine makes the same images.
//
// Tools are made again after 30 days. A build holds those that it uses, so that they are not removed before it ends.
//
// The packages are only extracted. None of their scripts is run, and an ordinary user can make the tools.
package tools
