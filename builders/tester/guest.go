// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tester

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/util/sets"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/machine"
)

const (
	// emulated is how much longer everything can take with TCG.
	emulated = 4
	// maxComplaints is how much of what QEMU prints is kept, in bytes.
	maxComplaints = 16 << 10
	sshPort       = 22
)

var (
	errEnded = errors.New("all tests have ended")
	errNoKVM = errors.New("KVM failed")
	// noInit matches panics that have the image as their cause, whatever the machine is like.
	noInit = regexp.MustCompile(`VFS: Unable to mount root|No working init found|Requested init |Attempted to kill init`)
)

// guest is one boot of a disk, for the checks of some tests.
type guest struct {
	*run
	qemu     string
	machine  machine.Machine
	boot     *v1alpha1.TestBoot
	trials   []*trial
	scale    time.Duration
	patience time.Duration // of the test that can take the longest
	word     string
	monitor  *machine.Monitor // nil without ports
	goal     *machine.Goal
	shown    *consoleLog
	running  context.Context // ends with the guest
	end      context.CancelCauseFunc
	others   sync.WaitGroup // checks of ports, and who keeps the guest

	mu        sync.Mutex
	began     time.Time
	alive     bool // systemd has run the first unit
	up        bool // systemd has run the second unit
	reached   bool
	waiting   string // what systemd waits for
	kvmFailed bool
	current   *trial // the trial that the guest is busy with
}

// bootOnce boots a disk, and ends when all trials have ended. Trials that the guest did not get to have not ended after it.
func (g *guest) bootOnce(ctx context.Context, disk *os.File) error {
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	g.end, g.word = end, rand.Text()
	closing, err := g.prepare(ctx, disk)
	if err != nil {
		closing()
		return err
	}
	complaints := &complaints{end: end}
	g.shown = &consoleLog{trials: g.trials, clock: g.clock}
	g.running = running
	console := &machine.Console{Goal: g.goal, Out: g.shown, Terminal: true, End: func(err error) { g.onConsole(running, err) }}
	qemu := g.machine.Process(g.qemu)
	qemu.Out, qemu.Err, qemu.Env = console, complaints, append(os.Environ(), "TMPDIR="+g.temporary)
	g.began = g.clock.Now()
	for _, each := range g.trials {
		each.say("boots %s with %s and %s, for at most %s", each.Target, g.boot.Firmware, strings.ToUpper(g.machine.Accelerator), g.timeout(each))
	}
	var timers sync.WaitGroup
	for _, each := range g.trials {
		timers.Go(func() { g.expire(running, each) })
	}
	err = machine.Execute(running, qemu)
	cause := context.Cause(running)
	end(nil)  // first: that QEMU does not answer any more is no failure of a port
	closing() // what the guest wrote before its end counts
	timers.Wait()
	g.others.Wait()
	g.conclude(ctx, cause, err, complaints.String())
	return ctx.Err()
}

func (g *guest) timeout(of *trial) time.Duration { return of.Timeout.Duration * g.scale }

