// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package images

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/deadline"
	"goldsmith.dev/goldsmith/e2e/require"
)

const testedImage = `apiVersion: images.goldsmith.dev/v1alpha1
kind: Image
metadata: {name: tested}
spec:
  builder: {name: debian}
  base: {reference: debian:trixie}
  parameters: [{name: packages, value: nginx-light openssh-server}, {name: services, value: nginx}]
  source: {inline: {files: {root/var/www/html/index.html: golden}}}
  targets: [{platform: linux/amd64, format: raw}]
`

// tests are for the two disks of TestImagesAreTested. Those without wrong in their name pass.
const tests = `[
{"name": "web", "target": "linux/amd64/raw", "boot": {}, "checks": {"units": ["nginx.service"], "ports": [{"port": 80, "http": {"body": "golden"}}, {"port": 80}],
  "commands": [{"run": "nginx -t"}, {"run": "id -un", "contains": "root"}, {"run": "timeout 5 bash -c '</dev/tcp/10.0.2.2/80' || exit 9", "exitCode": 9}],
  "files": [{"path": "/etc/os-release", "contains": "trixie"}]}},
{"name": "wrong-answer", "target": "linux/amd64/raw", "boot": {}, "checks": {"ports": [{"port": 80, "http": {"body": "silver"}}]}},
{"name": "wrong-port", "target": "linux/amd64/raw", "boot": {}, "checks": {"ports": [{"port": 81}]}},
{"name": "wrong-unit", "target": "linux/amd64/raw", "boot": {"firmware": "uefi"},
  "checks": {"commands": [{"run": "systemd-run --wait --unit=broken sh -c 'echo the configuration is wrong; exit 7'", "exitCode": 7}]}},
{"name": "wrong-disk", "target": "linux/amd64/v2/raw", "boot": {"until": "login"}, "timeout": "15s"}
]`

// TestImagesAreTested boots one disk with BIOS and UEFI, and its copy without a boot loader. It measures a test beside `goldsmith boot`, and logs
// in to the guest of a test that failed.
func TestImagesAreTested(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline.DebianBuild.Deadline()+3*deadline.Boot.Deadline())
	defer cancel()
	s := startServer(t, startMirror(t))
	s.apply(t, testedImage)
	if log, err := s.follow(ctx, "tested"); err != nil {
		t.Fatalf("the build did not succeed: %v\n%s", err, log)
	}
	base := t.TempDir()
	if out, err := s.client(ctx, "artifacts", "get", "tested", "-o", filepath.Join(base, "disk.raw")).CombinedOutput(); err != nil {
		t.Fatalf("get the disk: %v\n%s", err, out)
	}
	if out, err := exec.CommandContext(ctx, "cp", "--sparse=always", filepath.Join(base, "disk.raw"), filepath.Join(base, "empty.raw")).CombinedOutput(); err != nil {
		t.Fatalf("copy the disk: %v\n%s", err, out)
	}
	empty := require.Value(os.OpenFile(filepath.Join(base, "empty.raw"), os.O_WRONLY, 0))(t)
	require.Value(empty.WriteAt(make([]byte, 440), 0))(t) // the program of the boot sector
	require.NoError(t, empty.Close())

	began := time.Now()
	if out, err := s.client(ctx, "boot", "tested", "--until", "multi-user.target", "--timeout", deadline.Boot.Deadline().String()).CombinedOutput(); err != nil {
		t.Fatalf("the image did not boot: %v\n%s", err, out)
	}
	t.Logf("goldsmith boot --until multi-user.target took %s", time.Since(began).Round(time.Second))

	said := runTester(ctx, t, base)
	for _, got := range said.Tests {
		t.Logf("%s: %s after %d ms: %s", got.Name, got.Outcome, got.Milliseconds, got.Message)
		want := v1alpha1.TestPassed
		if strings.HasPrefix(got.Name, "wrong") {
			want = v1alpha1.TestFailed
		}
		if why := map[string]string{
			"wrong-answer": `GET / of port 80: the answer does not contain "silver"; its last line is "golden"`, "wrong-port": "port 81: it accepts no connection",
			"wrong-unit": `no failed unit: broken.service has failed (exit-code); its last line is "the configuration is wrong"`,
			"wrong-disk": "boot until login: the guest did not reach login within ",
		}[got.Name]; got.Outcome != want || !strings.HasPrefix(got.Message, why) {
			t.Errorf("%s: got %s: %s", got.Name, got.Outcome, got.Message)
		}
	}
	if len(said.Tests) != 5 {
		t.Errorf("got %d results", len(said.Tests))
	}
	keepGuest(ctx, t, filepath.Join(base, "disk.raw"))
}

