// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/cli-runtime/pkg/printers"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// guest is one run of the verb.
type guest struct {
	*options
	machine machine
	goal    *goal // nil if a user has the console
	qemu    string

	in          io.Reader
	out, stderr io.Writer
	style       output.Style
}

func (g *guest) run(ctx context.Context, connection *client.Connection, argument string) error {
	build, err := artifacts.Find(ctx, connection, argument, g.stderr)
	if err != nil {
		return err
	}
	disk, err := chooseDisk(build, g.target)
	if err != nil {
		return err
	}
	file, err := privateFile()
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // has no name, so that closing deletes it
	request := artifacts.Request{Argument: argument, Target: disk.target, PlainHTTP: g.plainHTTP, Stderr: g.stderr, Style: g.style}
	if err := fetch(ctx, connection, build, request, file); err != nil {
		return err
	}
	what := fmt.Sprintf("%s of build %s", output.OneLine(disk.target), build.Name)
	if err := checkDisk(disk.format, file); err != nil {
		if _, ok := errors.AsType[*noDiskError](err); ok {
			builder := build.Spec.Inputs.Builder
			err = fmt.Errorf("%w; its builder is %s: use a builder that makes disks, such as debian", err, cmp.Or(builder.Name, builder.Image))
		}
		return fmt.Errorf("boot %s: %w", what, err)
	}
	g.machine.format = disk.format
	return g.boot(ctx, file, what)
}

// fetch writes an artifact to an empty file.
func fetch(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, request artifacts.Request, file *os.File) error {
	holes := &artifacts.Sparse{File: file}
	request.Out = holes
	err := artifacts.Fetch(ctx, connection, build, request)
	if err == nil {
		err = holes.Finish()
	}
	if errors.Is(err, unix.ENOSPC) {
		err = fmt.Errorf("%w: set TMPDIR to a directory with more space", err)
	}
	return err
}

// boot boots the disk in a file.
func (g *guest) boot(ctx context.Context, disk *os.File, what string) error {
	files := []*os.File{disk}
	if g.machine.firmware != nil {
		variables, err := copyPrivately(g.machine.firmware.variables.Filename)
		if err != nil {
			return err
		}
		defer func() { _ = variables.Close() }() // has no name
		files = append(files, variables)
	}
	if err := g.chooseAccelerator(ctx); err != nil {
		return err
	}
	if g.machine.cpus == 0 {
		g.machine.cpus = map[string]int{kvm: 2, tcg: 1}[g.machine.accel]
	}
	if g.machine.accel == tcg {
		g.machine.credentials = append(g.machine.credentials, waitForDevices())
	}
	if g.root {
		g.machine.credentials = append(g.machine.credentials, loginAsRoot()...)
	}
	if err := g.announce(what); err != nil {
		return err
	}
	var complaints bytes.Buffer
	qemu := &process{path: g.qemu, files: files, err: &complaints}
	failed := func(err error) error {
		return fmt.Errorf("boot %s: QEMU failed: %s", what, lastLine(complaints.String(), err))
	}
	if g.goal != nil {
		return g.watch(ctx, qemu, what, failed)
	}
	qemu.in, qemu.out, qemu.arguments = g.in, g.out, g.machine.arguments()
	defer keepTerminal(g.in)()
	err := execute(ctx, qemu)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return failed(err)
	}
	return nil
}

// watch boots a disk until the guest has reached the goal.
func (g *guest) watch(ctx context.Context, qemu *process, what string, failed func(error) error) error {
	errReached := errors.New("reached")
	errTimeout := errors.New("timeout")
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	limited, cancel := context.WithTimeoutCause(running, g.timeout, errTimeout)
	defer cancel()
	shown := &console{goal: g.goal, out: g.out, end: func(err error) {
		if err == nil {
			err = errReached
		}
		end(err)
	}}
	if out, ok := g.out.(*os.File); ok && printers.IsTerminal(out) {
		shown.terminal, shown.out = true, output.NewEscaping(out).ForLog()
	}
	g.machine.watched, g.machine.credentials = true, append(g.machine.credentials, g.goal.credentials...)
	qemu.out, qemu.arguments, qemu.background = shown, g.machine.arguments(), true
	began := time.Now()
	err := execute(limited, qemu)
	took := time.Since(began).Round(time.Second)
	switch cause := context.Cause(limited); {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(cause, errReached):
		_, err := fmt.Fprintf(g.stderr, "\n%s %s reached %s after %s\n", g.style.Good(output.Success), what, g.goal.name, took)
		return err
	case errors.Is(cause, errTimeout):
		return fmt.Errorf("boot %s: the guest did not reach %s within %s; %s%s", what, g.goal.name, g.timeout, shown.seen(), g.goal.hint)
	case cause != nil:
		return fmt.Errorf("boot %s: %w", what, cause)
	case err != nil:
		return failed(err)
	}
	return fmt.Errorf("boot %s: the guest stopped or restarted before it reached %s; %s", what, g.goal.name, shown.seen())
}

// copyPrivately copies a file to a private file.
func copyPrivately(name string) (*os.File, error) {
	from, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("copy the variables of the firmware: %w", err)
	}
	defer func() { _ = from.Close() }() // is only read
	to, err := privateFile()
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(to, from); err != nil {
		return nil, errors.Join(fmt.Errorf("copy the variables of the firmware: %w", err), to.Close())
	}
	return to, nil
}

// chooseAccelerator decides what runs the guest, and tells if that is slow.
func (g *guest) chooseAccelerator(ctx context.Context) error {
	if g.machine.accel = g.accel; g.accel != auto {
		return nil
	}
	g.machine.accel = kvm
	err := probeKVM(ctx, g.qemu, kvmDevice)
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	g.machine.accel = tcg
	_, err = fmt.Fprintf(g.stderr, "%s QEMU emulates the processor, which is slow: %s\n", g.style.Faint(output.Step), err)
	return err
}

// announce tells what boots, and how the user gets out and in.
func (g *guest) announce(what string) error {
	line := fmt.Sprintf("%s booting %s", g.style.Faint(output.Step), what)
	if g.goal == nil {
		line += "; the console of the guest is here, and Ctrl-A X ends the guest"
	} else {
		line += fmt.Sprintf(" until it reaches %s, for at most %s", g.goal.name, g.timeout)
	}
	if g.ssh != 0 { // each guest has host keys of its own at this address
		line += fmt.Sprintf("\n%s log in with: ssh -p %d -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null USER@127.0.0.1", g.style.Faint(output.Step), g.ssh)
	}
	_, err := fmt.Fprintln(g.stderr, line)
	return err
}