// prepare plans the checks, and adds what they need to the machine. closing closes the files.
func (g *guest) prepare(ctx context.Context, disk *os.File) (closing func(), err error) {
	var files []*os.File
	closing = func() {
		for _, file := range files {
			_ = file.Close() // has no name, or is a socket
		}
	}
	g.machine.Disk = disk
	if g.machine.Firmware != nil {
		if g.machine.Variables, err = machine.CopyVariables(g.machine.Firmware.Variables.Filename, g.temporary); err != nil {
			return closing, err
		}
		files = append(files, g.machine.Variables)
	}
	if g.machine.Accelerator == machine.TCG {
		g.machine.Credentials = append(g.machine.Credentials, machine.WaitForDevices())
	}
	content := &medium{}
	if slices.ContainsFunc(g.trials, func(each *trial) bool { return each.gossFile != nil }) {
		program, err := os.ReadFile(g.goss)
		if err != nil {
			return closing, fmt.Errorf("read goss: %w", err)
		}
		_, blocks := content.add(program, 0)
		fmt.Fprintf(&content.script, "gossblocks=%d\n", blocks)
	}
	open := sets.Set[int]{}
	for i, each := range g.trials {
		*each = *plan(i, each.test, content, g.settle*g.scale, int(g.timeout(each)/time.Second))
		g.patience = max(g.patience, g.timeout(each))
		for _, port := range each.ports {
			open.Insert(int(port.Port))
		}
	}
	if g.keep != nil {
		open.Insert(sshPort)
		if g.keep.AuthorizedKeys != "" {
			g.machine.Credentials = append(g.machine.Credentials, machine.Credential("ssh.authorized_keys.root", g.keep.AuthorizedKeys))
		}
	}
	if g.machine.Ports, err = freePorts(ctx, sets.List(open)); err != nil {
		return closing, err
	}
	if len(g.machine.Ports) > 0 {
		ours, theirs, err := sockets()
		if err != nil {
			return closing, err
		}
		files = append(files, theirs, ours)
		g.machine.Monitor, g.monitor = theirs, machine.NewMonitor(ours)
	}
	g.goal = &machine.Goal{In: func(string) bool { return false }}
	if g.boot.Until == machine.Login {
		if g.goal, err = machine.GoalOf(machine.Login); err != nil {
			return closing, err
		}
	}
	target := targetOf(g.boot, g.trials)
	if target == "" {
		return closing, nil
	}
	text, blocks := content.bytes()
	g.machine.Credentials = append(g.machine.Credentials, credentials(target, g.word, blocks, g.patience/4)...)
	if g.machine.Data, err = machine.PrivateFile(g.temporary); err != nil {
		return closing, err
	}
	files = append(files, g.machine.Data)
	if _, err := g.machine.Data.Write(text); err != nil {
		return closing, fmt.Errorf("write the second disk: %w", err)
	}
	ours, theirs, err := sockets()
	if err != nil {
		return closing, err
	}
	g.machine.Channel = theirs
	files = append(files, theirs)
	var reading sync.WaitGroup
	reading.Go(func() {
		if ignored := readMessages(ours, g.word, g.take); ignored > 0 {
			for _, each := range g.trials {
				each.say("%d lines on the channel for results are not of the tester: they were ignored", ignored)
			}
		}
	})
	closeFiles := closing
	return func() {
		closeFiles()
		_ = unix.Shutdown(int(ours.Fd()), unix.SHUT_RD) // what has arrived is read, whoever still has the other end
		reading.Wait()
		_ = ours.Close() // was read to its end
	}, nil
}

// sockets returns both ends of a connection to QEMU.
func sockets() (ours, theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a connection to QEMU: %w", err)
	}
	return os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs"), nil
}

