// SPDX-License-Identifier: Apache-2.0

// Package machine boots disks in virtual machines of QEMU, for `goldsmith boot` and for tests of images.
package machine

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// The guest's private files, which QEMU inherits. They have no names.
const (
	diskFile      = "/dev/fd/3"
	variablesFile = "/dev/fd/4"
	dataFile      = "/dev/fd/5"
	channelFile   = 6
	monitorFile   = 7
)

const (
	// DataSerial is the serial number of the second disk.
	DataSerial = "goldsmith-tests"
	// ChannelName is the name of the port of virtio-serial in the guest.
	ChannelName = "dev.goldsmith.results"
)

// Files are the files of a guest.
type Files struct {
	// Disk is the disk, and Variables are those of the firmware, or nil for BIOS.
	Disk, Variables *os.File
	// Data is a second disk, which the guest can only read. Nil for none.
	Data *os.File
	// Channel is a socket, whose other end reads what the guest writes to the port ChannelName. Nil for none.
	Channel *os.File
	// Monitor is a socket, over whose other end Monitor asks QEMU. Nil for none.
	Monitor *os.File
}

// list returns the files in the order of their descriptors.
func (f *Files) list() []*os.File {
	return []*os.File{f.Disk, f.Variables, f.Data, f.Channel, f.Monitor}
}

// Port is a port of the guest that a port of 127.0.0.1 leads to.
type Port struct{ Host, Guest int }

// Machine describes a guest for QEMU.
type Machine struct {
	Accelerator string    // KVM or TCG
	Firmware    *Firmware // nil for BIOS
	Format      v1alpha1.ArtifactFormat
	Memory      int64 // in MiB
	CPUs        int
	Ports       []Port
	// Closed is true if the guest reaches nothing over its network. Ports lead to it nevertheless.
	Closed bool
	// Confined is true if QEMU gives up system calls that it does not need.
	Confined bool
	// Snapshot is true if the disk must not change. What the guest writes is in an unnamed file in $TMPDIR of QEMU.
	Snapshot bool
	// Credentials are for systemd in the guest.
	Credentials []string
	// Watched is true if the console is only read, and false if a user has it on a terminal.
	Watched bool
	Files
}

// processor returns the arguments that decide whether a guest runs at all. The test guest of KVM has them, too.
func processor(accelerator, machine string) []string {
	model := "host"
	if accelerator == TCG {
		// With a thread for each processor, QEMU runs code that another processor has just patched: kernels die of "Oops: int3".
		accelerator, model = "tcg,thread=single", "max"
	}
	return []string{"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", machine, "-accel", accelerator, "-cpu", model}
}

// Process returns the process that runs the guest, with a program of QEMU.
func (m *Machine) Process(qemu string) *Process {
	return &Process{Path: qemu, Arguments: m.arguments(), Files: m.list(), Background: m.Watched}
}

// arguments returns the arguments of QEMU.
func (m *Machine) arguments() []string {
	model := "q35,graphics=off" // the BIOS uses the serial console
	if m.Firmware != nil && m.Firmware.Secure {
		model += ",smm=on"
	}
	arguments := append(processor(m.Accelerator, model), "-m", fmt.Sprintf("%dM", m.Memory), "-smp", strconv.Itoa(m.CPUs))
	if m.Confined {
		arguments = append(arguments, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny")
	}
	if m.Firmware != nil {
		if m.Firmware.Secure { // only System Management Mode can change the variables
			arguments = append(arguments, "-global", "driver=cfi.pflash01,property=secure,value=on")
		}
		arguments = append(arguments,
			"-drive", fmt.Sprintf("if=pflash,unit=0,readonly=on,format=%s,file=%s", m.Firmware.Code.Format, value(m.Firmware.Code.Filename)),
			"-drive", fmt.Sprintf("if=pflash,unit=1,format=%s,file=%s", m.Firmware.Variables.Format, variablesFile))
	}
	disk := fmt.Sprintf("if=none,id=disk,cache=unsafe,discard=unmap,format=%s,file=%s", m.Format, diskFile)
	if m.Snapshot {
		disk += ",snapshot=on"
	}
	arguments = append(arguments,
		// Nobody needs the disk after a crash. A full file system fails the guest's write, instead of stopping the guest.
		"-drive", disk,
		"-device", "virtio-blk-pci,drive=disk,bootindex=1,werror=report",
		"-device", "virtio-rng-pci",
		"-netdev", "user,id=network"+m.network(),
		"-device", "virtio-net-pci,netdev=network,romfile=", // without network boot
	)
	if m.Data != nil { // after the disk and the network, whose names in the guest stay
		arguments = append(arguments,
			"-drive", "if=none,id=data,format=raw,readonly=on,file="+dataFile, "-device", "virtio-blk-pci,drive=data,serial="+DataSerial)
	}
	if m.Channel != nil {
		arguments = append(arguments, "-device", "virtio-serial-pci",
			"-chardev", fmt.Sprintf("socket,id=channel,fd=%d", channelFile), "-device", "virtserialport,chardev=channel,name="+ChannelName)
	}
	if m.Monitor != nil {
		arguments = append(arguments, "-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", monitorFile), "-mon", "chardev=monitor,mode=control")
	}
	for _, credential := range m.Credentials {
		arguments = append(arguments, "-smbios", "type=11,value="+value(credential))
	}
	if m.Watched {
		return append(arguments, "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console")
	}
	// As with -nographic: Ctrl-C goes to the guest, and Ctrl-A begins a command for QEMU.
	return append(arguments, "-chardev", "stdio,id=console,signal=off,mux=on", "-serial", "chardev:console", "-mon", "chardev=console")
}

func (m *Machine) network() (options string) {
	if m.Closed {
		options = ",restrict=on"
	}
	for _, port := range m.Ports {
		options += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-:%d", port.Host, port.Guest)
	}
	return options
}

// value escapes a value in an argument of QEMU.
func value(text string) string {
	return strings.ReplaceAll(text, ",", ",,")
}

// CPUs returns how many processors a guest has. In emulation, more are not faster.
func CPUs(accelerator string) int {
	if accelerator == TCG {
		return 1
	}
	return 2
}
