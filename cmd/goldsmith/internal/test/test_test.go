// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/tester"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/result"
)

// manifest has a test of each sort.
const manifest = `apiVersion: images.goldsmith.dev/v1alpha1
kind: Image
metadata: {name: server}
spec:
  builder: {name: debian}
  source: {inline: {files: {tests/site.yaml: "port: {}"}}}
  tests:
  - {name: boots, boot: {}}
  - {name: web, boot: {}, checks: {ports: [{port: 80}]}}
  - {name: site, boot: {}, goss: tests/site.yaml}
  - {name: beside, boot: {}, goss: beside.yaml}
  - {name: ours, runner: {name: our-runner}}
  - {name: small, target: linux/amd64/qcow2, boot: {}}
  - {name: maybe, required: false, boot: {}}
  - {name: later, boot: {}, quarantine: {until: "2026-11-30T00:00:00Z"}}
  - {name: again, boot: {}, quarantine: {until: "2026-11-28T00:00:00Z"}}
`

// sector is the first sector of a disk that can boot.
var sector = append(make([]byte, 510), 0x55, 0xaa)

// write writes a file in a new directory, with others beside it, and returns its path.
func write(t *testing.T, files map[string]string) (directory string) {
	directory = t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600))
	}
	return directory
}

// results are the results of a run: the outcomes by name, and passed for the others.
func run(outcomes map[string]v1alpha1.TestOutcome, ran *tester.Options) func(context.Context, tester.Options) (*tester.Report, error) {
	return func(ctx context.Context, options tester.Options) (*tester.Report, error) {
		*ran = options
		report := &tester.Report{}
		for i := range options.Tests {
			name := options.Tests[i].Name
			each := tester.Result{Target: options.Tests[i].Target, Test: result.Test{Name: name, Outcome: v1alpha1.TestPassed, Passed: 1, Milliseconds: 31_000}}
			_, _ = fmt.Fprintf(options.Log, "%s: boots\n%s| Linux\n", name, name)
			if outcome, ok := outcomes[name]; ok {
				each.Outcome, each.Message, each.Console = outcome, "no \x1b answer", []string{"kernel: \x1b[2J", "the end"}
				each.Checks = []tester.Check{{Name: "boot"}, {Name: "port 80", Failure: "refused"}}
				each.Failed = 1
			}
			report.Results = append(report.Results, each)
			if each.Outcome == v1alpha1.TestFailed && options.Keep != nil {
				options.Keep.Failed(ctx, tester.Kept{Result: each, SSH: 2222})
				return nil, ctx.Err()
			}
		}
		return report, nil
	}
}

func TestADiskOfThisMachineIsTested(t *testing.T) {
	directory := write(t, map[string]string{"disk.raw": string(sector), "disk.qcow2": "QFI\xfb" + string(make([]byte, 100)), "image.yaml": manifest, "beside.yaml": "{}", "no.raw": "text"})
	failed := map[string]v1alpha1.TestOutcome{"web": v1alpha1.TestFailed}
	for line, test := range map[string]struct {
		outcomes map[string]v1alpha1.TestOutcome
		ran      []string
		code     int
		fails    string
		// shown is text of the standard error.
		shown string
	}{
		"disk.raw":                                       {ran: []string{"boots"}, shown: "no tests are declared"},
		"disk.raw -f image.yaml":                         {ran: []string{"boots", "web", "site", "beside", "maybe", "later", "again"}, shown: "test small is left out: it tests linux/amd64/qcow2\n"},
		"disk.qcow2 -f image.yaml --only small":          {ran: []string{"small"}},
		"disk.raw -f image.yaml --only web --only boots": {ran: []string{"boots", "web"}, outcomes: failed, code: exit.TestsFailed, fails: "1 of 2 tests failed: web", shown: "✗ test web: no ^[ answer\n  ✗ port 80: refused\n  the end of the console:\n    kernel: ^[[2J\n    the end\n"},
		"disk.raw -f image.yaml --only maybe":            {ran: []string{"maybe"}, outcomes: map[string]v1alpha1.TestOutcome{"maybe": v1alpha1.TestFailed}, shown: "test maybe: no"},
		"disk.raw -f image.yaml --only later":            {ran: []string{"later"}, outcomes: map[string]v1alpha1.TestOutcome{"later": v1alpha1.TestFailed}},
		"disk.raw -f image.yaml --only again":            {ran: []string{"again"}, outcomes: map[string]v1alpha1.TestOutcome{"again": v1alpha1.TestFailed}, code: exit.TestsFailed, fails: "1 of 1 tests failed: again"},
		"disk.raw -f image.yaml --only site":             {ran: []string{"site"}, outcomes: map[string]v1alpha1.TestOutcome{"site": v1alpha1.TestError}, code: exit.Failure, fails: "1 of 1 tests were not run to their end: site (no ^[ answer)"},
		"disk.raw --only web":                            {code: exit.Failure, fails: `--only "web": FILE has no such test: its tests are boots`},
		"disk.raw -f image.yaml --only wob":              {code: exit.Failure, fails: `--only "wob": image server has no such test: its tests are boots, web, site`},
		"disk.raw -f image.yaml --only ours":             {code: exit.Failure, fails: `--only "ours": its runner is the builder our-runner of the server`},
		"disk.raw --target linux/arm64/raw":              {code: exit.Failure, fails: "is linux/amd64/raw: omit --target"},
		"disk.raw -f none.yaml":                          {code: exit.Failure, fails: "none.yaml"},
		"no.raw":                                         {code: exit.Failure, fails: "no.raw is no disk that can boot"},
		"none.raw":                                       {code: exit.Failure, fails: "no such file"},
	} {
		t.Run(line, func(t *testing.T) {
			t.Chdir(directory)
			ran := tester.Options{}
			out, stderr, err := execute(t.Context(), run(test.outcomes, &ran), strings.Fields(line)...)
			if code := exit.Code(t.Context(), err); code != test.code || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
				t.Errorf("got error %v, code %d", err, code)
			}
			var names []string
			for i := range ran.Tests {
				names = append(names, ran.Tests[i].Name)
				if disk := ran.Disks[ran.Tests[i].Target]; disk != strings.Fields(line)[0] {
					t.Errorf("test %s of target %s has the disk %q", ran.Tests[i].Name, ran.Tests[i].Target, disk)
				}
				if goss := ran.Tests[i].Goss; goss != "" && ran.Files[goss] == "" {
					t.Errorf("the file %s is missing", goss)
				}
			}
			if !slices.Equal(names, test.ran) || !strings.Contains(stderr, test.shown) || strings.Contains(stderr, "Linux") {
				t.Errorf("ran %q, stderr %q", names, stderr)
			}
			if strings.Count(out, "\n") != 1+len(names) && names != nil {
				t.Errorf("got the table\n%s", out)
			}
		})
	}
}

