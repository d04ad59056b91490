// SPDX-License-Identifier: Apache-2.0

// Package tester is the builder that tests artifacts: it boots disks in virtual machines of QEMU, and checks what runs there.
//
// Tests of the same target with the same boot share a guest. Two units come into the guest as credentials over SMBIOS: one runs as soon as systemd
// does, and one once boot.until is reached. The second runs a script from a second, read-only disk, which also has goss and its files. Nothing of
// this is in the image. The guest needs systemd 256 or later, a POSIX shell, and base tools such as dd, base64 and timeout.
//
// Results come over a port of virtio-serial. A serial port such as ttyS1 would be slower in emulation, members of the group dialout could write to
// it, and the kernel or getty of an image might use it. Only root can open a port of virtio-serial, and its driver is in the kernels of all
// distributions for virtual machines.
//
// # What an image can forge
//
// Each message begins with a word that is random for each boot. It is a credential of the two units, which only root can read. So these cannot
// forge a result: a user without privileges, a unit that writes to the console or to the port without knowledge of the tests, and lines that are too
// long, come twice or have another form. Lines without the word are ignored and counted in the log. A message with the word that the script does
// not send at that point fails all tests of the guest.
//
// Root in the guest can forge everything that the guest itself reports: units, commands, files, goss, and that boot.until is reached. Root can
// read the word, and replace systemd or the shell. An image whose maker is hostile proves nothing about itself. Only checks of ports are made
// from outside. For until: login, the console only needs a line that looks like a login prompt. A guest cannot make its log lines look like those
// of the tester, keep its guest after the deadline, change the artifact, or reach the network unless the test opens it.
//
// # Outcomes
//
// A test has Failed if the image is wrong. That includes a guest that stops, restarts, panics, or reaches nothing in time. In three cases the outcome is
// Error of class Infrastructure, because another attempt may help: QEMU fails; KVM fails where the caller demands it; or the processor is
// emulated, systemd has given no sign of life, and the kernel panics or the time is over although the console was not silent for half of it. A
// panic because of a missing root file system or init is always the fault of the image. If KVM fails in a guest, its tests run again in emulation.
// What is missing on the machine or in the test is an Error of class Config.
package tester
