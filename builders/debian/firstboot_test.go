// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestWhatPackagesMakeForAMachineIsMadeAtItsFirstBoot(t *testing.T) {
	for name, test := range map[string]struct {
		before, after string // digests and paths
		want          []string
	}{
		"nothing":             {"", "", nil},
		"all of it":           {"a  /etc/nvme/hostnqn,b  /etc/nvme/hostid,c  /etc/bind/rndc.key", "a  /etc/nvme/hostnqn,b  /etc/nvme/hostid,c  /etc/bind/rndc.key", []string{"nvme-cli", "bind9"}},
		"a file of the image": {"a  /etc/nvme/hostnqn,b  /etc/nvme/hostid,c  /etc/bind/rndc.key", "a  /etc/nvme/hostnqn,other  /etc/nvme/hostid,c  /etc/bind/rndc.key", []string{"bind9"}},
		"half of it":          {"a  /etc/ssl/private/ssl-cert-snakeoil.key", "a  /etc/ssl/private/ssl-cert-snakeoil.key", nil},
	} {
		t.Run(name, func(t *testing.T) {
			answers := "sha256sum */ssl-cert-snakeoil.key */rndc.key|0|" + strings.ReplaceAll(test.before, ",", `\n`) + "\n"
			for line := range strings.SplitSeq(test.after, ",") {
				_, path, _ := strings.Cut(line, "  ")
				answers += "sha256sum " + path + "|0|" + line + "\n"
			}
			calls, failed := applied(t, nil, nil, answers, "")
			require.NoError(t, failed)
			var removed, made []string
			for line := range strings.Lines(calls) {
				line = strings.TrimSuffix(line, "\n")
				if files, found := strings.CutPrefix(line, "rm /etc/"); found {
					removed = append(removed, files)
				}
				if packaged, found := strings.CutPrefix(line, "  "); found && len(removed) > 0 && !strings.Contains(packaged, " ") {
					made = append(made, packaged)
				}
			}
			if diff := cmp.Diff(test.want, made); diff != "" || len(removed) != len(test.want) {
				t.Errorf("removed %q, made at the first boot: %s\n%s", removed, diff, calls)
			}
			if enabled := strings.Contains(calls, "systemctl enable goldsmith-first-boot.service"); enabled != (test.want != nil) {
				t.Errorf("the unit is enabled: %t", enabled)
			}
		})
	}
}

// The postinst of a package finds the programs that start services replaced by one that does nothing.
func TestTheFirstBootRunsTheScriptsOfThePackagesOnce(t *testing.T) {
	directory := t.TempDir()
	at := func(name string) string { return filepath.Join(directory, name) }
	script := strings.ReplaceAll(string(firstBoot), "/var/lib/dpkg/info", directory)
	require.NoError(t, os.WriteFile(at("first-boot"), []byte(script), 0o700))
	require.NoError(t, os.WriteFile(at("a.postinst"), []byte("#!/bin/sh\nsystemctl start a && invoke-rc.d a start && echo \"$DPKG_MAINTSCRIPT_PACKAGE $*\" >>"+at("ran")+"\n"), 0o700))
	require.NoError(t, os.WriteFile(at("b.postinst"), []byte("#!/bin/sh\ntest -e "+at("b")+"\n"), 0o700))
	require.NoError(t, os.WriteFile(at("packages"), []byte("b\na\n"), 0o600))
	if err := exec.CommandContext(t.Context(), at("first-boot")).Run(); err == nil {
		t.Error("it succeeds although a package failed")
	}
	require.NoError(t, os.WriteFile(at("b"), nil, 0o600))
	require.NoError(t, exec.CommandContext(t.Context(), at("first-boot")).Run())
	if ran := string(require.Value(os.ReadFile(at("ran")))(t)); ran != "a configure\na configure\n" {
		t.Errorf("ran %q", ran)
	}
	if _, err := os.Stat(at("packages")); !os.IsNotExist(err) {
		t.Errorf("it would run again: %v", err)
	}
}
