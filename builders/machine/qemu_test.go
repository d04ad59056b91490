// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestArgumentsOfQEMU(t *testing.T) {
	const network = `
-netdev user,id=network
-device virtio-net-pci,netdev=network,romfile=`
	const drives = `
-device virtio-blk-pci,drive=disk,bootindex=1,werror=report
-device virtio-rng-pci`
	const watched = `
-chardev stdio,id=console,signal=off
-serial chardev:console`
	for title, test := range map[string]struct {
		machine Machine
		want    string
	}{
		"a user has the console, BIOS": {Machine{Accelerator: TCG, Format: v1alpha1.ArtifactFormatRaw, Memory: 1024, CPUs: 2}, `-nodefaults -no-user-config
-display none
-no-reboot
-machine q35,graphics=off
-accel tcg,thread=single
-cpu max
-m 1024M
-smp 2
-drive if=none,id=disk,cache=unsafe,discard=unmap,format=raw,file=/dev/fd/3` + drives + network + `
-chardev stdio,id=console,signal=off,mux=on
-serial chardev:console
-mon chardev=console`},
		"UEFI, SSH": {Machine{
			Accelerator: KVM, Format: v1alpha1.ArtifactFormatQCOW2, Memory: 4096, CPUs: 8, Ports: []Port{{2222, 22}}, Watched: true,
			Firmware: &Firmware{Code: Flash{"/usr/share/a,b.fd", "raw"}, Variables: Flash{"/usr/share/vars.qcow2", "qcow2"}},
		}, `-nodefaults -no-user-config
-display none
-no-reboot
-machine q35,graphics=off
-accel kvm
-cpu host
-m 4096M
-smp 8
-drive if=pflash,unit=0,readonly=on,format=raw,file=/usr/share/a,,b.fd
-drive if=pflash,unit=1,format=qcow2,file=/dev/fd/4
-drive if=none,id=disk,cache=unsafe,discard=unmap,format=qcow2,file=/dev/fd/3` + drives + `
-netdev user,id=network,hostfwd=tcp:127.0.0.1:2222-:22
-device virtio-net-pci,netdev=network,romfile=` + watched},
		"Secure Boot, until a target": {Machine{
			Accelerator: TCG, Format: v1alpha1.ArtifactFormatRaw, Memory: 1024, CPUs: 1, Watched: true, Credentials: targetGoal("multi-user.target", word).Credentials,
			Firmware: &Firmware{Flash{"code.fd", "raw"}, Flash{"vars.fd", "raw"}, true},
		}, `-nodefaults -no-user-config
-display none
-no-reboot
-machine q35,graphics=off,smm=on
-accel tcg,thread=single
-cpu max
-m 1024M
-smp 1
-global driver=cfi.pflash01,property=secure,value=on
-drive if=pflash,unit=0,readonly=on,format=raw,file=code.fd
-drive if=pflash,unit=1,format=raw,file=/dev/fd/4
-drive if=none,id=disk,cache=unsafe,discard=unmap,format=raw,file=/dev/fd/3` + drives + network + `
-smbios type=11,value=io.systemd.credential.binary:systemd.extra-unit.goldsmith-boot.service=` +
			`W1VuaXRdCkRlc2NyaXB0aW9uPVRlbGwgZ29sZHNtaXRoIGJvb3QgdGhhdCBtdWx0aS11c2VyLnRhcmdldCBpcyByZWFjaGVkCkRlZmF1bHREZXBlbmRlbmNpZXM9bm8KUmVxdWlyZXM9bXVsdGktdXNlci50YXJnZXQKQWZ0ZXI9bXVsdGktdXNlci50YXJnZXQKCltTZXJ2aWNlXQpUeXBlPW9uZXNob3QKRXhlY1N0YXJ0PWVjaG8gR09MRFNNSVRIV09SRApTdGFuZGFyZE91dHB1dD10dHkKVFRZUGF0aD0vZGV2L3R0eVMwCg==
-smbios type=11,value=io.systemd.credential.binary:systemd.unit-dropin.multi-user.target=W1VuaXRdCldhbnRzPWdvbGRzbWl0aC1ib290LnNlcnZpY2UK` + watched},
		"a test": {Machine{
			Accelerator: KVM, Format: v1alpha1.ArtifactFormatRaw, Memory: 512, CPUs: 2, Watched: true, Closed: true, Confined: true, Snapshot: true, Ports: []Port{{40000, 80}},
			Files: Files{Data: os.Stdin, Channel: os.Stdout, Monitor: os.Stderr},
		}, `-nodefaults -no-user-config
-display none
-no-reboot
-machine q35,graphics=off
-accel kvm
-cpu host
-m 512M
-smp 2
-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
-drive if=none,id=disk,cache=unsafe,discard=unmap,format=raw,file=/dev/fd/3,snapshot=on` + drives + `
-netdev user,id=network,restrict=on,hostfwd=tcp:127.0.0.1:40000-:80
-device virtio-net-pci,netdev=network,romfile=
-drive if=none,id=data,format=raw,readonly=on,file=/dev/fd/5
-device virtio-blk-pci,drive=data,serial=goldsmith-tests
-device virtio-serial-pci
-chardev socket,id=channel,fd=6
-device virtserialport,chardev=channel,name=dev.goldsmith.results
-chardev socket,id=monitor,fd=7
-mon chardev=monitor,mode=control` + watched},
	} {
		got := strings.ReplaceAll(strings.Join(test.machine.arguments(), " "), " -", "\n-")
		if diff := cmp.Diff(strings.ReplaceAll(test.want, " -", "\n-"), got); diff != "" {
			t.Errorf("%s: the arguments differ from what was seen to work (-want +got):\n%s", title, diff)
		}
	}
}