func TestTheFileOfATestMustExist(t *testing.T) {
	t.Chdir(write(t, map[string]string{"disk.raw": string(sector), "image.yaml": manifest}))
	for goss, want := range map[string]string{
		"beside.yaml": "test beside: goss: beside.yaml is no file of spec.source, and no file beside the manifest",
		"../a.yaml":   `test beside: goss "../a.yaml": must be the relative path of a file`,
	} {
		require.NoError(t, os.WriteFile("image.yaml", []byte(strings.Replace(manifest, "beside.yaml", goss, 1)), 0o600))
		_, _, err := execute(t.Context(), run(nil, &tester.Options{}), "./disk.raw", "-f", "image.yaml")
		if err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

func TestTheGuestOfAFailedTestIsKept(t *testing.T) {
	directory := write(t, map[string]string{"disk.raw": string(sector), "image.yaml": manifest, "beside.yaml": "{}",
		"ssh-keygen": "#!/bin/sh\necho private >\"$9\"\necho public >\"$9.pub\"\n"})
	t.Chdir(directory)
	require.NoError(t, os.Chmod("ssh-keygen", 0o700))
	t.Setenv("PATH", directory+":"+os.Getenv("PATH"))
	ctx, interrupt := context.WithCancel(t.Context())
	ran := tester.Options{}
	runs := run(map[string]v1alpha1.TestOutcome{"web": v1alpha1.TestFailed}, &ran)
	_, stderr, err := execute(ctx, func(ctx context.Context, options tester.Options) (*tester.Report, error) {
		failed := options.Keep.Failed
		options.Keep.Failed = func(ctx context.Context, guest tester.Kept) {
			go interrupt()
			failed(ctx, guest)
		}
		return runs(ctx, options)
	}, "./disk.raw", "-f", "image.yaml", "--keep")
	if code := exit.Code(ctx, err); code != exit.TestsFailed || !strings.Contains(stderr, "the guest of test web runs until Ctrl-C; to log in as root, if it has an SSH server:\n  ssh -i ") ||
		!strings.Contains(stderr, " -p 2222 ") || ran.Keep.AuthorizedKeys != "public\n" {
		t.Errorf("got code %d, error %v, keys %q, stderr %s", code, err, ran.Keep.AuthorizedKeys, stderr)
	}
}

func TestAReportReplacesAFile(t *testing.T) {
	t.Chdir(write(t, map[string]string{"report.xml": "an earlier, longer report"}))
	require.NoError(t, writeFile("report.xml", func(to io.Writer) error {
		_, err := io.WriteString(to, "<testsuites/>")
		return err
	}))
	if text := require.Value(os.ReadFile("report.xml"))(t); string(text) != "<testsuites/>" {
		t.Errorf("got %s", text)
	}
	if _, _, err := execute(t.Context(), run(nil, &tester.Options{}), "./disk.raw", "--junit", "none/report.xml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got error %v", err)
	}
}

// execute runs the verb on this machine.
func execute(ctx context.Context, run func(context.Context, tester.Options) (*tester.Report, error), args ...string) (string, string, error) {
	var out, stderr bytes.Buffer
	asked := &options{clock: testclock.NewFakeClock(time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)), run: run}
	command := newCommand(asked)
	command.SetOut(&out)
	command.SetErr(&stderr)
	command.SetIn(strings.NewReader(""))
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs(args)
	err := command.ExecuteContext(ctx)
	return out.String(), stderr.String(), err
}
