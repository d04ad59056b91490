// SPDX-License-Identifier: Apache-2.0

package machine

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

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// What runs a guest.
const (
	// Auto is KVM if it works, and otherwise TCG.
	Auto = "auto"
	// KVM runs it on the processor of the machine.
	KVM = "kvm"
	// TCG emulates the processor.
	TCG = "tcg"
)

const (
	// KVMDevice is the device of KVM.
	KVMDevice = "/dev/kvm"
	// probePatience is how long a test guest may take. It takes half a second on a quiet machine.
	probePatience = 10 * time.Second
	// probePort is the port of isa-debug-exit. QEMU ends with the code 2 × probeValue + 1 when the guest writes the value there.
	probePort, probeValue = 0x501, 0x10
	probeCode             = 2*probeValue + 1
	// probeSize is the size of the disk of the test guest. The BIOS does not boot much smaller disks.
	probeSize = 1 << 20
	// sectorAddress is where the BIOS puts the boot sector.
	sectorAddress = 0x7c00
)

// bootSector returns the program of the test guest. As kernels do, it sets up page tables, sets a model-specific register and enters long mode.
// There it counts to 2^27, which takes a tenth of a second on a processor. Then it ends QEMU with probeCode. Some machines have a KVM
// that cannot run kernels at the speed of the processor, because it emulates each of their instructions: they count for minutes.
func bootSector() []byte {
	const (
		longMode = sectorAddress + 0x53 // the address of "in long mode"
		table    = sectorAddress + 0x68 // of the segment descriptors
		pointer  = sectorAddress + 0x78 // of their size and address
	)
	sector := make([]byte, 0, 512)
	for _, part := range [][]byte{
		{
			0xfa,             // cli
			0x66, 0x31, 0xc0, // xor eax, eax
			0x8e, 0xd8, 0x8e, 0xc0, // mov ds, ax; mov es, ax
			// three page tables at 0x1000, which map the first 2 MiB
			0xbf, 0x00, 0x10, 0x89, 0xfb, // mov di, 0x1000; mov bx, di
			0xb9, 0x00, 0x0c, 0xfc, 0x66, 0xf3, 0xab, // mov cx, 0xc00; cld; rep stosd
			0xc7, 0x06, 0x00, 0x10, 0x03, 0x20, // mov word [0x1000], 0x2003
			0xc7, 0x06, 0x00, 0x20, 0x03, 0x30, // mov word [0x2000], 0x3003
			0xc6, 0x06, 0x00, 0x30, 0x83, // mov byte [0x3000], 0x83
			// long mode: CR4.PAE, CR3, EFER.LME, CR0.PG and CR0.PE
			0xb0, 0x20, 0x0f, 0x22, 0xe0, // mov al, 0x20; mov cr4, eax
			0xb8, 0x00, 0x10, 0x0f, 0x22, 0xd8, // mov ax, 0x1000; mov cr3, eax
			0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0, // mov ecx, 0xc0000080
			0x0f, 0x32, 0x80, 0xcc, 0x01, 0x0f, 0x30, // rdmsr; or ah, 1; wrmsr
			0x0f, 0x01, 0x16, pointer & 0xff, pointer >> 8, // lgdt [pointer]
			0x0f, 0x20, 0xc0, 0x66, 0x0d, 0x01, 0x00, 0x00, 0x80, 0x0f, 0x22, 0xc0, // mov eax, cr0; or eax, 0x80000001; mov cr0, eax
			0xea, longMode & 0xff, longMode >> 8, 0x08, 0x00, // jmp 8:longMode
		},
		{ // in long mode
			0xb9, 0x00, 0x00, 0x00, 0x08, // mov ecx, 1 << 27
			0xff, 0xc9, 0x75, 0xfc, // dec ecx; jnz, two instructions back
			0x66, 0xba, probePort & 0xff, probePort >> 8, // mov dx, probePort
			0xb0, probeValue, 0xee, // mov al, probeValue; out dx, al
			0xf4, 0xeb, 0xfd, // hlt, for ever
			0, 0,
		},
		{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x9a, 0x20, 0}, // none, and one for 64-bit code
		{15, 0, table & 0xff, table >> 8, 0, 0},                // pointer
		make([]byte, 510-0x7e), {0x55, 0xaa},
	} {
		sector = append(sector, part...)
	}
	return sector
}

// ProbeKVM returns an error if no guest runs with KVM. Some virtual machines have the device, but QEMU fails with it, or kernels hang. The test
// disk is in a directory.
func ProbeKVM(ctx context.Context, qemu, device, directory string) error {
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
	return probe(ctx, qemu, KVM, directory)
}

// probe runs the test guest.
func probe(ctx context.Context, qemu, accelerator, directory string) error {
	disk, err := PrivateFile(directory)
	if err != nil {
		return err
	}
	defer func() { _ = disk.Close() }() // has no name
	if _, err = disk.WriteAt(bootSector(), 0); err == nil {
		err = disk.Truncate(probeSize)
	}
	if err != nil {
		return fmt.Errorf("write a test disk: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	var complaints bytes.Buffer
	err = Execute(ctx, &Process{Path: qemu, Arguments: probeArguments(accelerator), Files: []*os.File{disk}, Err: &complaints, Background: true})
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() == probeCode {
		return nil
	}
	if ctx.Err() != nil {
		return errors.New("a test guest hangs with KVM")
	}
	return fmt.Errorf("no test guest runs with KVM: %s", LastLine(complaints.String(), err))
}

func probeArguments(accelerator string) []string {
	return append(processor(accelerator, "q35,graphics=off"), "-m", "64M",
		"-device", fmt.Sprintf("isa-debug-exit,iobase=%#x,iosize=1", probePort),
		"-drive", "if=none,id=disk,format=raw,readonly=on,file="+diskFile, "-device", "virtio-blk-pci,drive=disk,bootindex=1")
}

// LastLine returns the last line that QEMU wrote, or how it ended if it wrote nothing.
func LastLine(complaints string, ended error) string {
	lines := strings.Split(strings.TrimSpace(complaints), "\n")
	if last := oneLine(lines[len(lines)-1]); last != "" {
		return last
	}
	if ended == nil {
		return "QEMU ended"
	}
	return ended.Error()
}

// oneLine replaces line ends and tabs with spaces, and escapes other unprintable characters.
func oneLine(text string) string {
	return v1alpha1.Escape(strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "\t", " ").Replace(text))
}