// keepGuest tests a disk with --keep, logs in to the guest of the test that failed as the command tells, and interrupts the command.
func keepGuest(ctx context.Context, t *testing.T, disk string) {
	t.Helper()
	manifest, temporary := filepath.Join(t.TempDir(), "image.yaml"), t.TempDir()
	const wrong = "  tests:\n  - {name: boots, boot: {}}\n  - {name: wrong, boot: {}, checks: {commands: [{run: test -e /tmp/wrong}]}}\n"
	require.NoError(t, os.WriteFile(manifest, []byte(testedImage+wrong), 0o600))
	command := exec.CommandContext(ctx, programGoldsmith, "test", disk, "-f", manifest, "--keep")
	command.Env = append(os.Environ(), "TMPDIR="+temporary)
	stderr := require.Value(command.StderrPipe())(t)
	require.NoError(t, command.Start())
	login := ""
	for lines := bufio.NewScanner(stderr); login == "" && lines.Scan(); {
		t.Log(lines.Text())
		if line := strings.TrimSpace(lines.Text()); strings.HasPrefix(line, "ssh -i ") {
			login = line
		}
	}
	if out, err := exec.CommandContext(ctx, "sh", "-c", login+" cat /etc/os-release").Output(); err != nil || !strings.Contains(string(out), "trixie") {
		t.Errorf("%s: %v: %s", login, err, out)
	}
	require.NoError(t, command.Process.Signal(os.Interrupt))
	const testsFailed = 6
	if err := command.Wait(); command.ProcessState.ExitCode() != testsFailed {
		t.Errorf("after Ctrl-C: %v", err)
	}
	if left := require.Value(os.ReadDir(temporary))(t); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// testerResult is the result of the builder tester, as far as it matters here.
type testerResult struct {
	Tests []struct {
		Name         string
		Outcome      v1alpha1.TestOutcome
		Milliseconds int64
		Message      string
	}
}

// runTester runs the builder tester with the disks in a directory.
func runTester(ctx context.Context, t *testing.T, base string) (said testerResult) {
	t.Helper()
	directory, temporary := t.TempDir(), t.TempDir()
	input := `{"version": 1, "base": {"artifacts": [{"target": "linux/amd64/raw", "path": "disk.raw"}, {"target": "linux/amd64/v2/raw", "path": "empty.raw"}]}, "tests": ` + tests + `}`
	require.NoError(t, os.WriteFile(filepath.Join(directory, "input"), []byte(input), 0o600))
	command := exec.CommandContext(ctx, programGoldsmith, "tester")
	command.Env = append(os.Environ(), "GOLDSMITH_INPUT="+filepath.Join(directory, "input"), "GOLDSMITH_OUTPUT="+directory,
		"GOLDSMITH_RESULT="+filepath.Join(directory, "result"), "GOLDSMITH_BASE="+base, "TMPDIR="+temporary)
	log, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("the tester failed: %v\n%s", err, log)
	}
	require.NoError(t, json.Unmarshal(require.Value(os.ReadFile(filepath.Join(directory, "result")))(t), &said))
	if left := require.Value(os.ReadDir(temporary))(t); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the tester:\n%s", log)
		}
	})
	return said
}
