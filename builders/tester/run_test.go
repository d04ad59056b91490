// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tester

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/machine"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const raw = "linux/amd64/raw"

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func boots(name string) v1alpha1.ImageTest {
	return v1alpha1.ImageTest{Name: name, Boot: &v1alpha1.TestBoot{}}
}

// runTests runs tests of a disk in emulation, and returns the report and the log.
func runTests(t *testing.T, scenario string, options Options) (*Report, string) {
	t.Helper()
	temporary := machineWith(t, scenario)
	var log bytes.Buffer
	options.Log, options.Temporary = &log, temporary
	if options.Disks == nil {
		options.Disks = map[string]string{raw: writeDisk(t)}
	}
	options.settle = time.Second / emulated
	if options.Accelerator == "" {
		options.Accelerator = machine.TCG
	}
	report, err := Run(t.Context(), options)
	require.NoError(t, err)
	if left := require.Value(os.ReadDir(temporary))(t); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	return report, log.String()
}

func TestAGuestIsChecked(t *testing.T) {
	web := boots("web")
	web.Boot.AllowFailedUnits = []string{"known.service"}
	web.Checks = &v1alpha1.TestChecks{
		Units: []string{"nginx.service", "web.service", "nope.service"},
		Ports: []v1alpha1.PortCheck{
			{Port: 22}, {Port: 80}, {Port: 81}, {Port: 90}, {Port: 80, HTTP: &v1alpha1.HTTPCheck{Body: "golden"}}, {Port: 80, HTTP: &v1alpha1.HTTPCheck{Path: "/x", Status: ptr.To[int32](404)}},
		},
		Commands: []v1alpha1.CommandCheck{
			{Run: "echo \"it's\" $HOME; exit 3", ExitCode: ptr.To[int32](3), Contains: "it's /root"},
			{Run: "cat; echo wrong >&2; exit 1"},
			{Run: "sleep 5 & echo started", Contains: "stopped"},
			{Run: "head -c 3000000 /dev/zero | tr '\\0' x", Contains: "xx"},
		},
		Files: []v1alpha1.FileCheck{{Path: "/bin/sh"}, {Path: "/etc/passwd", Contains: "root:"}, {Path: "/etc/passwd", Contains: "Root:"}, {Path: "/nonexistent"}, {Path: "/etc", Contains: "x"}},
	}
	site := boots("site")
	site.Boot.AllowFailedUnits, site.Goss = web.Boot.AllowFailedUnits, "site.yaml"
	report, log := runTests(t, "scripts", Options{
		Tests: []v1alpha1.ImageTest{web, site}, Files: map[string]string{"site.yaml": "service: {nginx: {running: true}}\n"}, Clock: clocktesting.NewFakeClock(noon),
	})
	const failedUnits = `web.service has failed (exit-code); its last line is "the configuration is wrong"`
	want := [][]Check{{
		{Name: "boot until multi-user.target"}, {Name: "no failed unit", Failure: failedUnits},
		{Name: "unit nginx.service"}, {Name: "unit web.service", Failure: `is failed, not active (exit-code, status 7); its last line is "the configuration is wrong"`},
		{Name: "unit nope.service", Failure: "the guest has no such unit"},
		{Name: "port 22"}, {Name: "port 80"}, {Name: "port 81", Failure: "it accepts no connection"},
		{Name: "port 90", Failure: "the guest does not answer, as if a firewall drops the packets"}, {Name: "GET / of port 80"}, {Name: "GET /x of port 80", Failure: "status 200, not 404"},
		{Name: `command echo "it's" $HOME; exit 3`}, {Name: "command cat; echo wrong >&2; exit 1", Failure: `exit code 1, not 0; its last line is "wrong"`},
		{Name: "command sleep 5 & echo started", Failure: `its output does not contain "stopped"; its last line is "started"`}, {Name: `command head -c 3000000 /dev/zero | tr '\0' x`},
		{Name: "file /bin/sh"}, {Name: "file /etc/passwd"}, {Name: "file /etc/passwd", Failure: `no line contains "Root:"`},
		{Name: "file /nonexistent", Failure: "it does not exist"}, {Name: "file /etc", Failure: `it cannot be read; its last line is "grep: /etc: Is a directory"`},
	}, {
		{Name: "boot until multi-user.target"}, {Name: "no failed unit", Failure: failedUnits},
		{Name: "goss Service nginx: running"}, {Name: "goss File /etc/motd: contents", Failure: "Expected a to have b"},
	}}
	for i, checks := range want {
		if diff := cmp.Diff(checks, report.Results[i].Checks, cmpopts.IgnoreFields(Check{}, "Output")); diff != "" {
			t.Errorf("checks of %s (-want +got):\n%s\nlog:\n%s", report.Results[i].Name, diff, log)
		}
	}
	first := report.Results[0].Test
	if first.Outcome != v1alpha1.TestFailed || first.Passed != 9 || first.Failed != 11 || first.Message != "no failed unit: "+failedUnits {
		t.Errorf("got %+v", first)
	}
	for line := range strings.Lines(log) {
		if !strings.HasPrefix(line, "web: ") && !strings.HasPrefix(line, "site: ") {
			t.Errorf("the log has the line %q", line)
		}
	}
}

