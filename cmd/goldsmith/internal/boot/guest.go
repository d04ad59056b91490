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
	"goldsmith.dev/goldsmith/builders/machine"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// guest is one run of the verb.
type guest struct {
	*options
	machine machine.Machine
	goal    *machine.Goal // nil if a user has the console
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
	if err := artifacts.RefuseRevoked(build, g.allowRevoked, g.clock.Now(), g.stderr); err != nil {
		return err
	}
	if err := artifacts.WarnOfRevokedBase(ctx, connection, build, g.clock.Now(), g.stderr); err != nil {
		return err
	}
	disk, err := chooseDisk(build, g.target)
	if err != nil {
		return err
	}
	file, err := machine.PrivateFile(os.Getenv("TMPDIR"))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // has no name, so that closing deletes it
	request := artifacts.Request{Argument: argument, Target: disk.target, PlainHTTP: g.plainHTTP, Stderr: g.stderr, Style: g.style}
	if err := Fetch(ctx, connection, build, request, file); err != nil {
		return err
	}
	what := fmt.Sprintf("%s of build %s", output.OneLine(disk.target), build.Name)
	if err := machine.CheckDisk(disk.format, file); err != nil {
		if _, ok := errors.AsType[*machine.NoDiskError](err); ok {
			builder := build.Spec.Inputs.Builder
			err = fmt.Errorf("%w; its builder is %s: use a builder that makes disks, such as debian", err, cmp.Or(builder.Name, builder.Image))
		}
		return fmt.Errorf("boot %s: %w", what, err)
	}
	g.machine.Format = disk.format
	return g.boot(ctx, file, what)
}

// Fetch writes an artifact to an empty file.
func Fetch(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, request artifacts.Request, file *os.File) error {
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
	g.machine.Disk = disk
	if g.machine.Firmware != nil {
		variables, err := machine.CopyVariables(g.machine.Firmware.Variables.Filename, os.Getenv("TMPDIR"))
		if err != nil {
			return err
		}
		defer func() { _ = variables.Close() }() // has no name
		g.machine.Variables = variables
	}
	if err := g.chooseAccelerator(ctx); err != nil {
		return err
	}
	if g.machine.CPUs == 0 {
		g.machine.CPUs = machine.CPUs(g.machine.Accelerator)
	}
	if g.machine.Accelerator == machine.TCG {
		g.machine.Credentials = append(g.machine.Credentials, machine.WaitForDevices())
	}
	if g.root {
		g.machine.Credentials = append(g.machine.Credentials, machine.LoginAsRoot()...)
	}
	if err := g.announce(what); err != nil {
		return err
	}
	var complaints bytes.Buffer
	failed := func(err error) error {
		return fmt.Errorf("boot %s: QEMU failed: %s", what, machine.LastLine(complaints.String(), err))
	}
	if g.goal != nil {
		return g.watch(ctx, &complaints, what, failed)
	}
	qemu := g.machine.Process(g.qemu)
	qemu.In, qemu.Out, qemu.Err = g.in, g.out, &complaints
	defer keepTerminal(g.in)()
	err := machine.Execute(ctx, qemu)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return failed(err)
	}
	return nil
}

// watch boots a disk until the guest has reached the goal.
func (g *guest) watch(ctx context.Context, complaints io.Writer, what string, failed func(error) error) error {
	errReached := errors.New("reached")
	errTimeout := errors.New("timeout")
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	limited, cancel := context.WithTimeoutCause(running, g.timeout, errTimeout)
	defer cancel()
	shown := &machine.Console{Goal: g.goal, Out: g.out, End: func(err error) {
		if err == nil {
			err = errReached
		}
		end(err)
	}}
	if out, ok := g.out.(*os.File); ok && printers.IsTerminal(out) {
		shown.Terminal, shown.Out = true, output.NewEscaping(out).ForLog()
	}
	g.machine.Watched, g.machine.Credentials = true, append(g.machine.Credentials, g.goal.Credentials...)
	qemu := g.machine.Process(g.qemu)
	qemu.Out, qemu.Err = shown, complaints
	began := time.Now()
	err := machine.Execute(limited, qemu)
	took := time.Since(began).Round(time.Second)
	switch cause := context.Cause(limited); {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(cause, errReached):
		_, err := fmt.Fprintf(g.stderr, "\n%s %s reached %s after %s\n", g.style.Good(output.Success), what, g.goal.Name, took)
		return err
	case errors.Is(cause, errTimeout):
		return fmt.Errorf("boot %s: the guest did not reach %s within %s; %s%s", what, g.goal.Name, g.timeout, shown.Seen(), g.goal.Hint)
	case cause != nil:
		return fmt.Errorf("boot %s: %w", what, cause)
	case err != nil:
		return failed(err)
	}
	return fmt.Errorf("boot %s: the guest stopped or restarted before it reached %s; %s", what, g.goal.Name, shown.Seen())
}

// chooseAccelerator decides what runs the guest, and tells if that is slow.
func (g *guest) chooseAccelerator(ctx context.Context) error {
	if g.machine.Accelerator = g.accel; g.accel != machine.Auto {
		return nil
	}
	g.machine.Accelerator = machine.KVM
	err := machine.ProbeKVM(ctx, g.qemu, machine.KVMDevice, os.Getenv("TMPDIR"))
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	g.machine.Accelerator = machine.TCG
	_, err = fmt.Fprintf(g.stderr, "%s QEMU emulates the processor, which is slow: %s\n", g.style.Faint(output.Step), err)
	return err
}

// announce tells what boots, and how the user gets out and in.
func (g *guest) announce(what string) error {
	line := fmt.Sprintf("%s booting %s", g.style.Faint(output.Step), what)
	if g.goal == nil {
		line += "; the console of the guest is here, and Ctrl-A X ends the guest"
	} else {
		line += fmt.Sprintf(" until it reaches %s, for at most %s", g.goal.Name, g.timeout)
	}
	if g.ssh != 0 { // each guest has host keys of its own at this address
		line += fmt.Sprintf("\n%s log in with: ssh -p %d -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null USER@127.0.0.1", g.style.Faint(output.Step), g.ssh)
	}
	_, err := fmt.Fprintln(g.stderr, line)
	return err
}
