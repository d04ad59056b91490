// SPDX-License-Identifier: Apache-2.0

// Program stress repeats Ginkgo specs many times while a load generator keeps CPUs busy, and counts how often each failed.
//
// Specs of the end-to-end suite run in one run of the suite, on one cluster: E2E_REPEAT sets how often the suite defines each
// spec. Specs of other suites run once in each run of their test binary, in four processes.
//
// Arguments after -- are flags of `ginkgo run` for the end-to-end suite, and of `ginkgo build` for any other.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"goldsmith.dev/goldsmith/e2e/junit"
)

// endToEnd is the package of the end-to-end suite.
const endToEnd = "./e2e/suite"

type options struct {
	spec, labels, pkg string
	runs, load        int
	reports           string
	flags             []string
}

func main() {
	var o options
	flag.StringVar(&o.spec, "spec", "", "regular expression for the text of the specs to repeat")
	flag.StringVar(&o.labels, "labels", "", "filter of labels for the specs to repeat")
	flag.StringVar(&o.pkg, "package", endToEnd, "package with the Ginkgo suite")
	flag.IntVar(&o.runs, "n", 20, "number of runs of each spec")
	flag.IntVar(&o.load, "load", 2, "number of CPUs to keep busy meanwhile; 0 for none")
	flag.StringVar(&o.reports, "reports", "bin/reports", "folder for stress.tsv, and for the failures in its subfolder stress")
	flag.Parse()
	o.flags = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run counts the runs that ended, even if it is interrupted. It fails if any run failed.
func (o options) run(ctx context.Context) error {
	if o.spec == "" && o.labels == "" {
		return errors.New("no spec is selected; set SPEC to the text of a spec, or LABELS to a filter")
	}
	if o.runs < 1 || o.load < 0 {
		return fmt.Errorf("%d runs under the load of %d CPUs are not possible", o.runs, o.load)
	}
	scratch, err := os.MkdirTemp("", "goldsmith-stress-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	repeat := o.repeatSuite
	if filepath.Clean(o.pkg) == filepath.Clean(endToEnd) {
		repeat = o.repeatInSuite
	}
	cases, repeatErr := repeat(ctx, scratch)
	tallies := count(cases)
	if len(tallies) == 0 {
		if repeatErr == nil {
			repeatErr = fmt.Errorf("no spec of %s matches SPEC %q and LABELS %q", o.pkg, o.spec, o.labels)
		}
		return repeatErr
	}
	for _, tally := range tallies {
		if err := keepFailures(filepath.Join(o.reports, "stress"), tally); err != nil {
			return err
		}
	}
	writeTable(os.Stdout, tallies)
	if err := appendTable(filepath.Join(o.reports, "stress.tsv"), tallies, o); err != nil {
		return err
	}
	failed := 0
	for _, tally := range tallies {
		failed += len(tally.failures)
	}
	if failed > 0 {
		repeatErr = errors.Join(repeatErr, fmt.Errorf("%d runs failed; their output is in %s", failed, filepath.Join(o.reports, "stress")))
	}
	return repeatErr
}

// repeatInSuite runs the end-to-end suite once, in which each spec is defined as often as it is to run.
func (o options) repeatInSuite(ctx context.Context, scratch string) ([]junit.Case, error) {
	command := o.ginkgoRun(ctx, scratch, "junit.xml", slices.Concat([]string{"--tags=e2e"}, o.flags, []string{o.pkg})...)
	command.Env = append(os.Environ(), fmt.Sprintf("E2E_REPEAT=%d", o.runs))
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	release := keepBusy(o.load)
	runErr := command.Run()
	release()
	suites, err := junit.ReadFile(filepath.Join(scratch, "junit.xml"))
	if err != nil {
		return nil, errors.Join(runErr, err)
	}
	return casesOf(suites, runErr, ""), nil
}

// repeatSuite runs a suite as often as its specs are to run.
func (o options) repeatSuite(ctx context.Context, scratch string) ([]junit.Case, error) {
	entry, err := entryOf(o.pkg)
	if err != nil {
		return nil, err
	}
	build := newCommand(ctx, "go", append(append([]string{"tool", "ginkgo", "build"}, o.flags...), o.pkg)...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build tests of %s: %w", o.pkg, err)
	}
	release := keepBusy(o.load) // not earlier: compilers are a load themselves
	defer release()
	var cases []junit.Case
	for run := range o.runs {
		report := fmt.Sprintf("%d.xml", run)
		command := o.ginkgoRun(ctx, scratch, report, filepath.Join(o.pkg, filepath.Base(o.pkg)+".test"), "--", "-test.run=^"+entry+"$")
		output, runErr := command.CombinedOutput()
		if ctx.Err() != nil {
			return cases, fmt.Errorf("interrupted in run %d of %d", run+1, o.runs)
		}
		suites, err := junit.ReadFile(filepath.Join(scratch, report))
		if err != nil && runErr == nil {
			return cases, err
		}
		found := casesOf(suites, runErr, string(output))
		if len(found) == 0 {
			return cases, nil
		}
		cases = append(cases, found...)
		fmt.Printf("run %d of %d: %s\n", run+1, o.runs, verdict(found))
	}
	return cases, nil
}

// ginkgoRun makes a command that runs the selected specs in four processes and writes a report into the folder scratch.
func (o options) ginkgoRun(ctx context.Context, scratch, report string, args ...string) *exec.Cmd {
	run := []string{"tool", "ginkgo", "run", "--procs=4", "--keep-going", "--timeout=12h",
		"--focus=" + o.spec, "--label-filter=" + o.labels, "--output-dir=" + scratch, "--junit-report=" + report}
	return newCommand(ctx, "go", append(run, args...)...)
}