func TestOutcomes(t *testing.T) {
	for scenario, test := range map[string]struct {
		until   string
		timeout time.Duration
		outcome v1alpha1.TestOutcome
		class   v1alpha1.FailureClass
		message string
	}{
		"halts":                                {outcome: v1alpha1.TestFailed, message: `boot until multi-user.target: the guest stopped or restarted before it reached multi-user.target; the last line of its console is "reboot: Power down"`},
		"no disk":                              {outcome: v1alpha1.TestFailed, message: "boot until multi-user.target: the firmware finds nothing that it can boot: No bootable device."},
		"panics early":                         {outcome: v1alpha1.TestError, class: v1alpha1.FailureInfrastructure, message: "the kernel panicked: [    0.1] Kernel panic - not syncing: Fatal exception"},
		"has no root":                          {outcome: v1alpha1.TestFailed, message: "boot until multi-user.target: the kernel panicked: [    0.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"},
		"waits":                                {timeout: 500 * time.Millisecond, outcome: v1alpha1.TestFailed, message: "boot until multi-user.target: the guest did not reach multi-user.target within 2s; its console is empty; systemd has jobs and failed units: 7 web-wait.service start running"},
		"crawls":                               {timeout: 500 * time.Millisecond, outcome: v1alpha1.TestError, class: v1alpha1.FailureInfrastructure, message: `the guest did not reach multi-user.target within 2s; the last line of its console is "[    0.1] a kernel starts"`},
		"starves":                              {timeout: 500 * time.Millisecond, outcome: v1alpha1.TestFailed, message: `boot until multi-user.target: the guest did not reach multi-user.target within 2s; the last line of its console is "Booting from Hard Disk..."`},
		"QEMU fails":                           {outcome: v1alpha1.TestError, class: v1alpha1.FailureInfrastructure, message: "QEMU failed: cannot set up guest memory"},
		"forges":                               {outcome: v1alpha1.TestPassed},
		"forges with the word, twice":          {outcome: v1alpha1.TestFailed, message: "the guest sent a message that the tester's script does not send: begin 0 1"},
		"forges with the word, endlessly":      {outcome: v1alpha1.TestFailed, message: "the guest sent a message that the tester's script does not send: it is longer than 6291456 bytes"},
		"forges with the word, in its own way": {outcome: v1alpha1.TestFailed, message: `the guest sent a message that the tester's script does not send: "passed"`},
		"asks for a login":                     {until: machine.Login, outcome: v1alpha1.TestPassed},
	} {
		t.Run(scenario, func(t *testing.T) {
			of := boots("web")
			of.Boot.Until = test.until
			if test.timeout > 0 {
				of.Timeout = &v1alpha1.Duration{Duration: test.timeout}
			}
			report, log := runTests(t, scenario, Options{Tests: []v1alpha1.ImageTest{of}})
			got := report.Results[0]
			if got.Outcome != test.outcome || got.Class != test.class || got.Message != test.message {
				t.Errorf("got %s, class %q, message %q; log:\n%s", got.Outcome, got.Class, got.Message, log)
			}
			if !got.Outcome.Passed() && got.Console == nil && strings.Contains(log, "web| ") {
				t.Error("the result has no lines of the console")
			}
		})
	}
}

