//go:build e2e

// SPDX-License-Identifier: Apache-2.0

package release

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// passed is what a scenario in a machine prints last.
const passed = "scenario: passed"

// unit runs the scenario at boot, with its output on the console, and then turns the machine off.
const unit = `[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'sh /scenario.sh && echo "` + passed + `" || journalctl --unit goldsmith-server --no-pager --lines 60'
ExecStopPost=/sbin/poweroff --force --force
StandardOutput=journal+console
StandardError=journal+console
TimeoutStartSec=infinity
[Install]
WantedBy=multi-user.target
`

// boot runs a scenario in a virtual machine with systemd, which has the packages of both releases and no network.
func (s *system) boot(t *testing.T, scenario string) {
	t.Helper()
	root := s.extract(t, scenario)
	for directory, dist := range map[string]string{"dist": s.dist, "next": s.next} {
		packages, err := filepath.Glob(filepath.Join(dist, "*.deb"))
		if err != nil {
			t.Fatal(err)
		}
		mustRun(t, "mkdir", filepath.Join(root, directory))
		mustRun(t, "cp", append(packages, filepath.Join(root, directory))...)
	}
	service := filepath.Join(root, "etc/systemd/system/scenario.service")
	if err := os.WriteFile(service, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "chroot", root, "systemctl", "enable", "--quiet", "scenario.service")
	disk := filepath.Join(t.TempDir(), "disk.raw")
	mustRun(t, "mke2fs", "-q", "-t", "ext4", "-d", root, disk, "4G")
	kernel, err := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*"))
	if err != nil || len(kernel) != 1 {
		t.Fatalf("got the kernels %v: %v", kernel, err)
	}
	out := mustRunWith(t, nil, "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "2G", "-smp", "2", "-nographic", "-no-reboot", "-net", "none",
		"-drive", "file="+disk+",format=raw,if=virtio", "-kernel", kernel[0], "-initrd", strings.Replace(kernel[0], "vmlinuz", "initrd.img", 1),
		"-append", "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=no")
	if !bytes.Contains(out, []byte(passed)) {
		t.Error("the scenario did not pass")
	}
}
