// SPDX-License-Identifier: Apache-2.0

package local

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"goldsmith.dev/goldsmith/jobs/local/internal/logfile"
	"goldsmith.dev/goldsmith/jobs/local/internal/reconcile"
	"goldsmith.dev/goldsmith/jobs/local/process"
	"goldsmith.dev/goldsmith/jobs/render"
)

const (
	// maxLogBytes is how much of what the builder of a pod writes is kept: half of it from the beginning, and half from the end.
	maxLogBytes = 64 << 20
	// drainLimit is how long the log is read after the builder's end, if a process that the builder left keeps the log open.
	drainLimit = time.Second
	// firstRetry and lastRetry bound the wait between two tries to write a status.
	firstRetry = 20 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// run is a pod's process, from its start until its end is stored.
type run struct {
	agent   *Agent
	ref     reconcile.Ref
	dir     podDir
	feed    *logfile.Feed
	input   *render.Input // nil if it is invalid
	active  time.Time     // from when the deadline of the pod counts
	changed chan struct{}

	log      *logfile.Writer
	logged   <-chan struct{} // closed once everything that the process wrote is in the log; nil before it has started
	reported <-chan struct{} // closed once the last status that report got is stored; nil before the first

	mu      sync.Mutex
	pod     *corev1.Pod // the newest known
	kill    bool        // the process is to end at once
	removed bool        // the pod was deleted
	ended   bool        // the process has ended, and its files are stored
	over    bool        // the run does not use the pod's directory any more
}

// startRun starts the process of a pod that has a worker. The run releases the worker.
func (a *Agent) startRun(pod *corev1.Pod, builder Builder, dir podDir, log *os.File, mounts []mount) {
	r := &run{
		agent: a, ref: reconcile.RefOf(pod), dir: dir, feed: logfile.NewFeed(), input: inputOf(pod),
		active: a.options.Clock.Now(), changed: make(chan struct{}, 1), pod: pod,
	}
	if start := pod.Status.StartTime; start != nil { // it has waited for a Secret
		r.active = start.Time
	}
	r.log = logfile.NewWriter(log, a.options.Clock.Now, r.feed, maxLogBytes)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs[r.ref.UID] = r
	if a.stopped {
		r.closeLog()
		return // the marker is there, so the pod counts as lost
	}
	a.active.Go(func() { r.execute(builder, mounts) })
}

// observe passes the current pod to the run.
func (r *run) observe(pod *corev1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if order, err := resourceversion.CompareResourceVersion(pod.ResourceVersion, r.pod.ResourceVersion); err == nil && order <= 0 {
		return
	}
	r.pod = pod
	r.notify()
}

// remove tells the run that the pod was deleted. It returns false if the run is over, so that the caller has to clean up.
func (r *run) remove() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removed, r.kill = true, true
	r.notify()
	return !r.over
}

// abort kills the process, or ends the storing of its files, and reports whether the run still uses the pod's directory.
func (r *run) abort() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kill = true
	r.notify()
	return !r.ended
}

func (r *run) notify() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

func (r *run) execute(builder Builder, mounts []mount) {
	defer r.finish()
	a := r.agent
	began := a.options.Clock.Now()
	var ended ending
	has, stopped, err := r.provide(builder, &ended, began)
	if stopped {
		r.end()
		return // the next start reports it
	}
	if err != nil {
		why := r.provideFailure(err, &ended, began)
		r.end()
		r.store(func(pod *corev1.Pod) { setNotProvided(pod, a.options.Clock.Now(), why) })
		return
	}
	pod, _ := r.newest()
	imageID := a.programs.imageID(pod.Spec.Containers[0].Image, builder.Path)
	started := a.options.Clock.Now()
	running, endReports, err := r.launch(builder, mounts, has)
	if errors.Is(err, process.ErrEnded) {
		r.end()
		r.storeLost()
		return
	}
	if err != nil {
		r.end()
		say := setNotStarted
		if noRoom(err) {
			say = setRejected
		}
		r.store(func(pod *corev1.Pod) { say(pod, a.options.Clock.Now(), err.Error()) })
		return
	}
	r.report(func(pod *corev1.Pod) { setRunning(pod, started, imageID) })
	stopped = r.guard(&ended, guarded{
		done:   running.Done(),
		signal: func(due syscall.Signal) { r.signal(running, due) },
		stop:   func() { r.signal(running, syscall.SIGTERM) },
	})
	endReports()
	if err := r.unmount(); err != nil {
		a.options.Logger.Error(err, "The Secrets of a builder cannot be removed", "pod", r.ref.String())
	}
	e := end{exit: running.Exit(), started: started, at: a.options.Clock.Now()}
	if !stopped && !e.exit.Lost {
		e.message, stopped = r.finalMessage(e.exit, &ended)
	}
	e.deadlineExceeded = ended.deadlineExceeded
	r.end()
	if stopped {
		return // the next start reports it
	}
	if e.exit.Lost {
		r.storeLost()
		return
	}
	r.store(func(pod *corev1.Pod) { setEnded(pod, e) })
}

