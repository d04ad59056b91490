// SPDX-License-Identifier: Apache-2.0

package local

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/dustin/go-humanize"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// largeFile is the size in bytes above which storing a file has a line in the log: a disk writes less at once.
const largeFile = 64 << 20

// errOutOfTime reports that the agent stopped to store the files of a pod.
var errOutOfTime = errors.New("the pod was deleted, or its deadline passed, before its artifacts were stored")

// storeArtifacts moves the files that the result of a successful process names into the store, publishes them if the pod asks for that,
// and returns the message with their digests, sizes and locations, or with what is wrong. A deletion of the pod, and its deadline, end the
// publishing at once, and leave as much time to store the files as for the process to end. A deadline that passes meanwhile counts only if
// it prevents something. stopped is whether the agent stops.
func (r *run) storeArtifacts(message string, e *ending) (checked string, stopped bool) {
	if r.agent.options.Artifacts == nil || r.input == nil {
		return message, false // no builder can have read an invalid input
	}
	reported := result.Readable(message, r.input.BuildTargets(), r.agent.options.Results)
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
		if reported.Check = r.check(ctx, reported); *reported.Check == (result.Check{}) {
			reported.Check = r.publish(publishing, reported)
		}
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

// check stores and records the files of a result, completes their contents, and returns what it found.
func (r *run) check(ctx context.Context, reported *result.Result) *result.Check {
	err := r.keep(ctx, reported)
	if invalid, ok := errors.AsType[*artifacts.InvalidError](err); ok {
		return &result.Check{Invalid: invalid.Text}
	}
	switch {
	case err == nil:
		return &result.Check{}
	case ctx.Err() != nil:
		return &result.Check{NotStored: errOutOfTime.Error()}
	}
	r.say("not stored: %v", err)
	r.agent.options.Logger.Error(err, "The artifacts of a pod cannot be stored", "pod", r.ref.String())
	return &result.Check{NotStored: err.Error()}
}

// keep stores and records the files of a result.
func (r *run) keep(ctx context.Context, reported *result.Result) error {
	paths := artifacts.Paths(reported)
	if len(paths) == 0 {
		return nil
	}
	build, err := r.build(ctx) // before anything is stored: artifacts of others may be removed to make room
	if err != nil {
		return err
	}
	taken, err := r.take(ctx, reported, paths)
	defer r.agent.options.Artifacts.Release(taken...)
	if err != nil {
		return err
	}
	if fit := r.agent.options.Fit; fit != nil {
		if err := fit(ctx); err != nil {
			return err
		}
	}
	return r.record(build, reported)
}

// take moves the files of a result into the store, and completes their contents. The caller releases what was taken. The error is the
// first of the builder's faults, or else the first fault of the store.
func (r *run) take(ctx context.Context, reported *result.Result, paths []string) (contents []artifacts.Content, err error) {
	output, err := r.dir.openOutput()
	if err != nil {
		return nil, err
	}
	defer func() { _ = output.Close() }() // nothing was written
	r.sayLarge(output, reported)
	read := map[string]artifacts.Taken{}
	for i, file := range r.agent.options.Artifacts.Take(ctx, output, paths...) {
		read[paths[i]] = file
		if file.Err == nil {
			contents = append(contents, file.Content)
		}
	}
	return contents, artifacts.Complete(reported, read)
}

// sayLarge writes a line for each artifact whose file takes long to store.
func (r *run) sayLarge(output *os.Root, reported *result.Result) {
	for i := range reported.Artifacts {
		artifact := &reported.Artifacts[i]
		if artifact.File == "" {
			continue
		}
		if info, err := output.Stat(artifact.File); err == nil && info.Size() > largeFile { // Take reports an error
			r.say("storing %s, %s", artifact.Target, humanize.IBytes(uint64(max(0, info.Size()))))
		}
	}
}

// openOutput opens the output directory, which the builder may have replaced.
func (d podDir) openOutput() (*os.Root, error) {
	if info, err := os.Lstat(d.output()); err != nil || !info.IsDir() {
		return nil, &artifacts.InvalidError{Text: "the output directory does not exist any more"}
	}
	return os.OpenRoot(d.output())
}

// record adds the contents that were taken to the index of the store.
func (r *run) record(build artifacts.Build, reported *result.Result) error {
	var kept []artifacts.Artifact
	for i := range reported.Artifacts {
		artifact := &reported.Artifacts[i]
		entry := artifacts.Artifact{
			Target: artifact.Target, Content: contentOf(&artifact.Content), MediaType: mediaType(artifact), Annotations: artifact.Annotations,
			SBOM: documentOf(artifact.SBOM), Provenance: documentOf(artifact.Provenance),
		}
		if artifact.File != "" {
			entry.Title = filepath.Base(artifact.File)
		}
		if entry.Content != (artifacts.Content{}) || entry.SBOM != nil || entry.Provenance != nil {
			kept = append(kept, entry)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return r.agent.options.Artifacts.Record(build, kept)
}

// mediaType returns the media type that an artifact has or defaults to.
func mediaType(artifact *result.Artifact) string {
	return cmp.Or(artifact.MediaType, result.MediaType(v1alpha1.ArtifactFormat(filepath.Base(artifact.Target))))
}

// contentOf returns the content of a file that was taken, or zero.
func contentOf(content *result.Content) artifacts.Content {
	if content.Verified == "" {
		return artifacts.Content{}
	}
	return artifacts.Content{Digest: content.Digest, SizeBytes: *content.SizeBytes}
}

func documentOf(document *result.Content) *artifacts.Document {
	if document == nil || document.Verified == "" {
		return nil
	}
	return &artifacts.Document{Content: contentOf(document), MediaType: document.MediaType}
}
