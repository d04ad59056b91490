// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// The values of --accel.
const (
	auto = "auto"
	kvm  = "kvm"
	tcg  = "tcg"
)

const (
	kvmDevice = "/dev/kvm"
	// probePatience is how long a test guest may take. It takes half a second on a quiet machine.
	probePatience = 10 * time.Second
	// probePort is the port of isa-debug-exit. QEMU ends with the code 2 × probeValue + 1 when the guest writes the value there.
	probePort, probeValue = 0x501, 0x10
	probeCode             = 2*probeValue + 1
	// probeSize is the size of the disk of the test guest. The BIOS does not boot much smaller disks.
	probeSize = 1 << 20
)

// bootSector is the program of the test guest: it ends QEMU with probeCode.
var bootSector = append(append([]byte{
	0xba, probePort & 0xff, probePort >> 8, // mov dx, probePort
	0xb0, probeValue, // mov al, probeValue
	0xee,             // out dx, al
	0xf4, 0xeb, 0xfd, // hlt, for ever
}, make([]byte, 501)...), 0x55, 0xaa)

// probeKVM returns an error if no guest runs with KVM. Some virtual machines have the device, but QEMU fails with it, or the guest hangs.
func probeKVM(ctx context.Context, qemu, device string) error {
	opened, err := os.OpenFile(device, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("this machine has no %s", device)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("you cannot open %s; `sudo usermod -aG kvm $USER` permits it from your next login", device)
	case err != nil:
		return err
	}
	_ = opened.Close() // was not used
	disk, err := privateFile()
	if err != nil {
		return err
	}
	defer func() { _ = disk.Close() }() // has no name
	if _, err = disk.WriteAt(bootSector, 0); err == nil {
		err = disk.Truncate(probeSize)
	}
	if err != nil {
		return fmt.Errorf("write a test disk: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	var complaints bytes.Buffer
	err = execute(ctx, &process{path: qemu, arguments: probeArguments(), files: []*os.File{disk}, err: &complaints, background: true})
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() == probeCode {
		return nil
	}
	if ctx.Err() != nil {
		return errors.New("a test guest hangs with KVM")
	}
	return fmt.Errorf("no test guest runs with KVM: %s", lastLine(complaints.String(), err))
}

func probeArguments() []string {
	return append(processor(kvm, "q35,graphics=off"), "-m", "64M",
		"-device", fmt.Sprintf("isa-debug-exit,iobase=%#x,iosize=1", probePort),
		"-drive", "if=none,id=disk,format=raw,readonly=on,file="+diskFile, "-device", "virtio-blk-pci,drive=disk,bootindex=1")
}

// lastLine returns the last line that QEMU wrote, or how it ended if it wrote nothing.
func lastLine(complaints string, ended error) string {
	lines := strings.Split(strings.TrimSpace(complaints), "\n")
	if last := output.OneLine(lines[len(lines)-1]); last != "" {
		return last
	}
	if ended == nil {
		return "QEMU ended"
	}
	return ended.Error()
}
