// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tester

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/machine"
	"goldsmith.dev/goldsmith/jobs/result"
)

// Options are what Run tests, and how.
type Options struct {
	// Tests are the tests, which have boot. A test without a target tests the only disk of Disks. Fields without a value have the defaults of the API.
	Tests []v1alpha1.ImageTest
	// Disks are the paths of the disks, by target. Run never changes a disk.
	Disks map[string]string
	// Files are the files of source, by name, for goss.
	Files map[string]string
	// Log receives the log, in whole lines.
	Log io.Writer
	// Temporary is the directory of private files. Nothing is left there. Defaults to /var/tmp.
	Temporary string
	// Accelerator is machine.KVM, machine.TCG or machine.Auto. Defaults to Auto, which is KVM if it works.
	Accelerator string
	// Keep keeps the guest of the first test that fails. Defaults to none. With Keep, no test runs again because it is flaky.
	Keep *Keep
	// Done is called with each result as soon as it is known. Optional. It is called by several goroutines.
	Done func(Result)
	// Clock tells how long tests take. Defaults to the clock of the machine.
	Clock clock.Clock

	// settle is how long units and ports may take after boot.until: a service with Type=simple is active before it listens. Defaults to 10 s.
	settle time.Duration
	// probed is the accelerator that works, if that was found before.
	probed string
}

// Keep keeps the guest of the first test that fails.
type Keep struct {
	// AuthorizedKeys are the keys that can log in as root over SSH, as in authorized_keys. The guest needs systemd 256 and an SSH server.
	AuthorizedKeys string
	// Failed is called with the guest of the first test that failed. The guest ends as soon as Failed returns, which Run waits for. ctx ends
	// with that of Run, and with the guest.
	Failed func(ctx context.Context, guest Kept)
}

// Kept is a guest that is kept.
type Kept struct {
	// Result is the result of the test.
	Result Result
	// SSH is the port of 127.0.0.1 that leads to port 22 of the guest.
	SSH int
}

// Report is what Run found out.
type Report struct {
	// Results are the results of the tests, in the order of Options.Tests.
	Results []Result
}

// Result is the result of a test.
type Result struct {
	result.Test
	// Target is the target that was tested.
	Target string
	// Began is when the test began.
	Began time.Time
	// Checks are the checks of the last run. The boot is the first.
	Checks []Check
	// Console are the last lines of the console of a test that did not pass.
	Console []string
}

// Check is the result of a check.
type Check struct {
	// Name tells what was checked.
	Name string
	// Took is how long it took.
	Took time.Duration
	// Failure is why the check failed. Empty means that it passed.
	Failure string
	// Output is the end of what the check has printed, of at most 4 KiB. It can have any bytes.
	Output string
}

// Passed reports whether all tests have passed.
func (r *Report) Passed() bool {
	return !slices.ContainsFunc(r.Results, func(each Result) bool { return !each.Outcome.Passed() })
}

// test is a test, and what is known about it.
type test struct {
	v1alpha1.ImageTest
	gossFile []byte // nil for none
	log      *log
	// console is how many bytes of consoles its log has, and consoleLeft how many bytes of the present one it has no room for.
	console, consoleLeft int

	began  time.Time
	runs   int32
	failed bool // a run has failed
	took   time.Duration
	known  *Result // nil until the outcome is known
}

// run is a call of Run.
type run struct {
	temporary string
	goss      string // the path of the program, or ""
	forced    bool   // Options has the accelerator
	keep      *Keep
	kept      atomic.Bool
	done      func(Result)
	clock     clock.Clock
	settle    time.Duration
	disks     map[string]string
	log       *log

	mu          sync.Mutex
	accelerator string // "" until it is chosen
}

