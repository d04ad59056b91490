// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"goldsmith.dev/goldsmith/e2e/junit"
)

// cleanUp is how long a suite may clean up after an interruption: it may have to remove a cluster.
const cleanUp = 3 * time.Minute

// keepBusy keeps this many CPUs busy until the returned function is called. The load is in this process, so it never outlives
// the run.
func keepBusy(cpus int) (release func()) {
	if cpus > 0 {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), cpus+1)) // one is for the runs
	}
	var released atomic.Bool
	var workers sync.WaitGroup
	for range cpus {
		workers.Go(func() {
			var block [sha256.Size]byte
			for !released.Load() {
				block = sha256.Sum256(block[:])
			}
		})
	}
	return func() {
		released.Store(true)
		workers.Wait()
	}
}

// newCommand makes a command in a process group of its own, which is interrupted as a whole when the context ends: once, as from a
// terminal. A second interruption would have Ginkgo clean nothing up.
func newCommand(ctx context.Context, program string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, program, args...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGINT) }
	command.WaitDelay = cleanUp
	return command
}

// casesOf returns the specs that ran, and failures outside of specs. A suite may fail without any failed spec, for example by
// a data race: its output is then a failure of its own.
func casesOf(suites []junit.Suite, runErr error, output string) []junit.Case {
	var cases []junit.Case
	for _, suite := range suites {
		for _, result := range suite.Cases {
			if isSpec(result) && result.Skipped == nil || result.Failed() != nil {
				cases = append(cases, result)
			}
		}
	}
	if runErr != nil && !slices.ContainsFunc(cases, func(c junit.Case) bool { return c.Failed() != nil }) {
		cases = append(cases, junit.Case{Name: "[the suite]", Failure: &junit.Message{Short: runErr.Error(), Full: output}})
	}
	return cases
}

func verdict(cases []junit.Case) string {
	failed, seconds := 0, 0.0
	for _, result := range cases {
		seconds += result.Seconds
		if result.Failed() != nil {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Sprintf("%d failed (%.1f s)", failed, seconds)
	}
	return fmt.Sprintf("passed (%.1f s)", seconds)
}

var (
	testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	runSpecs     = regexp.MustCompile(`\bRunSpecs\(`)
)

// entryOf returns the name of the test that runs the Ginkgo suite of a package.
func entryOf(pkg string) (string, error) {
	files, err := filepath.Glob(filepath.Join(pkg, "*_test.go"))
	if err != nil {
		return "", err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if entry := entryIn(string(text)); entry != "" {
			return entry, nil
		}
	}
	return "", fmt.Errorf("no test of %s runs a Ginkgo suite; repeat plain tests with go test -count", pkg)
}

// entryIn returns the name of the test before the first RunSpecs in Go source, or "".
func entryIn(source string) string {
	call := runSpecs.FindStringIndex(source)
	if call == nil {
		return ""
	}
	tests := testFunction.FindAllStringSubmatch(source[:call[0]], -1)
	if len(tests) == 0 {
		return ""
	}
	return tests[len(tests)-1][1]
}