// end ends the work of a run before its end is stored.
func (r *run) end() {
	r.setEnded()
	r.agent.workers.release(r.ref.UID)
	r.closeLog()
	r.awaitReport()
}

// finalMessage returns the result of a process that has ended. The worker is not released before its files are stored, which takes as
// much of the processors and of the disk as a builder, or before they wait for signatures.
func (r *run) finalMessage(exit process.Exit, e *ending) (message string, stopped bool) {
	message, err := r.dir.message()
	if err != nil {
		r.agent.options.Logger.Info("The result of a pod cannot be read", "pod", r.ref.String(), "error", err.Error())
	}
	if exit.Status() != 0 {
		r.recordTested()
		return r.makeRoom(message), false
	}
	return r.storeArtifacts(message, e)
}

// unmount removes the Secrets of the pod.
func (r *run) unmount() error { return podDir(r.dir.mounts()).remove() }

// finish ends the log, and removes the files of a deleted pod.
func (r *run) finish() {
	r.feed.Complete()
	r.mu.Lock()
	r.over = true
	removed := r.removed
	r.mu.Unlock()
	if !removed {
		if err := podDir(r.dir.temporary()).remove(); err != nil {
			r.agent.options.Logger.Error(err, "The temporary files of a builder cannot be removed", "pod", r.ref.String())
		}
		r.agent.queue.Add(r.ref) // for changes that waited for the process's end
		return
	}
	if err := r.dir.discard(); err != nil {
		r.agent.options.Logger.Error(err, "The files of a deleted pod cannot be removed", "pod", r.ref.String())
	}
}

// launch starts the process, and writes its output to the log. endReports revokes the permission to report.
func (r *run) launch(builder Builder, mounts []mount, has provided) (running *process.Process, endReports func(), err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, r.unmount())
		}
	}()
	own, err := builder.environment()
	if err != nil {
		return nil, nil, fmt.Errorf("start the builder: %w", err)
	}
	if err := r.dir.mount(mounts); err != nil {
		return nil, nil, fmt.Errorf("start the builder: mount Secrets: %w", err)
	}
	pod, _ := r.newest()
	reporting, endReports, err := r.agent.prepareReport(pod, r.dir)
	if err != nil {
		return nil, nil, fmt.Errorf("start the builder: %w", err)
	}
	output, input, err := pipe()
	if err != nil {
		endReports()
		return nil, nil, fmt.Errorf("start the builder: %w", err)
	}
	defer func() { _ = input.Close() }() // the builder has its own
	environment := append([]string{
		render.EnvInput + "=" + r.dir.input(),
		render.EnvOutput + "=" + r.dir.output(),
		render.EnvResult + "=" + r.dir.result(),
		envTemporary + "=" + r.dir.temporary(),
		EnvNamespace + "=" + r.ref.Namespace,
	}, reporting...)
	if len(mounts) > 0 {
		environment = append(environment, EnvMounts+"="+r.dir.mounts())
	}
	if has.base {
		environment = append(environment, render.EnvBase+"="+r.dir.base())
	}
	if has.source {
		environment = append(environment, render.EnvSource+"="+r.dir.source())
	}
	environment = append(environment, own...)
	running, err = r.agent.currentSupervisor().Start(process.Command{
		Path:        builder.Path,
		Args:        builder.Args,
		Env:         environment,
		Dir:         r.dir.output(),
		Confinement: r.confinement(builder, reporting, len(mounts) > 0, has),
	}, input, input) // one pipe for both streams, which keeps their order
	if err != nil {
		endReports()
		return nil, nil, errors.Join(err, output.Close())
	}
	done := make(chan struct{})
	r.logged = done
	go func() {
		defer close(done)
		r.copyLog(output)
	}()
	go func() {
		<-running.Done()
		_ = output.SetReadDeadline(time.Now().Add(drainLimit)) // fails where it was read to its end before
	}()
	return running, endReports, nil
}

// confined reports whether a builder can change only what is its own, if the kernel can restrict it.
func (r *run) confined(builder Builder) bool {
	return !builder.Unconfined && len(r.agent.options.Hidden) > 0
}

// confinement lets a builder change only its output, its result and its temporary directory.
func (r *run) confinement(builder Builder, reporting []string, mounts bool, has provided) *process.Confinement {
	if !r.confined(builder) {
		return nil
	}
	readable := []string{r.dir.input()}
	if len(reporting) > 0 {
		readable = append(readable, r.dir.reportToken(), r.dir.reportCA())
	}
	if mounts {
		readable = append(readable, r.dir.mounts())
	}
	if has.base {
		readable = append(readable, r.dir.base())
	}
	if has.source {
		readable = append(readable, r.dir.source())
	}
	if program, err := filepath.EvalSymlinks(builder.Path); err == nil { // a program that is not there does not start
		readable = append(readable, program)
	}
	return &process.Confinement{
		Hidden: r.agent.options.Hidden, Readable: readable,
		Writable: []string{r.dir.output(), r.dir.temporary(), r.dir.result()},
	}
}

