// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/machine"
	"goldsmith.dev/goldsmith/builders/tester"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/boot"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// testFile tests a disk of this machine.
func (o *options) testFile(ctx context.Context, name string) error {
	format, err := formatOf(name)
	if err != nil {
		return err
	}
	target := "linux/amd64/" + string(format)
	if o.target != "" && o.target != target {
		return fmt.Errorf("--target %s: %s is %s: omit --target", o.target, name, target)
	}
	declared, err := o.suiteOf(nil)
	if err != nil {
		return err
	}
	tests, err := o.choose(declared, []v1alpha1.Target{{Platform: "linux/amd64", Format: format}})
	if err != nil {
		return err
	}
	return o.testHere(ctx, tests, map[string]string{target: name})
}

// formatOf returns the format of a disk, which its first bytes tell.
func formatOf(name string) (v1alpha1.ArtifactFormat, error) {
	file, err := artifacts.OpenFile(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // was only read
	magic := make([]byte, 4)
	if _, err := io.ReadFull(file, magic); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	format := v1alpha1.ArtifactFormatRaw
	if bytes.Equal(magic, []byte("QFI\xfb")) {
		format = v1alpha1.ArtifactFormatQCOW2
	}
	return format, checkDisk(name, format, file)
}

// checkDisk refuses a file that is no disk.
func checkDisk(name string, format v1alpha1.ArtifactFormat, file *os.File) error {
	err := machine.CheckDisk(format, file)
	if none, ok := errors.AsType[*machine.NoDiskError](err); ok {
		return fmt.Errorf("%s %s", name, strings.TrimPrefix(none.Error(), "the artifact "))
	}
	return err
}

// testBuild fetches the disks of a build, and tests them on this machine.
func (o *options) testBuild(ctx context.Context, connection *client.Connection, argument string, build *v1alpha1.ImageBuild) error {
	declared, err := o.suiteOf(build)
	if err != nil {
		return err
	}
	var targets []v1alpha1.Target
	for _, artifact := range build.Status.Artifacts {
		if o.target == "" || artifact.Target == o.target {
			at := max(0, strings.LastIndexByte(artifact.Target, '/'))
			targets = append(targets, v1alpha1.Target{Platform: artifact.Target[:at], Format: v1alpha1.ArtifactFormat(strings.TrimPrefix(artifact.Target[at:], "/"))})
		}
	}
	if len(targets) == 0 {
		return artifacts.NoTarget(build, o.target)
	}
	tests, err := o.choose(declared, targets)
	if err != nil {
		return err
	}
	disks := map[string]string{}
	for i := range tests.tests {
		target := tests.tests[i].Target
		if disks[target] != "" {
			continue
		}
		file, err := machine.PrivateFile(os.Getenv("TMPDIR"))
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // has no name, so that closing deletes it
		request := artifacts.Request{Argument: argument, Target: target, PlainHTTP: o.plainHTTP, Stderr: o.stderr, Style: o.style}
		if err := boot.Fetch(ctx, connection, build, request, file); err != nil {
			return err
		}
		what := fmt.Sprintf("artifact %s of build %s", output.OneLine(target), build.Name)
		if err := checkDisk(what, v1alpha1.ArtifactFormat(target[strings.LastIndexByte(target, '/')+1:]), file); err != nil {
			return err
		}
		disks[target] = fmt.Sprintf("/proc/self/fd/%d", file.Fd())
	}
	return o.testHere(ctx, tests, disks)
}

// testHere runs tests on this machine, and shows the results.
func (o *options) testHere(ctx context.Context, tests *suite, disks map[string]string) error {
	log := &progress{out: o.stderr}
	wanted := tester.Options{Tests: tests.tests, Disks: disks, Files: tests.files, Log: log, Temporary: os.Getenv("TMPDIR"), Clock: o.clock}
	var kept *tester.Result
	if o.keep {
		key, err := newKey(ctx)
		if err != nil {
			return err
		}
		defer key.delete()
		wanted.Keep = &tester.Keep{AuthorizedKeys: key.public, Failed: func(ctx context.Context, guest tester.Kept) {
			kept = &guest.Result
			_ = o.showKept(&guest, key) // the guest is kept even if nobody reads how to log in
			<-ctx.Done()
		}}
	}
	report, err := o.run(ctx, wanted)
	switch {
	case kept != nil:
		return &exit.Error{Code: exit.TestsFailed, Err: fmt.Errorf("test %s failed", kept.Name)}
	case err != nil:
		return err
	}
	if o.junit != "" {
		if err := writeFile(o.junit, report.WriteJUnit); err != nil {
			return err
		}
	}
	if err := o.showReport(report); err != nil {
		return err
	}
	return failure(report.Results, func(name string) bool { return o.gates(tests, name) })
}