// Run runs tests. Tests of the same target with the same boot share a guest, and other tests run beside them, as far as the machine has
// processors and memory. Run returns an error if ctx ends before all tests have a result, or if no test can have one. What is wrong with the
// machine, or with one test, is the outcome Error of tests.
func Run(ctx context.Context, options Options) (*Report, error) {
	r := &run{
		temporary: cmp.Or(options.Temporary, "/var/tmp"), keep: options.Keep, done: options.Done, clock: options.Clock, disks: options.Disks,
		settle: cmp.Or(options.settle, 10*time.Second), accelerator: options.probed,
		log: &log{to: options.Log},
	}
	if r.clock == nil {
		r.clock = clock.RealClock{}
	}
	if options.Accelerator != "" && options.Accelerator != machine.Auto {
		r.forced, r.accelerator = true, options.Accelerator
	}
	r.goss, _ = exec.LookPath("goss") // a test that needs it tells that it is missing
	tests := make([]*test, 0, len(options.Tests))
	for i := range options.Tests {
		each := &test{ImageTest: *options.Tests[i].DeepCopy(), log: r.log}
		setDefaults(&each.ImageTest)
		if err := r.resolve(each, options.Files); err != nil {
			r.tell(each, v1alpha1.TestError, v1alpha1.FailureConfig, err.Error())
		}
		tests = append(tests, each)
	}
	groups := groupsOf(tests)
	limit := semaphore.NewWeighted(int64(parallel(groups)))
	var running sync.WaitGroup
	for _, group := range groups {
		if err := limit.Acquire(ctx, 1); err != nil {
			break
		}
		running.Go(func() {
			defer limit.Release(1)
			r.test(ctx, group)
		})
	}
	running.Wait()
	report := &Report{}
	for _, each := range tests {
		if each.known == nil {
			return nil, context.Cause(ctx)
		}
		report.Results = append(report.Results, *each.known)
	}
	return report, nil
}

// setDefaults sets the defaults of the API.
func setDefaults(test *v1alpha1.ImageTest) {
	v1alpha1.SetDefaults_ImageTest(test)
	if test.Boot != nil {
		v1alpha1.SetDefaults_TestBoot(test.Boot)
	}
	if test.Checks == nil {
		return
	}
	for i := range test.Checks.Ports {
		if http := test.Checks.Ports[i].HTTP; http != nil {
			v1alpha1.SetDefaults_HTTPCheck(http)
		}
	}
	for i := range test.Checks.Commands {
		v1alpha1.SetDefaults_CommandCheck(&test.Checks.Commands[i])
	}
}

// resolve finds what a test needs. The error names the field, or the package, that is missing.
func (r *run) resolve(of *test, files map[string]string) error {
	if of.Boot == nil {
		return fmt.Errorf("test %s has no boot: add boot: {}", of.Name)
	}
	if of.Target == "" && len(r.disks) == 1 {
		for target := range r.disks {
			of.Target = target
		}
	}
	if r.disks[of.Target] == "" {
		return fmt.Errorf("target %q has no artifact here: choose another target", of.Target)
	}
	if format := formatOf(of.Target); format != v1alpha1.ArtifactFormatRaw && format != v1alpha1.ArtifactFormatQCOW2 {
		return fmt.Errorf("target %q is no disk that can boot, which is raw or qcow2: choose another target", of.Target)
	}
	if of.Boot.Until != machine.Login {
		if _, err := machine.GoalOf(of.Boot.Until); err != nil {
			return fmt.Errorf("boot.until: %w", err)
		}
	}
	if of.Goss == "" {
		return nil
	}
	text, exists := files[of.Goss]
	switch {
	case !exists:
		return fmt.Errorf("goss: source has no file %q: add it, or choose another file", of.Goss)
	case r.goss == "":
		return errors.New("this machine has no goss: run `sudo apt-get install goss` on Debian or Ubuntu, or put the program of " +
			"https://goss.rocks into a directory of $PATH")
	}
	of.gossFile = []byte(text)
	return nil
}

func formatOf(target string) v1alpha1.ArtifactFormat {
	return v1alpha1.ArtifactFormat(target[strings.LastIndexByte(target, '/')+1:])
}