func TestAnArtifactThatIsNoDiskFails(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "disk.raw")
	require.NoError(t, os.WriteFile(disk, []byte("an artifact of the builder mock"), 0o600))
	report, log := runTests(t, "halts", Options{Tests: []v1alpha1.ImageTest{boots("web")}, Disks: map[string]string{raw: disk}})
	const message = "the artifact is no disk that can boot: its bytes 510 and 511 are not those of a boot sector, 55 AA"
	if got := report.Results[0]; got.Outcome != v1alpha1.TestFailed || got.Message != message || log != "web: Failed: "+message+"\n" {
		t.Errorf("got %+v; log:\n%s", got.Test, log)
	}
}

func TestTestsOfAGuestShareItsConsole(t *testing.T) {
	other := boots("other")
	_, log := runTests(t, "halts", Options{Tests: []v1alpha1.ImageTest{boots("web"), other}})
	if strings.Count(log, "Welcome to Debian") != 1 || !strings.Contains(log, "\nweb,other| Welcome to Debian\n") {
		t.Errorf("got %s", log)
	}
}

func TestAGuestThatStopsWhileAPortIsCheckedFails(t *testing.T) {
	web := boots("web")
	web.Checks = &v1alpha1.TestChecks{Ports: []v1alpha1.PortCheck{{Port: 80}}}
	report, log := runTests(t, "stops while a port is checked", Options{Tests: []v1alpha1.ImageTest{web}})
	if got := report.Results[0]; got.Outcome != v1alpha1.TestFailed || !strings.Contains(got.Message, "the guest stopped or restarted") {
		t.Errorf("got %+v; log:\n%s", got.Test, log)
	}
}

func TestAFloodOfTheConsoleIsCut(t *testing.T) {
	report, log := runTests(t, "floods", Options{Tests: []v1alpha1.ImageTest{boots("web")}})
	if report.Results[0].Outcome != v1alpha1.TestPassed {
		t.Errorf("got %+v", report.Results[0])
	}
	if size := len(log); size < maxConsole || size > maxConsole*5/4 {
		t.Errorf("the log has %d bytes", size)
	}
	_, end, found := strings.Cut(log, " bytes of the console are left out, except for its end:\n")
	if !found || strings.Count(end, "web| flood ") < 100 || strings.ContainsAny(end, "\x07\x1b") {
		t.Errorf("the end of the log is %.1000q", end)
	}
}

