// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// The kinds of firmware.
const (
	BIOS       = "bios"
	UEFI       = "uefi"
	SecureBoot = "secureboot"
)

// Program is the emulator.
const Program = "qemu-system-x86_64"

// FirmwareDirectories returns where distributions install descriptions of firmware, in the order of QEMU's docs/interop/firmware.json.
func FirmwareDirectories() []string {
	return []string{"/etc/qemu/firmware", "/usr/share/qemu/firmware"}
}

// Flash is a file for a flash memory of the guest.
type Flash struct {
	Filename string `json:"filename"`
	Format   string `json:"format"`
}

// Firmware is UEFI firmware: code, and the initial contents of its variables.
type Firmware struct {
	Code, Variables Flash
	// Secure is true if the firmware enforces Secure Boot, with the keys of Microsoft enrolled.
	Secure bool
}

// description is a description of firmware, as far as it matters here.
type description struct {
	Interfaces []string `json:"interface-types"`
	Mapping    struct {
		Device     string `json:"device"`
		Mode       string `json:"mode"`
		Executable Flash  `json:"executable"`
		Variables  Flash  `json:"nvram-template"`
	} `json:"mapping"`
	Targets []struct {
		Architecture string   `json:"architecture"`
		Machines     []string `json:"machines"`
	} `json:"targets"`
	Features []string `json:"features"`
}

// fits reports whether the firmware is UEFI with variables for the machine of this package, with or without Secure Boot.
func (d *description) fits(secure bool) bool {
	has := func(feature string) bool { return slices.Contains(d.Features, feature) }
	forMachine := false
	for _, target := range d.Targets {
		forMachine = forMachine || target.Architecture == "x86_64" && slices.Contains(target.Machines, "pc-q35-*")
	}
	return forMachine && slices.Contains(d.Interfaces, "uefi") && d.Mapping.Device == "flash" &&
		(d.Mapping.Mode == "" || d.Mapping.Mode == "split") && has("enrolled-keys") == secure && has("requires-smm") == secure
}

// FindTools returns the path of QEMU and, except for BIOS, the firmware. The error names every missing package.
func FindTools(kind string, directories []string) (qemu string, found *Firmware, err error) {
	var what, debian, fedora []string
	if qemu, err = exec.LookPath(Program); err != nil {
		what, debian, fedora = []string{Program}, []string{"qemu-system-x86"}, []string{"qemu-system-x86-core"}
	}
	switch kind {
	case BIOS:
	case UEFI, SecureBoot:
		if found, err = findFirmware(kind == SecureBoot, directories); err != nil {
			return "", nil, err
		}
		if found == nil {
			name := map[string]string{UEFI: "UEFI firmware", SecureBoot: "UEFI firmware with Secure Boot"}[kind]
			what, debian, fedora = append(what, name), append(debian, "ovmf"), append(fedora, "edk2-ovmf")
		}
	default:
		return "", nil, fmt.Errorf("firmware %q: must be %s, %s or %s", kind, BIOS, UEFI, SecureBoot)
	}
	if len(what) > 0 {
		return "", nil, fmt.Errorf("this machine has no %s: run `sudo apt-get install %s` on Debian or Ubuntu, or `sudo dnf install %s` on Fedora",
			strings.Join(what, " and no "), strings.Join(debian, " "), strings.Join(fedora, " "))
	}
	return qemu, found, nil
}

// findFirmware returns the first firmware that fits and whose files exist, or nil. A description in an earlier directory replaces one of the
// same name in a later directory. The names decide the order.
func findFirmware(secure bool, directories []string) (*Firmware, error) {
	files := map[string]string{}
	for _, directory := range slices.Backward(directories) {
		entries, err := os.ReadDir(directory)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look for firmware: %w", err)
		}
		for _, entry := range entries {
			if path.Ext(entry.Name()) == ".json" {
				files[entry.Name()] = filepath.Join(directory, entry.Name())
			}
		}
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text, err := os.ReadFile(files[name])
		if err != nil {
			return nil, fmt.Errorf("look for firmware: %w", err)
		}
		described := &description{}
		if json.Unmarshal(text, described) != nil || !described.fits(secure) { // an empty file hides a description
			continue
		}
		found := &Firmware{described.Mapping.Executable, described.Mapping.Variables, secure}
		if exists(found.Code.Filename) && exists(found.Variables.Filename) {
			return found, nil
		}
	}
	return nil, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