// groupsOf returns the tests without an outcome in groups, each for a guest.
func groupsOf(tests []*test) (groups [][]*test) {
	for _, each := range tests {
		if each.known != nil {
			continue
		}
		at := slices.IndexFunc(groups, func(group []*test) bool {
			first := group[0]
			return first.Target == each.Target && reflect.DeepEqual(comparableBoot(first.Boot), comparableBoot(each.Boot))
		})
		if at < 0 {
			groups = append(groups, nil)
			at = len(groups) - 1
		}
		groups[at] = append(groups[at], each)
	}
	return groups
}

// comparableBoot returns a boot for a comparison: equal quantities can differ in their form, and sets in their order.
func comparableBoot(boot *v1alpha1.TestBoot) *v1alpha1.TestBoot {
	compared := boot.DeepCopy()
	compared.Memory = new(v1alpha1.NewQuantity(*resource.NewQuantity(memoryOf(boot), resource.BinarySI)))
	compared.AllowFailedUnits = append([]string{}, compared.AllowFailedUnits...)
	slices.Sort(compared.AllowFailedUnits)
	return compared
}

// memoryOf returns the memory of a guest, in bytes.
func memoryOf(boot *v1alpha1.TestBoot) int64 {
	amount := boot.Memory.Amount()
	return amount.Value()
}

// parallel returns how many guests run at once. Each has two processors, or keeps one busy.
func parallel(groups [][]*test) int {
	const ofQEMU = 256 << 20
	limit := runtime.GOMAXPROCS(0) / 2
	largest := int64(0)
	for _, group := range groups {
		largest = max(largest, memoryOf(group[0].Boot)+ofQEMU)
	}
	if free := availableMemory(); largest > 0 && free > 0 {
		limit = int(min(int64(limit), free/largest))
	}
	return max(1, limit)
}

// test runs the tests of a group until each has an outcome.
func (r *run) test(ctx context.Context, group []*test) {
	for ctx.Err() == nil {
		pending := slices.DeleteFunc(slices.Clone(group), func(each *test) bool { return each.known != nil })
		if len(pending) == 0 {
			return
		}
		if !r.bootGroup(ctx, pending) && ctx.Err() == nil {
			for _, each := range pending {
				r.tell(each, v1alpha1.TestError, v1alpha1.FailureInfrastructure, "the guest did not get to the test")
			}
		}
	}
}

// bootGroup boots a disk once for tests. It reports whether that got any further: whether a test ran, or KVM was found to fail.
func (r *run) bootGroup(ctx context.Context, pending []*test) (further bool) {
	all := func(class v1alpha1.FailureClass, err error) bool {
		for _, each := range pending {
			if ctx.Err() == nil {
				r.tell(each, v1alpha1.TestError, class, err.Error())
			}
		}
		return true
	}
	boot, target := pending[0].Boot, pending[0].Target
	qemu, firmware, err := machine.FindTools(string(boot.Firmware), machine.FirmwareDirectories())
	if err != nil {
		return all(v1alpha1.FailureConfig, err)
	}
	accelerator := r.chooseAccelerator(ctx, qemu)
	disk, err := os.Open(r.disks[target])
	if err != nil {
		return all(v1alpha1.FailureConfig, fmt.Errorf("open the artifact: %w", err))
	}
	defer func() { _ = disk.Close() }() // was only read
	if err := machine.CheckDisk(formatOf(target), disk); err != nil {
		for _, each := range pending {
			r.tell(each, v1alpha1.TestFailed, "", err.Error())
		}
		return true
	}
	trials := make([]*trial, 0, len(pending))
	for _, each := range pending {
		trials = append(trials, &trial{test: each})
		if each.began.IsZero() {
			each.began = r.clock.Now()
		}
	}
	g := &guest{
		run: r, qemu: qemu, boot: boot, trials: trials, scale: 1,
		machine: machine.Machine{
			Accelerator: accelerator, Firmware: firmware, Format: formatOf(target), Memory: max(1, memoryOf(boot)>>20),
			CPUs: machine.CPUs(accelerator), Closed: boot.Network != v1alpha1.TestNetworkOpen, Confined: true, Snapshot: true, Watched: true,
		},
	}
	if accelerator == machine.TCG {
		g.scale = emulated
	}
	if err := g.bootOnce(ctx, disk); err != nil {
		if ctx.Err() != nil {
			return false
		}
		return all(v1alpha1.FailureInfrastructure, err)
	}
	for _, each := range trials {
		if each.outcome != "" {
			further = true
			r.count(each)
		}
	}
	return r.giveUpKVM(g) || further
}

