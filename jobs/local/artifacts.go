// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/local/process"
	"goldsmith.dev/goldsmith/jobs/local/transfer"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
	sourcetransfer "goldsmith.dev/goldsmith/jobs/transfer"
)

// provided is what a builder finds besides its input.
type provided struct{ base, source bool }

// provide provides the base and the source of the builder before it starts. A deletion of the pod, its deadline, and a stop of the agent end that at
// once. stopped is whether the agent stops.
func (r *run) provide(builder Builder, e *ending, began time.Time) (has provided, stopped bool, err error) {
	if r.agent.options.Artifacts == nil || r.input == nil {
		return has, false, nil
	}
	has.base = slices.ContainsFunc(r.input.Base.Artifacts, func(artifact render.InputArtifact) bool { return artifact.Path != "" })
	has.source = r.input.Source != nil && r.input.Source.Revision != ""
	if has == (provided{}) {
		return has, false, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = r.agent.transfer.Provide(ctx, r.transferred(), r.confined(builder) && process.LandlockVersion() > 0, func() {
			if r.reported == nil {
				r.report(func(pod *corev1.Pod) { setFetching(pod, began) })
			}
		})
	}()
	stopped = r.guard(e, guarded{done: done, stop: cancel, signal: func(syscall.Signal) { cancel() }})
	if err == nil {
		err = ctx.Err() // it was provided too late
	}
	return has, stopped, err
}

// transferred returns the pod for the transfer of its artifacts.
func (r *run) transferred() transfer.Pod {
	return transfer.Pod{
		Ref: r.ref, Newest: func() *corev1.Pod { pod, _ := r.newest(); return pod }, Input: r.input,
		Base: r.dir.base(), Source: r.dir.source(), Output: r.dir.output(), Say: r.writeLog,
		Waiting: func() { r.agent.workers.release(r.ref.UID) },
	}
}

// provideFailure returns why the base or the source could not be provided, and writes it to the log unless something ended that.
func (r *run) provideFailure(err error, e *ending, began time.Time) notProvided {
	why := notProvided{began: began, deadlineExceeded: e.deadlineExceeded}
	if e.asked || e.killed {
		why.exitCode = exitTerminated
		return why
	}
	r.writeLog("%v", err)
	why.exitCode, why.message, why.told = 1, err.Error(), err.Error()
	if told := sourcetransfer.NotFetchedOf(err); told != nil {
		why.message = told.Text()
	}
	return why
}

// storeArtifacts moves the files that the result of a successful process names into the store, publishes them if the pod asks for that,
// and returns the message with their digests, sizes and locations, or with what is wrong. After tests, these are the report and the tags. A deletion of the pod, and its deadline, end the
// publishing at once, and leave as much time to store the files as for the process to end. A deadline that passes meanwhile counts only if
// it prevents something. stopped is whether the agent stops. The answer about an archive is not such a message: it stays as it is.
func (r *run) storeArtifacts(message string, e *ending) (checked string, stopped bool) {
	if r.agent.options.Artifacts == nil || r.input == nil {
		return message, false // no builder can have read an invalid input
	}
	reported, keep := result.Readable(message, r.input.BuildTargets(), r.agent.options.Results), r.keepArtifacts
	if len(r.input.Tests) > 0 {
		reported, keep = result.ReadableTests(message, r.input.Tests), r.keepTests
	}
	if reported == nil {
		return message, false
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	publishing, endPublishing := context.WithCancel(ctx)
	defer endPublishing()
	done := make(chan struct{})
	go func() {
		defer close(done)
		reported.Check = keep(ctx, publishing, reported)
	}()
	meanwhile := *e
	meanwhile.killed = false // if it was to be, it has ended before
	stopped = r.guard(&meanwhile, guarded{
		done: done,
		stop: cancel,
		signal: func(due syscall.Signal) {
			endPublishing()
			if due == syscall.SIGKILL {
				cancel()
			}
		},
	})
	if reported.Check.NotStored != "" || reported.Check.NotPublished != nil {
		e.deadlineExceeded = meanwhile.deadlineExceeded
	}
	checked, err := reported.Message()
	if err != nil { // it was decoded from JSON
		r.agent.options.Logger.Error(err, "The result of a pod cannot be written", "pod", r.ref.String())
	}
	return checked, stopped
}

// keepArtifacts stores, publishes and records artifacts, and returns what went wrong.
func (r *run) keepArtifacts(ctx, publishing context.Context, reported *result.Result) *result.Check {
	pod := r.transferred()
	check, locks := r.agent.transfer.Store(ctx, pod, reported)
	if *check == (result.Check{}) {
		check = r.agent.transfer.Publish(publishing, pod, reported, locks)
	}
	if *check == (result.Check{}) {
		r.agent.transfer.Record(ctx, pod, locks)
	}
	return check
}

// keepTests stores and publishes what a runner of tests leaves, and returns what went wrong.
func (r *run) keepTests(ctx, publishing context.Context, reported *result.Result) *result.Check {
	pod := r.transferred()
	check := r.agent.transfer.StoreTests(ctx, pod, reported)
	if *check == (result.Check{}) {
		check = r.agent.transfer.PublishTests(publishing, pod, reported)
	}
	return check
}

// recordTested records tested artifacts for the build although its runner failed: a runner can tell by its exit code that a test failed. The outcome does
// not depend on it.
func (r *run) recordTested() {
	if r.agent.options.Artifacts != nil && r.input != nil && len(r.input.Tests) > 0 {
		_ = r.agent.transfer.StoreTests(r.agent.writes, r.transferred(), &result.Result{})
	}
}

// builderRoom is how many bytes of the disk are made free after a builder failed for want of them, for its next attempt. The files of the failed
// one, which are removed, add to that.
const builderRoom = 1 << 30

// makeRoom tells which disk is full if a builder failed for that. It removes artifacts that are not needed, and lets the build be tried again
// if that freed anything.
func (r *run) makeRoom(message string) string {
	failed := result.FullDisk(message)
	if failed == nil || r.agent.options.Artifacts == nil {
		return message
	}
	freed, err := r.agent.options.Artifacts.MakeRoom(builderRoom)
	if err != nil {
		r.agent.options.Logger.Error(err, "No room can be made on the full disk of a builder", "pod", r.ref.String())
	}
	failed.Failure.Message += "; the full disk is that of " + string(r.agent.dirs)
	if freed > 0 {
		failed.Failure.Message += fmt.Sprintf(", where %s of artifacts that are not needed were removed now", humanize.IBytes(uint64(max(freed, 0))))
		failed.Failure.Class, failed.Failure.Retryable = v1alpha1.FailureInfrastructure, true
	}
	told, err := failed.Message()
	if err != nil { // it was decoded from JSON
		return message
	}
	return told
}

// inputOf returns the input of a pod's builder, or nil if it is invalid: the builder refuses it itself.
func inputOf(pod *corev1.Pod) *render.Input {
	input := &render.Input{}
	if err := json.Unmarshal([]byte(pod.Annotations[v1alpha1.AnnotationInput]), input); err != nil {
		return nil
	}
	return input
}
