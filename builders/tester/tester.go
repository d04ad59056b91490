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
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"goldsmith.dev/goldsmith/jobs/progress"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

const (
	exitFailed     = 1
	exitUsage      = 2
	exitTerminated = 128 + int(syscall.SIGTERM)

	// reportFile is the name of the report, relative to the output directory.
	reportFile = "junit.xml"
)

// Main runs the tests of an attempt, and returns the exit code. getenv looks up the variables of the builder contract, and TMPDIR. SIGTERM
// and the end of ctx end it, and its guests. It takes no arguments.
func Main(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer, args []string) int {
	if len(args) > 0 {
		complain(stderr, fmt.Errorf("it takes no arguments: its input is the file that $%s names", render.EnvInput))
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	reporting := progress.New(getenv)
	defer reporting.Close()
	input, err := readInput(getenv(render.EnvInput))
	if err != nil {
		complain(stderr, err)
		return leave(getenv, stderr, result.Result{Outcome: result.OutcomeFailed, Failure: &result.Failure{Reason: "InvalidInput", Message: err.Error()}}, exitFailed)
	}
	var done atomic.Int32
	report, err := Run(ctx, Options{
		Tests: input.Tests, Disks: disksOf(&input.Base, getenv(render.EnvBase)), Files: input.Files, Log: stdout, Temporary: getenv("TMPDIR"),
		Done: func(Result) { reporting.Report("test", int(done.Add(1))*100/len(input.Tests), "") },
	})
	if err != nil { // only the end of ctx ends Run early
		complain(stderr, fmt.Errorf("told to end: %w", err))
		return exitTerminated
	}
	said := result.Result{Outcome: result.OutcomeSucceeded, Report: &result.Content{File: reportFile, MediaType: result.MediaTypeJUnit}}
	for i := range report.Results {
		said.Tests = append(said.Tests, report.Results[i].Test)
	}
	if err := writeReport(report, filepath.Join(getenv(render.EnvOutput), reportFile)); err != nil {
		complain(stderr, err)
		said.Report = nil // the results are worth more
	}
	return leave(getenv, stderr, said, 0)
}

func complain(stderr io.Writer, err error) {
	_, _ = fmt.Fprintf(stderr, "tester: %v\n", err) // a failure to write the log cannot be reported anywhere
}

func readInput(path string) (*render.Input, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	input, err := render.ParseInput(text)
	if err != nil {
		return nil, err
	}
	if len(input.Tests) == 0 {
		return nil, fmt.Errorf("the input has no tests: the builder tester makes nothing, so that no Image can use it as its builder")
	}
	return input, nil
}

// disksOf returns the paths of the artifacts of the build under test that are files here, by target.
func disksOf(base *render.InputBase, directory string) map[string]string {
	disks := map[string]string{}
	for i := range base.Artifacts {
		if artifact := &base.Artifacts[i]; artifact.Path != "" {
			disks[artifact.Target] = filepath.Join(directory, artifact.Path)
		}
	}
	return disks
}

func writeReport(report *Report, path string) error {
	var text bytes.Buffer
	if err := report.WriteJUnit(&text); err != nil {
		return err
	}
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// leave writes the result, with messages that are short enough for it, and returns the exit code.
func leave(getenv func(string) string, stderr io.Writer, said result.Result, code int) int {
	text, err := encode(said)
	if err == nil {
		err = os.WriteFile(getenv(render.EnvResult), text, 0o600) // in place: in a cluster it is a mount
	}
	if err != nil {
		complain(stderr, fmt.Errorf("write the result: %w", err))
		return exitFailed
	}
	return code
}

// encode encodes a result with the longest messages about tests for which it has at most result.MaxBytes.
func encode(said result.Result) (text []byte, err error) {
	said.Version = result.Version
	if said.Failure != nil {
		said.Failure.Message = cut(said.Failure.Message, result.MaxTestMessage)
	}
	for size := result.MaxTestMessage; ; size -= size/4 + 1 {
		shortened := said
		shortened.Tests = nil
		for _, each := range said.Tests {
			each.Message = cut(each.Message, max(0, size))
			shortened.Tests = append(shortened.Tests, each)
		}
		if text, err = json.Marshal(shortened); err != nil || len(text) <= result.MaxBytes || size <= 0 {
			return text, err
		}
	}
}