// count counts a run of a test. A test that has failed and is flaky runs again.
func (r *run) count(ran *trial) {
	of := ran.test
	of.runs++
	of.took += ran.took
	attempts := int32(1)
	if of.Flaky != nil && r.keep == nil {
		attempts = of.Flaky.Attempts
	}
	if ran.outcome == v1alpha1.TestFailed && of.runs < attempts {
		of.failed = true
		of.say("failed, and runs again: %s", ran.message)
		return
	}
	if ran.outcome == v1alpha1.TestPassed && of.failed {
		ran.outcome = v1alpha1.TestFlaky
	}
	r.publish(of, ran.result(ran.lines))
}

// result returns the result of the test with the checks of this run.
func (t *trial) result(console []string) Result {
	found := Result{
		Test: result.Test{
			Name: t.Name, Outcome: t.outcome, Class: t.class, Runs: t.runs, Milliseconds: t.test.took.Milliseconds(),
			Message: cut(printable(t.message), result.MaxTestMessage),
		},
		Target: t.Target, Began: t.began,
	}
	for i := range t.slots {
		for _, check := range t.slots[i].checks {
			found.Checks = append(found.Checks, check)
			if check.Failure == "" {
				found.Passed++
			} else {
				found.Failed++
			}
		}
	}
	if !t.outcome.Passed() {
		found.Console = console
	}
	return found
}

// tell sets the outcome of a test that did not run.
func (r *run) tell(of *test, outcome v1alpha1.TestOutcome, class v1alpha1.FailureClass, message string) {
	of.say("%s: %s", outcome, message)
	began := of.began
	if began.IsZero() {
		began = r.clock.Now()
	}
	r.publish(of, Result{
		Test: result.Test{
			Name: of.Name, Outcome: outcome, Class: class, Runs: max(1, of.runs), Milliseconds: of.took.Milliseconds(),
			Message: cut(printable(message), result.MaxTestMessage),
		},
		Target: of.Target, Began: began,
	})
}

func (r *run) publish(of *test, known Result) {
	if of.runs > 0 {
		of.say("%s after %s: %d checks passed, %d failed", known.Outcome, round(of.took), known.Passed, known.Failed)
	}
	of.known = &known
	if r.done != nil {
		r.done(known)
	}
}

// chooseAccelerator returns what runs guests, which is chosen once.
func (r *run) chooseAccelerator(ctx context.Context, qemu string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.accelerator == "" {
		r.accelerator = machine.KVM
		if err := machine.ProbeKVM(ctx, qemu, machine.KVMDevice, r.temporary); err != nil && ctx.Err() == nil {
			r.accelerator = machine.TCG
			r.log.line("QEMU emulates the processor, which is slow, so that tests can take four times as long: " + printable(err.Error()))
		}
	}
	return r.accelerator
}

// giveUpKVM emulates all further guests if KVM failed in a guest. It reports whether that helps.
func (r *run) giveUpKVM(failed *guest) bool {
	if !failed.kvmFailed || r.forced {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accelerator = machine.TCG
	r.log.line("KVM failed while a guest ran: QEMU emulates the processor from now on")
	return true
}

// availableMemory returns how much memory is free for guests, in bytes, or 0 if that is unknown.
func availableMemory() int64 {
	free := int64(0)
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		if _, rest, found := bytes.Cut(text, []byte("MemAvailable:")); found {
			if _, err := fmt.Sscan(string(rest), &free); err == nil {
				free <<= 10
			}
		}
	}
	var limit, used int64
	if readNumber("/sys/fs/cgroup/memory.max", &limit) && readNumber("/sys/fs/cgroup/memory.current", &used) {
		free = min(cmp.Or(free, limit), limit-used)
	}
	return free
}

func readNumber(path string, number *int64) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	_, err = fmt.Sscan(string(text), number) // "max" is no number
	return err == nil
}
