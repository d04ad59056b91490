// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"fmt"
	"strconv"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// The guest's private files, which QEMU inherits. They have no names.
const (
	diskFile      = "/dev/fd/3"
	variablesFile = "/dev/fd/4"
)

// machine describes a guest for QEMU.
type machine struct {
	accel    string    // kvm or tcg
	firmware *firmware // nil for BIOS
	format   v1alpha1.ArtifactFormat
	memory   int64 // in MiB
	cpus     int
	ssh      int // a port of 127.0.0.1, or 0
	// credentials are for systemd in the guest.
	credentials []string
	// watched is true if the console is only read, and false if a user has it on a terminal.
	watched bool
}

// processor returns the arguments that decide whether a guest runs at all. The test guest of KVM has them, too.
func processor(accel, machine string) []string {
	model := "host"
	if accel == tcg {
		// With a thread for each processor, QEMU runs code that another processor has just patched: kernels die of "Oops: int3".
		accel, model = "tcg,thread=single", "max"
	}
	return []string{"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", machine, "-accel", accel, "-cpu", model}
}

// arguments returns the arguments of QEMU.
func (m *machine) arguments() []string {
	model := "q35,graphics=off" // the BIOS uses the serial console
	if m.firmware != nil && m.firmware.secure {
		model += ",smm=on"
	}
	arguments := append(processor(m.accel, model), "-m", fmt.Sprintf("%dM", m.memory), "-smp", strconv.Itoa(m.cpus))
	if m.firmware != nil {
		if m.firmware.secure { // only System Management Mode can change the variables
			arguments = append(arguments, "-global", "driver=cfi.pflash01,property=secure,value=on")
		}
		arguments = append(arguments,
			"-drive", fmt.Sprintf("if=pflash,unit=0,readonly=on,format=%s,file=%s", m.firmware.code.Format, value(m.firmware.code.Filename)),
			"-drive", fmt.Sprintf("if=pflash,unit=1,format=%s,file=%s", m.firmware.variables.Format, variablesFile))
	}
	arguments = append(arguments,
		// Nobody needs the disk after a crash. A full file system fails the guest's write, instead of stopping the guest.
		"-drive", fmt.Sprintf("if=none,id=disk,cache=unsafe,discard=unmap,format=%s,file=%s", m.format, diskFile),
		"-device", "virtio-blk-pci,drive=disk,bootindex=1,werror=report",
		"-device", "virtio-rng-pci",
		"-netdev", "user,id=network"+m.forward(),
		"-device", "virtio-net-pci,netdev=network,romfile=", // without network boot
	)
	for _, credential := range m.credentials {
		arguments = append(arguments, "-smbios", "type=11,value="+value(credential))
	}
	if m.watched {
		return append(arguments, "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console")
	}
	// As with -nographic: Ctrl-C goes to the guest, and Ctrl-A begins a command for QEMU.
	return append(arguments, "-chardev", "stdio,id=console,signal=off,mux=on", "-serial", "chardev:console", "-mon", "chardev=console")
}

func (m *machine) forward() string {
	if m.ssh == 0 {
		return ""
	}
	return fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-:22", m.ssh)
}

// value escapes a value in an argument of QEMU.
func value(text string) string {
	return strings.ReplaceAll(text, ",", ",,")
}