// onConsole gets what the console showed: nil for a login prompt, or why the guest reaches nothing any more.
func (g *guest) onConsole(running context.Context, err error) {
	if err != nil {
		g.end(&consoleError{err})
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reach(running)
}

// consoleError is a failure that the console of a guest shows.
type consoleError struct{ error }

// reach notes that the guest has reached boot.until, and begins to check ports.
func (g *guest) reach(running context.Context) {
	if g.reached {
		return
	}
	g.reached = true
	after := g.clock.Since(g.began)
	for _, each := range g.trials {
		if each.over {
			continue
		}
		g.found(each, 0, Check{Took: after})
		for at, port := range each.ports {
			g.others.Go(func() { g.checkPort(running, each, at, &port) })
		}
		g.finish(each)
	}
}

func (g *guest) checkPort(running context.Context, of *trial, at int, port *v1alpha1.PortCheck) {
	host := g.machine.Ports[slices.IndexFunc(g.machine.Ports, func(each machine.Port) bool { return each.Guest == int(port.Port) })].Host
	began := g.clock.Now()
	checked, err := (&portOf{port, host, g.monitor.Accepted, g.scale}).verify(running, g.settle*g.scale)
	checked.Took = g.clock.Since(began)
	g.mu.Lock()
	defer g.mu.Unlock()
	if of.over || running.Err() != nil {
		return
	}
	if err != nil {
		g.bootFailed(of, true, fmt.Sprintf("port %d: %v", port.Port, err))
		return
	}
	g.found(of, at, checked)
	of.portsLeft--
	g.finish(of)
}

// found keeps what a check of a trial has found, and logs it.
func (g *guest) found(of *trial, at int, checks ...Check) {
	slot := &of.slots[at]
	for i := range checks {
		check := &checks[i]
		if check.Name == "" {
			check.Name = slot.name
		}
		check.Name = cut(printable(strings.ReplaceAll(check.Name, "\n", " ")), maxName)
		check.Failure = printable(check.Failure)
		if check.Failure == "" {
			of.say("passed: %s (%s)", check.Name, round(check.Took))
			continue
		}
		of.say("FAILED: %s: %s", check.Name, check.Failure)
		for line := range strings.Lines(check.Output) {
			of.say("  %s", line)
		}
	}
	slot.checks = checks
}

// take takes a message of the guest.
func (g *guest) take(got message, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil {
		err = g.accept(&got)
	}
	if err != nil {
		g.end(err)
	}
}

func (g *guest) accept(got *message) error {
	unexpected := fmt.Errorf("%w: %s %d %d", errForged, got.kind, got.test, got.check)
	switch got.kind {
	case "alive":
		g.alive = true
		return nil
	case "waiting":
		g.alive, g.waiting = true, string(got.output)
		return nil
	case "up":
		if g.up {
			return unexpected
		}
		g.up, g.alive = true, true
		if g.boot.Until != machine.Login {
			g.reach(g.running)
		}
		return nil
	case "done":
		for _, each := range g.trials {
			if each.received < len(each.inGuest) {
				return unexpected
			}
		}
		return nil
	}
	if !g.up || got.test < 0 || got.test >= len(g.trials) {
		return unexpected
	}
	of := g.trials[got.test]
	if of.received >= len(of.inGuest) || of.inGuest[of.received] != got.check || (got.kind == "begin") == (g.current != nil) {
		return unexpected
	}
	slot := &of.slots[got.check]
	if got.kind == "begin" {
		of.begun, g.current, slot.began = true, of, g.clock.Now()
		return nil
	}
	if g.current != of {
		return unexpected
	}
	g.current = nil
	of.received++
	if of.over {
		return nil
	}
	checks := slot.judge(got.code, got.output)
	if len(checks) == 1 {
		checks[0].Took = g.clock.Since(slot.began)
	}
	g.found(of, got.check, checks...)
	g.finish(of)
	return nil
}

// finish ends a trial if all its checks have a result.
func (g *guest) finish(of *trial) {
	if of.over || !g.reached || of.received < len(of.inGuest) || of.portsLeft > 0 {
		return
	}
	outcome := v1alpha1.TestPassed
	if of.failure() != "" {
		outcome = v1alpha1.TestFailed
	}
	g.close(of, outcome, "", of.failure())
}

// close ends a trial with an outcome, and the guest with the last trial.
func (g *guest) close(of *trial, outcome v1alpha1.TestOutcome, class v1alpha1.FailureClass, message string) {
	if of.over {
		return
	}
	of.over, of.outcome, of.class, of.message, of.took = true, outcome, class, message, g.clock.Since(g.began)
	if slices.ContainsFunc(g.trials, func(each *trial) bool { return !each.over }) {
		return
	}
	at := slices.IndexFunc(g.trials, func(each *trial) bool { return each.outcome == v1alpha1.TestFailed })
	if g.keep == nil || at < 0 || g.running.Err() != nil || !g.kept.CompareAndSwap(false, true) {
		g.end(errEnded)
		return
	}
	ssh := g.machine.Ports[slices.IndexFunc(g.machine.Ports, func(each machine.Port) bool { return each.Guest == sshPort })].Host
	kept := Kept{Result: g.trials[at].result(g.shown.lines()), SSH: ssh}
	g.others.Go(func() {
		g.keep.Failed(g.running, kept)
		g.end(errEnded)
	})
}

// expire ends a trial whose time is over.
func (g *guest) expire(running context.Context, of *trial) {
	timer := g.clock.NewTimer(g.timeout(of))
	defer timer.Stop()
	select {
	case <-running.Done():
		return
	case <-timer.C():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if of.over {
		return
	}
	limit := fmt.Sprintf("within %s", g.timeout(of))
	switch {
	case !g.reached:
		g.bootFailed(of, g.slow(), "the guest did not reach "+g.boot.Until+" "+limit+g.shown.seen()+g.jobs())
	case of.begun && of.received < len(of.inGuest):
		g.fail(of, of.inGuest[of.received], "it did not end "+limit)
		for _, each := range g.trials { // the guest is busy: they run in another guest
			if !each.begun && len(each.inGuest) > 0 {
				g.close(each, "", "", "")
			}
		}
	case of.received < len(of.inGuest) && g.current != nil: // the guest was busy with another test
		g.close(of, "", "", "")
	case of.received < len(of.inGuest):
		g.fail(of, of.inGuest[of.received], "the guest did not begin it "+limit)
	default: // a port
		for at := range of.ports {
			if len(of.slots[at].checks) == 0 {
				g.fail(of, at, "it has no answer "+limit)
				return
			}
		}
	}
}

// fail ends a trial with the failure of a check.
func (g *guest) fail(of *trial, at int, failure string) {
	if of.over {
		return
	}
	g.found(of, at, Check{Took: g.clock.Since(g.began), Failure: failure})
	g.close(of, v1alpha1.TestFailed, "", of.failure())
}

// bootFailed ends a trial whose guest did not reach boot.until, because of the image or, if starved is true, of the machine.
func (g *guest) bootFailed(of *trial, starved bool, failure string) {
	if of.over {
		return
	}
	if !starved {
		g.fail(of, 0, failure)
		return
	}
	of.say("ERROR: %s", failure)
	g.close(of, v1alpha1.TestError, v1alpha1.FailureInfrastructure, failure)
}

// early reports whether the processor is emulated, and systemd has given no sign of life. Then a panic may be the fault of the machine: on a
// busy one, emulated timers can be late.
func (g *guest) early() bool {
	systemd, _ := g.shown.progress()
	return g.machine.Accelerator == machine.TCG && !systemd && !g.alive
}

// slow reports whether it may be the machine because of which the guest reached nothing in time: it is early, and the console was not silent for
// half of the time.
func (g *guest) slow() bool {
	_, last := g.shown.progress()
	if last.IsZero() {
		last = g.began
	}
	return g.early() && g.clock.Since(last) < g.clock.Since(g.began)/2
}

// jobs tells what systemd waits for, or why it did not tell.
func (g *guest) jobs() string {
	systemd, _ := g.shown.progress()
	switch {
	case g.waiting != "":
		var lines []string
		for line := range strings.Lines(g.waiting) {
			if line = strings.Join(strings.Fields(line), " "); !strings.Contains(line, runUnit) {
				lines = append(lines, line)
			}
		}
		return "; systemd has jobs and failed units: " + strings.Join(lines, ", ")
	case g.alive || !systemd || g.boot.Until == machine.Login:
		return ""
	}
	return "; a guest with systemd older than 256, or without the driver virtio_console, does not tell of targets"
}

// conclude ends the trials that have not ended when the guest ends.
func (g *guest) conclude(ctx context.Context, cause, err error, complaints string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	lines := g.shown.close()
	for _, each := range g.trials {
		each.lines = lines
		switch onConsole, failed := errors.AsType[*consoleError](cause); {
		case ctx.Err() != nil || each.over:
		case errors.Is(cause, errNoKVM):
			if g.kvmFailed = true; !g.forced { // in emulation, it runs again
				continue
			}
			g.bootFailed(each, true, "KVM failed: "+machine.LastLine(complaints, err))
		case errors.Is(cause, errForged):
			each.say("FAILED: %v", cause)
			g.close(each, v1alpha1.TestFailed, "", cause.Error())
		case failed && !g.reached:
			text := onConsole.Error()
			g.bootFailed(each, strings.Contains(text, "Kernel panic") && !noInit.MatchString(text) && g.early(), text)
		case failed:
			g.stopped(each, onConsole.Error())
		case err != nil:
			g.bootFailed(each, true, "QEMU failed: "+machine.LastLine(complaints, err))
		case !g.reached:
			g.bootFailed(each, false, "the guest stopped or restarted before it reached "+g.boot.Until+g.shown.seen())
		default:
			g.stopped(each, "the guest stopped or restarted"+g.shown.seen())
		}
	}
}

// stopped ends a trial whose guest stopped after it had reached boot.until. A trial that the guest has not begun runs again.
func (g *guest) stopped(of *trial, failure string) {
	switch {
	case of.begun && of.received < len(of.inGuest):
		g.fail(of, of.inGuest[of.received], failure)
	case of.received < len(of.inGuest) && g.current != nil:
	default:
		g.found(of, 0, Check{Took: g.clock.Since(g.began), Failure: failure})
		g.close(of, v1alpha1.TestFailed, "", of.failure())
	}
}

// complaints keeps what QEMU prints, and ends the guest if KVM fails: QEMU only pauses it.
type complaints struct {
	end  context.CancelCauseFunc
	text []byte
}

// Write implements io.Writer.
func (c *complaints) Write(data []byte) (int, error) {
	c.text = append(c.text, data[:min(len(data), maxComplaints-len(c.text))]...)
	for _, failure := range []string{"KVM internal error", "kvm run failed", "KVM: entry failed"} {
		if bytes.Contains(c.text, []byte(failure)) {
			c.end(errNoKVM)
		}
	}
	return len(data), nil
}

func (c *complaints) String() string { return string(c.text) }

func round(took time.Duration) time.Duration {
	if took < 10*time.Second {
		return took.Round(10 * time.Millisecond)
	}
	return took.Round(time.Second)
}
