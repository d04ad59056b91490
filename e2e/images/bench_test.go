// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package images

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/require"
)

const mib = 1 << 20

// input is what the builder builds: the server of the README without its files. Packages of security updates are left out, because debootstrap
// knows one suite only.
const input = `{"attempt":1,"base":{"reference":"debian:trixie"},"build":{"name":"server-1","namespace":"default","uid":"1"},"files":{},` +
	`"parameters":{"acceptExpired":"true","packages":"nginx-light curl","securityMirror":"none","size":"1G"},"targets":[` +
	`{"format":"oci","name":"linux/amd64/oci","platform":"linux/amd64"},{"format":"qcow2","name":"linux/amd64/qcow2","platform":"linux/amd64"},` +
	`{"format":"raw","name":"linux/amd64/raw","platform":"linux/amd64"}],"version":1}`

// The root file system on the disk of that size.
const (
	rootOffset = 66 * mib
	rootSize   = (1024 - 66 - 1) * mib
)

// debootstrap installs the same packages as root and writes the same file system, without users, services, boot loaders and a partition table.
const debootstrap = `set -eu
echo "== packages"
debootstrap --variant=minbase --include="$PACKAGES" trixie root http://deb.debian.org/debian
rm -f root/var/cache/apt/archives/*.deb
echo "== disk"
truncate --size=$SIZE disk.raw
mke2fs -q -t ext4 -L root -m 1 -d root disk.raw
`

// compared are the stages of the builder that do what debootstrap does.
var compared = []string{"start", "mirror", "packages", "disk"}

// BenchmarkBuild builds a server with the builder in its sandbox, and then installs the same packages with debootstrap as root. The metric
// wall-ratio compares the two: a builder that is as fast has 1.
func BenchmarkBuild(b *testing.B) {
	if os.Getuid() != 0 {
		b.Fatal("debootstrap needs root: run `sudo make bench-images`")
	}
	for program, pkg := range map[string]string{"debootstrap": "debootstrap", "debugfs": "e2fsprogs"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Fatalf("there is no program %s on this machine: apt-get install %s", program, pkg)
		}
	}
	proxy := startMirror(b)
	for b.Loop() {
		var ours, theirs []stage
		for fetched := true; fetched; { // what is fetched for the first time is measured again
			before := misses(b, proxy)
			directory := b.TempDir()
			ours = measure(b, builder(b, directory, proxy))
			theirs = measure(b, reference(b, b.TempDir(), proxy, packagesOf(b, filepath.Join(directory, "output", "disk.raw"))))
			fetched = misses(b, proxy) > before
		}
		report(b, "builder", ours)
		report(b, "debootstrap", theirs)
		wall, cpu := total(ours)
		theirWall, theirCPU := total(theirs)
		b.ReportMetric(wall.Seconds()/theirWall.Seconds(), "wall-ratio")
		b.ReportMetric(cpu.Seconds()/theirCPU.Seconds(), "cpu-ratio")
	}
}

// builder returns the command that `goldsmith up` runs for a build.
func builder(b *testing.B, directory, proxy string) *exec.Cmd {
	b.Helper()
	command := exec.Command(require.Value(filepath.Abs(programGoldsmith))(b), "debian-builder")
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "XDG_CACHE_HOME=" + require.Value(os.UserCacheDir())(b), "http_proxy=" + proxy}
	for variable, name := range map[string]string{"GOLDSMITH_OUTPUT": "output", "TMPDIR": "tmp"} {
		path := filepath.Join(directory, name)
		require.NoError(b, os.Mkdir(path, 0o700))
		command.Env = append(command.Env, variable+"="+path)
	}
	for variable, content := range map[string]string{"GOLDSMITH_INPUT": input, "GOLDSMITH_RESULT": ""} {
		path := filepath.Join(directory, variable)
		require.NoError(b, os.WriteFile(path, []byte(content), 0o600))
		command.Env = append(command.Env, variable+"="+path)
	}
	return command
}

// reference returns the command that does the same with debootstrap.
func reference(b *testing.B, directory, proxy string, packages []string) *exec.Cmd {
	b.Helper()
	command := exec.Command("sh", "-c", debootstrap)
	command.Dir = directory
	command.Env = append(os.Environ(), "http_proxy="+proxy, "LC_ALL=C.UTF-8", "PACKAGES="+strings.Join(packages, ","), fmt.Sprintf("SIZE=%d", rootSize))
	return command
}

// packagesOf returns the names of the packages on a disk.
func packagesOf(b *testing.B, disk string) (packages []string) {
	b.Helper()
	status, err := exec.Command("debugfs", "-R", "cat /var/lib/dpkg/status", fmt.Sprintf("%s?offset=%d", disk, rootOffset)).Output()
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		if name, found := strings.CutPrefix(line, "Package: "); found {
			packages = append(packages, strings.TrimSpace(name))
		}
	}
	b.Logf("%d packages", len(packages))
	return packages
}

// misses returns how many files the mirror has fetched.
func misses(b *testing.B, proxy string) int {
	b.Helper()
	response, err := http.Get(proxy + "/statistics") //nolint:noctx // the mirror of this test
	require.NoError(b, err)
	defer func() { _ = response.Body.Close() }() // only read from
	var statistics struct {
		Misses int `json:"misses"`
	}
	require.NoError(b, json.NewDecoder(response.Body).Decode(&statistics))
	return statistics.Misses
}

// total returns what the stages took that both ways have.
func total(stages []stage) (wall, cpu time.Duration) {
	for _, stage := range stages {
		if slices.Contains(compared, stage.name) {
			wall, cpu = wall+stage.wall, cpu+stage.used.cpu
		}
	}
	return wall, cpu
}

// report logs the stages as a table.
func report(b *testing.B, what string, stages []stage) {
	b.Helper()
	text := fmt.Sprintf("%-12s %8s %8s %12s %12s", what, "s", "CPU s", "peak MiB", "written MiB")
	for _, stage := range stages {
		text += fmt.Sprintf("\n  %-10s %8.1f %8.1f %12d %12d", stage.name, stage.wall.Seconds(), stage.used.cpu.Seconds(), stage.used.memory/mib, stage.used.written/mib)
	}
	b.Log(text)
}

// BenchmarkBoot boots a server until its login.
func BenchmarkBoot(b *testing.B) {
	s := startServer(b, startMirror(b))
	s.apply(b, fmt.Sprintf(small, 0, 0, "#!/bin/sh\n"))
	if log, err := s.follow(b.Context(), "image-0"); err != nil {
		b.Fatalf("the build did not succeed: %v\n%s", err, log)
	}
	for _, firmware := range []string{"bios", "uefi", "secureboot"} {
		b.Run(firmware, func(b *testing.B) {
			var cpu time.Duration
			for b.Loop() {
				boot := s.client(b.Context(), "boot", "image-0", "--firmware", firmware, "--until", "login", "--timeout", deadline.Boot.Deadline().String())
				if console, err := boot.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, console)
				}
				cpu += boot.ProcessState.UserTime() + boot.ProcessState.SystemTime()
			}
			b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}
