// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package debian

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/builders/debian/output"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestAptTakesPackagesForNamesOnly asks apt of this machine, with a mirror of a few packages of which ping is installed.
func TestAptTakesPackagesForNamesOnly(t *testing.T) {
	directory := t.TempDir()
	var archive, status strings.Builder
	for _, name := range []string{"cowsay", "cowsay-off", "curl", "g++", "libstdc++6", "memtest86+", "ping"} {
		stanza := "Package: " + name + "\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody\nDescription: none\n"
		archive.WriteString(stanza + "Filename: ./" + name + ".deb\nSize: 1\nSHA256: " + strings.Repeat("0", 64) + "\n\n")
		if name == "ping" {
			status.WriteString(stanza + "Status: install ok installed\n\n")
		}
	}
	for name, content := range map[string]string{
		"archive/Packages": archive.String(), "status": status.String(), "lists/partial/x": "", "archives/partial/x": "",
		"sources.list": "deb [trusted=yes] copy:" + directory + "/archive ./\n",
		"apt.conf": `Dir::State "` + directory + `"; Dir::State::status "` + directory + `/status"; Dir::Cache "` + directory + `"; Dir::Etc::sourcelist "` + directory +
			`/sources.list"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::parts "/dev/null"; APT::Architecture "amd64"; APT::Architectures:: "amd64"; APT::Sandbox::User "root";`,
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(directory, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600))
	}
	apt := func(arguments ...string) string {
		command := exec.CommandContext(t.Context(), "apt-get", arguments...)
		command.Env = []string{"APT_CONFIG=" + filepath.Join(directory, "apt.conf"), "PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
		said, err := command.CombinedOutput()
		if err != nil {
			if fault, found := output.FaultOf(strings.Split(string(said), "\n")); fault == output.UnknownPackage {
				return "no " + found[1]
			}
			t.Fatalf("%v: %s", err, said)
		}
		var changes []string
		for _, found := range regexp.MustCompile(`(?m)^(Inst|Remv) (\S+)`).FindAllStringSubmatch(string(said), -1) {
			changes = append(changes, found[1]+" "+found[2])
		}
		return strings.Join(changes, ", ")
	}
	apt("update")
	for item, want := range map[string]string{
		"curl": "Inst curl", "curl=1.0": "Inst curl", "g++": "Inst g++", "libstdc++6": "Inst libstdc++6", "memtest86+": "Inst memtest86+",
		"curl+": "", "ping-": "", "ping+": "", "cowsay.": "", "cow.ay": "", "g+": "", "c.*y": "",
	} {
		if got, want := apt(append([]string{"--simulate", namesOnly, "install"}, exactly([]string{item})...)...), cmp.Or(want, "no "+item+":"+architecture); got != want {
			t.Errorf("%s: %s, want %s", item, got, want)
		}
	}
}