// noRoom reports whether a process was not started because the machine lacks resources for any further process.
func noRoom(err error) bool {
	return slices.ContainsFunc([]error{unix.EAGAIN, unix.EMFILE, unix.ENFILE, unix.ENOMEM}, func(errno error) bool {
		return errors.Is(err, errno)
	})
}

// pipe creates a pipe whose input blocks, as a program expects of its stdout, and whose output does not block a thread.
func pipe() (output, input *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	input = os.NewFile(uintptr(fds[1]), "log")
	if err := unix.SetNonblock(fds[0], true); err != nil {
		_ = unix.Close(fds[0])
		_ = input.Close()
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fds[0]), "log"), input, nil
}

func (r *run) copyLog(output *os.File) {
	defer func() { _ = output.Close() }() // only read from
	if _, err := io.Copy(r.log, output); err != nil && !os.IsTimeout(err) {
		r.reportLog(err)
	}
}

// writeLog writes a line of the agent to the log, before the process has started or after all that it wrote.
func (r *run) writeLog(format string, args ...any) {
	r.awaitLogged()
	r.log.WriteLine("goldsmith: " + fmt.Sprintf(format, args...))
}

func (r *run) awaitLogged() {
	if r.logged != nil {
		<-r.logged
	}
}

// closeLog closes the log once it is complete.
func (r *run) closeLog() {
	r.awaitLogged()
	if err := r.log.Close(); err != nil {
		r.reportLog(err)
	}
}

func (r *run) reportLog(err error) {
	r.agent.options.Logger.Error(err, "The log of a pod is incomplete", "pod", r.ref.String())
}

// guarded is a process, what provides its base, or the storing of its files.
type guarded struct {
	done   <-chan struct{}
	signal func(syscall.Signal)
	stop   func() // called when the agent stops
}

// guard waits for the end of what it guards, and ends it if the pod or the agent requires that. stopped is whether the agent did.
func (r *run) guard(e *ending, g guarded) (stopped bool) {
	a, stopping := r.agent, r.agent.stopping
	for {
		due, again := r.next(e)
		if due != 0 {
			g.signal(due)
		}
		stopTimer, lookAgain := a.timer(again)
		select {
		case <-g.done:
			stopTimer()
			return stopped
		case <-stopping:
			stopping, stopped = nil, true
			g.stop()
		case <-r.changed:
		case <-lookAgain:
		}
		stopTimer()
	}
}

// timer returns a channel that receives at a time, or never if the time is zero, and the function that stops the timer.
func (a *Agent) timer(at time.Time) (stop func(), c <-chan time.Time) {
	if at.IsZero() {
		return func() {}, nil
	}
	timer := a.options.Clock.NewTimer(at.Sub(a.options.Clock.Now()))
	return func() { timer.Stop() }, timer.C()
}

func (r *run) next(e *ending) (due syscall.Signal, again time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return e.next(r.pod, r.active, r.kill, r.agent.options.Clock.Now())
}

func (r *run) newest() (pod *corev1.Pod, removed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pod, r.removed
}

func (r *run) setEnded() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
}

func (r *run) signal(running *process.Process, due syscall.Signal) {
	if err := running.Signal(due); err != nil {
		r.agent.options.Logger.Info("A process cannot be signalled", "pod", r.ref.String(), "error", err.Error())
	}
}

// storeLost reports that the builder was lost with its supervisor. If the agent stops, the next start reports it.
func (r *run) storeLost() {
	select {
	case <-r.agent.stopping:
	default:
		r.store(func(pod *corev1.Pod) { setLost(pod, r.agent.options.Clock.Now(), messageSupervisorLost) })
	}
}

// report stores a change of the pod's status after those that it got before, and does not wait for that.
func (r *run) report(change func(*corev1.Pod)) {
	before, stored := r.reported, make(chan struct{})
	r.reported = stored
	go func() {
		defer close(stored)
		if before != nil {
			<-before
		}
		r.store(change)
	}()
}

// awaitReport waits until the changes that report got are stored.
func (r *run) awaitReport() {
	if r.reported != nil {
		<-r.reported
	}
}

// store tries to write a change to the pod's status until it succeeds, the pod is deleted, or the agent stops.
func (r *run) store(change func(*corev1.Pod)) {
	a := r.agent
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		pod, removed := r.newest()
		if removed {
			return
		}
		stored, err := a.updateStatus(a.writes, pod, change)
		if err == nil {
			if stored != nil {
				r.observe(stored)
			}
			return
		}
		a.options.Logger.Info("Writing a status failed, will retry", "pod", r.ref.String(), "error", err.Error())
		select {
		case <-a.writes.Done():
			return
		case <-a.options.Clock.After(wait):
		}
	}
}