func TestTestsRunAgain(t *testing.T) {
	flaky := boots("flaky")
	flaky.Flaky = &v1alpha1.FlakyTest{Attempts: 2}
	busy, other := boots("busy"), boots("other")
	busy.Timeout = &v1alpha1.Duration{Duration: 500 * time.Millisecond}
	for scenario, test := range map[string]struct {
		tests   []v1alpha1.ImageTest
		want    []v1alpha1.TestOutcome
		runs    int32 // of the first
		message string
	}{
		"is flaky":                {[]v1alpha1.ImageTest{flaky}, []v1alpha1.TestOutcome{v1alpha1.TestFlaky}, 2, ""},
		"KVM fails":               {[]v1alpha1.ImageTest{boots("web")}, []v1alpha1.TestOutcome{v1alpha1.TestError}, 1, "KVM failed: error: kvm run failed Bad address"},
		"KVM vanishes":            {[]v1alpha1.ImageTest{boots("web")}, []v1alpha1.TestOutcome{v1alpha1.TestPassed}, 1, ""},
		"hangs in the first test": {[]v1alpha1.ImageTest{busy, other}, []v1alpha1.TestOutcome{v1alpha1.TestFailed, v1alpha1.TestPassed}, 1, "no failed unit: it did not end within 2s"},
		"stops in the first test": {[]v1alpha1.ImageTest{busy, other}, []v1alpha1.TestOutcome{v1alpha1.TestFailed, v1alpha1.TestPassed}, 1, "no failed unit: the guest stopped or restarted; its console is empty"},
	} {
		t.Run(scenario, func(t *testing.T) {
			options := Options{Tests: test.tests}
			switch scenario {
			case "KVM fails":
				options.Accelerator = machine.KVM
			case "KVM vanishes": // after the probe
				options.Accelerator, options.probed = machine.Auto, machine.KVM
			}
			report, log := runTests(t, scenario, options)
			var got []v1alpha1.TestOutcome
			for i := range report.Results {
				got = append(got, report.Results[i].Outcome)
			}
			if first := report.Results[0]; !slices.Equal(got, test.want) || first.Runs != test.runs || first.Message != test.message {
				t.Errorf("got %v, %+v; log:\n%s", got, report.Results[0].Test, log)
			}
		})
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	ours, site, elsewhere, firmware := boots("ours"), boots("site"), boots("elsewhere"), boots("firmware")
	ours.Boot, site.Goss, elsewhere.Target = nil, "site.yaml", "linux/arm64/raw"
	firmware.Boot.Until = "prompt"
	report, _ := runTests(t, "halts", Options{Tests: []v1alpha1.ImageTest{ours, site, elsewhere, firmware}})
	for i, want := range []string{
		"test ours has no boot: add boot: {}", `goss: source has no file "site.yaml": add it, or choose another file`,
		`target "linux/arm64/raw" has no artifact here: choose another target`, `boot.until: "prompt": must be login, or a systemd target such as multi-user.target`,
	} {
		if got := report.Results[i]; got.Outcome != v1alpha1.TestError || got.Class != v1alpha1.FailureConfig || got.Message != want {
			t.Errorf("got %+v", got.Test)
		}
	}
	disk := writeDisk(t)
	t.Setenv("PATH", t.TempDir())
	var log bytes.Buffer
	report, err := Run(t.Context(), Options{
		Tests: []v1alpha1.ImageTest{site, boots("web")}, Disks: map[string]string{raw: disk}, Files: map[string]string{"site.yaml": "{}"}, Log: &log, Accelerator: machine.TCG,
	})
	require.NoError(t, err)
	for i, want := range []string{"this machine has no goss: run `sudo apt-get install goss`", "this machine has no qemu-system-x86_64: run `sudo apt-get install qemu-system-x86`"} {
		if got := report.Results[i]; got.Class != v1alpha1.FailureConfig || !strings.HasPrefix(got.Message, want) {
			t.Errorf("got %+v", got.Test)
		}
	}
}

func TestAGuestIsKept(t *testing.T) {
	var kept []Kept
	report, _ := runTests(t, "forges with the word, in its own way", Options{Tests: []v1alpha1.ImageTest{boots("web")}, Keep: &Keep{Failed: func(context.Context, Kept) { t.Error("a guest that is not to be trusted is kept") }}})
	if report.Passed() {
		t.Error("the test passed")
	}
	of := boots("web")
	of.Timeout = &v1alpha1.Duration{Duration: time.Second}
	runTests(t, "waits", Options{Tests: []v1alpha1.ImageTest{of}, Keep: &Keep{AuthorizedKeys: "ssh-ed25519 AAAA", Failed: func(ctx context.Context, guest Kept) {
		if kept = append(kept, guest); ctx.Err() != nil {
			t.Error("the guest had ended")
		}
	}}})
	if len(kept) != 1 || kept[0].SSH == 0 || kept[0].Result.Outcome != v1alpha1.TestFailed {
		t.Errorf("kept %+v", kept)
	}
}

// attempt runs Main with tests, and returns its exit code, its result and its output directory.
func attempt(ctx context.Context, t *testing.T, scenario string, stdout io.Writer, tests ...v1alpha1.ImageTest) (code int, said result.Result, output string) {
	t.Helper()
	temporary, directory := machineWith(t, scenario), t.TempDir()
	base := filepath.Dir(writeDisk(t))
	for i := range tests {
		tests[i].Target = raw
	}
	input := render.Input{Version: 1, Tests: tests, Base: render.InputBase{Artifacts: []render.InputArtifact{{Target: raw, Path: "disk.raw"}}}}
	require.NoError(t, os.WriteFile(filepath.Join(directory, "input"), require.Value(json.Marshal(input))(t), 0o600))
	output = t.TempDir()
	variables := map[string]string{
		render.EnvInput: filepath.Join(directory, "input"), render.EnvResult: filepath.Join(directory, "result"), render.EnvOutput: output, render.EnvBase: base, "TMPDIR": temporary,
	}
	code = Main(ctx, func(name string) string { return variables[name] }, stdout, io.Discard, nil)
	if text, err := os.ReadFile(filepath.Join(directory, "result")); err == nil {
		require.NoError(t, json.Unmarshal(text, &said))
	}
	if left := require.Value(os.ReadDir(temporary))(t); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	return code, said, output
}

func TestTheContractOfBuilders(t *testing.T) {
	code, said, output := attempt(t.Context(), t, "asks for a login", io.Discard, v1alpha1.ImageTest{Name: "web", Boot: &v1alpha1.TestBoot{Until: machine.Login}})
	if code != 0 || said.Outcome != result.OutcomeSucceeded || len(said.Tests) != 1 || said.Tests[0].Outcome != v1alpha1.TestPassed || said.Report.File != reportFile {
		t.Errorf("got code %d, %+v", code, said)
	}
	if text := string(require.Value(os.ReadFile(filepath.Join(output, reportFile)))(t)); !strings.Contains(text, `<testcase classname="web" name="boot until login"`) {
		t.Errorf("got %s", text)
	}
	if code, said, _ := attempt(t.Context(), t, "halts", io.Discard); code != exitFailed || said.Outcome != result.OutcomeFailed || said.Failure.Reason != "InvalidInput" {
		t.Errorf("without tests: got code %d, %+v", code, said)
	}
}

// stopping is a log whose first line about a guest ends the attempt.
type stopping struct{ stop func() }

func (s stopping) Write(data []byte) (int, error) {
	if bytes.Contains(data, []byte("web| ")) {
		s.stop()
	}
	return len(data), nil
}

func TestTheEndOfTheAttemptEndsGuests(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	code, said, output := attempt(ctx, t, "starves", stopping{stop}, boots("web"))
	if left := require.Value(os.ReadDir(output))(t); code != exitTerminated || said.Outcome != "" || len(left) > 0 {
		t.Errorf("got code %d, %+v, left %v", code, said, left)
	}
}

func TestTheResultHasRoom(t *testing.T) {
	said := result.Result{Outcome: result.OutcomeSucceeded, Report: &result.Content{File: reportFile, MediaType: result.MediaTypeJUnit}}
	for i := range 16 {
		said.Tests = append(said.Tests, result.Test{
			Name: strings.Repeat("n", 61) + fmt.Sprint(10+i), Outcome: v1alpha1.TestError, Class: v1alpha1.FailureInfrastructure, Runs: 5, Milliseconds: 86400000, Passed: 1000, Failed: 1000,
			Message: strings.Repeat("é\x01", 256),
		})
	}
	text := require.Value(encode(said))(t)
	got := result.Result{}
	require.NoError(t, json.Unmarshal(text, &got))
	if len(text) > result.MaxBytes || len(text) < result.MaxBytes/2 || len(got.Tests) != 16 || len(got.Tests[0].Name) != 63 {
		t.Errorf("got %d bytes: %s", len(text), text)
	}
	said.Tests = said.Tests[:1]
	if text := require.Value(encode(said))(t); !strings.Contains(string(text), strings.Repeat("é\\u0001", 100)) {
		t.Errorf("a message with room is cut: %s", text)
	}
}

func TestTheReportIsXMLForAnyBytes(t *testing.T) {
	report := &Report{Results: []Result{
		{
			Test: result.Test{Name: "web", Outcome: v1alpha1.TestFailed, Runs: 2, Milliseconds: 61500, Passed: 1, Failed: 1, Message: "port 80: no answer"}, Target: raw, Began: noon,
			Checks:  []Check{{Name: "boot until login", Took: time.Minute}, {Name: `command echo "<a>"`, Took: 1500 * time.Millisecond, Failure: "exit code 1, not 0", Output: "]]>\x00\xff\n"}},
			Console: []string{"login: \x1b[1m", "&"},
		},
		{Test: result.Test{Name: "ours", Outcome: v1alpha1.TestError, Class: v1alpha1.FailureConfig, Runs: 1, Message: "no goss"}, Target: raw, Began: noon},
	}}
	var got bytes.Buffer
	require.NoError(t, report.WriteJUnit(&got))
	want := string(require.Value(os.ReadFile("testdata/junit.xml"))(t))
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("the report differs (-want +got):\n%s", diff)
	}
}
