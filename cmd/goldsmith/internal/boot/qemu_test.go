// SPDX-License-Identifier: Apache-2.0

package boot

import (
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
		machine machine
		want    string
	}{
		"a user has the console, BIOS": {machine{accel: tcg, format: v1alpha1.ArtifactFormatRaw, memory: 1024, cpus: 2}, `-nodefaults -no-user-config
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
		"UEFI, SSH": {machine{
			accel: kvm, format: v1alpha1.ArtifactFormatQCOW2, memory: 4096, cpus: 8, ssh: 2222, watched: true,
			firmware: &firmware{code: flash{"/usr/share/a,b.fd", "raw"}, variables: flash{"/usr/share/vars.qcow2", "qcow2"}},
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
		"Secure Boot, until a target": {machine{
			accel: tcg, format: v1alpha1.ArtifactFormatRaw, memory: 1024, cpus: 1, watched: true, credentials: targetGoal("multi-user.target", word).credentials,
			firmware: &firmware{flash{"code.fd", "raw"}, flash{"vars.fd", "raw"}, true},
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
	} {
		got := strings.ReplaceAll(strings.Join(test.machine.arguments(), " "), " -", "\n-")
		if diff := cmp.Diff(strings.ReplaceAll(test.want, " -", "\n-"), got); diff != "" {
			t.Errorf("%s: the arguments differ from what was seen to work (-want +got):\n%s", title, diff)
		}
	}
}
