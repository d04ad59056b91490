// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// describe writes a description of firmware, and creates its files below root.
func describe(t *testing.T, directory, name, root, code, variables, format, machines string, features ...string) {
	t.Helper()
	for _, file := range []string{code, variables} {
		if file != "" {
			file = filepath.Join(root, file)
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			require.NoError(t, os.WriteFile(file, []byte(file), 0o600))
		}
	}
	mapping := fmt.Sprintf(`"device": "flash", "executable": {"filename": %q, "format": %q}`, filepath.Join(root, code), format)
	if variables != "" {
		mapping += fmt.Sprintf(`, "nvram-template": {"filename": %q, "format": %q}`, filepath.Join(root, variables), format)
	} else {
		mapping += `, "mode": "stateless"`
	}
	text := fmt.Sprintf(`{"interface-types": ["uefi"], "mapping": {%s}, "targets": [{"architecture": "x86_64", "machines": [%q]}], "features": ["%s"]}`,
		mapping, machines, strings.Join(features, `", "`))
	require.NoError(t, os.MkdirAll(directory, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600))
}

func TestFirmwareOfDistributionsIsFound(t *testing.T) {
	type files func(t *testing.T, directory, root string)
	debian := func(t *testing.T, directory, root string) {
		const code, secure, variables = "usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "usr/share/OVMF/OVMF_VARS_4M.fd"
		describe(t, directory, "40-edk2-x86_64-secure-enrolled.json", root, "usr/share/OVMF/OVMF_CODE_4M.ms.fd", "usr/share/OVMF/OVMF_VARS_4M.ms.fd", "raw", "pc-q35-*",
			"acpi-s3", "enrolled-keys", "requires-smm", "secure-boot")
		describe(t, directory, "50-edk2-x86_64-secure.json", root, secure, variables, "raw", "pc-q35-*", "requires-smm", "secure-boot")
		describe(t, directory, "60-edk2-x86_64.json", root, code, variables, "raw", "pc-q35-*", "acpi-s3")
	}
	fedora := func(t *testing.T, directory, root string) {
		const folder = "usr/share/edk2/ovmf/"
		describe(t, directory, "30-edk2-ovmf-4m-qcow2-x64-sb-enrolled.json", root, folder+"OVMF_CODE_4M.secboot.qcow2", folder+"OVMF_VARS_4M.secboot.qcow2", "qcow2", "pc-q35-*",
			"enrolled-keys", "requires-smm", "secure-boot")
		describe(t, directory, "50-edk2-ovmf-4m-qcow2-x64-nosb.json", root, folder+"OVMF_CODE_4M.qcow2", folder+"OVMF_VARS_4M.qcow2", "qcow2", "pc-q35-*", "verbose-dynamic")
		describe(t, directory, "10-edk2-ovmf-4m-qcow2-x64-sb.json", root, folder+"OVMF_CODE_4M.secboot.qcow2", folder+"OVMF_VARS_4M.qcow2", "qcow2", "pc-q35-*",
			"requires-smm", "secure-boot")
		describe(t, directory, "20-edk2-ovmf-microvm.json", root, folder+"MICROVM.fd", folder+"OVMF_VARS.fd", "raw", "microvm")
		describe(t, directory, "20-edk2-ovmf-x64-amdsev.json", root, folder+"OVMF.amdsev.fd", "", "raw", "pc-q35-*", "amd-sev")
	}
	for title, test := range map[string]struct {
		files                   files
		plain, secure, variable string
	}{
		"Debian and Ubuntu": {debian, "usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_CODE_4M.ms.fd", "usr/share/OVMF/OVMF_VARS_4M.ms.fd"},
		"Fedora":            {fedora, "usr/share/edk2/ovmf/OVMF_CODE_4M.qcow2", "usr/share/edk2/ovmf/OVMF_CODE_4M.secboot.qcow2", "usr/share/edk2/ovmf/OVMF_VARS_4M.secboot.qcow2"},
	} {
		t.Run(title, func(t *testing.T) {
			root := t.TempDir()
			etc, usr := filepath.Join(root, "etc/qemu/firmware"), filepath.Join(root, "usr/share/qemu/firmware")
			test.files(t, usr, root)
			plain, err := findFirmware(false, []string{etc, usr})
			if err != nil || plain == nil || plain.Code.Filename != filepath.Join(root, test.plain) || plain.Secure {
				t.Errorf("got %+v, error %v", plain, err)
			}
			secure, err := findFirmware(true, []string{etc, usr})
			if err != nil || secure == nil || secure.Code.Filename != filepath.Join(root, test.secure) || secure.Variables.Filename != filepath.Join(root, test.variable) || !secure.Secure {
				t.Errorf("with Secure Boot: got %+v, error %v", secure, err)
			}
			describe(t, etc, "00-mine.json", root, "mine", "mine-variables", "raw", "pc-q35-*")
			if mine, err := findFirmware(false, []string{etc, usr}); err != nil || mine.Code.Filename != filepath.Join(root, "mine") {
				t.Errorf("with firmware of the administrator: got %+v, error %v", mine, err)
			}
			require.NoError(t, os.Remove(filepath.Join(root, "mine")))
			if found, err := findFirmware(false, []string{etc, usr}); err != nil || found.Code != plain.Code {
				t.Errorf("with a description of a missing file: got %+v, error %v", found, err)
			}
			for _, entry := range require.Value(os.ReadDir(usr))(t) {
				require.NoError(t, os.WriteFile(filepath.Join(etc, entry.Name()), nil, 0o600))
			}
			if found, err := findFirmware(false, []string{etc, usr}); err != nil || found != nil {
				t.Errorf("with descriptions that the administrator hides: got %+v, error %v", found, err)
			}
		})
	}
}

func TestMissingPackagesAreNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	none := []string{filepath.Join(t.TempDir(), "none")}
	for kind, want := range map[string]string{
		BIOS: "this machine has no qemu-system-x86_64: run `sudo apt-get install qemu-system-x86` on Debian or Ubuntu, or `sudo dnf install qemu-system-x86-core` on Fedora",
		UEFI: "this machine has no qemu-system-x86_64 and no UEFI firmware: run `sudo apt-get install qemu-system-x86 ovmf` on Debian or Ubuntu, or " +
			"`sudo dnf install qemu-system-x86-core edk2-ovmf` on Fedora",
		"coreboot": `firmware "coreboot": must be bios, uefi or secureboot`,
	} {
		if _, _, err := FindTools(kind, none); err == nil || err.Error() != want {
			t.Errorf("%s: got error %v", kind, err)
		}
	}
	qemu := fakeQEMU(t, "exit 1")
	t.Setenv("PATH", filepath.Dir(qemu))
	if found, firmware, err := FindTools(BIOS, none); err != nil || found != qemu || firmware != nil {
		t.Errorf("got %q, %v and error %v", found, firmware, err)
	}
	_, _, err := FindTools(SecureBoot, none)
	if want := "this machine has no UEFI firmware with Secure Boot: run `sudo apt-get install ovmf` on Debian or Ubuntu, or `sudo dnf install edk2-ovmf` on Fedora"; err == nil || err.Error() != want {
		t.Errorf("got error %v", err)
	}
}
