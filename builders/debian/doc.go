// SPDX-License-Identifier: Apache-2.0

// Package debian is a builder that makes bootable disks of Debian 13, without any privilege. It follows the builder contract. It runs on
// Linux. Elsewhere, the package has only what describes it: capabilities.go and reasons.go.
//
// It runs in its tools, a directory with the programs of the release that it makes images of: package tools has them. The data flow:
//
//	input ── parameters.go ──▶ configuration ── plan.go ──▶ plan: files, users, services and scripts, as a directory
//	mirror ─ sources.go ─────▶ the time of the image: that of the newest release file
//	plan ─── rootfs.go ──────▶ root file system as a tar, by mmdebstrap in a fake chroot, in which customize.sh applies the plan
//	tar ──── lock.go ────────▶ a lock with every package in it, which package dpkg lists, with digests from the lists of apt
//	tar ──── package disk ───▶ a disk with partition table, root file system and boot loaders for BIOS and UEFI
//	tar ──── package oci ────▶ an image for containers
//
// If the input asks about an archive, the builder makes nothing, and probe.go writes which packages have newer versions there. Package archive
// finds them.
//
// The same inputs, the same tools and the same state of the mirror make the same bytes: no clock and no random number decides anything.
package debian
