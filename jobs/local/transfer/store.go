// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/documents"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/result"
)

// largeFile is the size in bytes above which storing a file has a line in the log: a disk writes less at once.
const largeFile = 64 << 20

// errOutOfTime reports that the agent stopped to store the files of a pod.
var errOutOfTime = errors.New("the pod was deleted, or its deadline passed, before its artifacts were stored")

// Store stores and records the files of a result, completes their contents, makes documents about artifacts, and returns what it found. It
// returns the locks of the artifacts, for Record.
func (t *Transfer) Store(ctx context.Context, of Pod, reported *result.Result) (*result.Check, []documents.Lock) {
	p := &pod{t, of}
	locks, err := p.keep(ctx, reported)
	if err != nil {
		return p.notStored(ctx, err), nil
	}
	return &result.Check{}, locks
}

// notStored returns what an error of storing files is in a result, and logs a fault of the machine.
func (p *pod) notStored(ctx context.Context, err error) *result.Check {
	if invalid, ok := errors.AsType[*artifacts.InvalidError](err); ok {
		return &result.Check{Invalid: invalid.Text}
	}
	if ctx.Err() != nil {
		return &result.Check{NotStored: errOutOfTime.Error()}
	}
	p.Say("not stored: %v", err)
	p.options.Logger.Error(err, "The artifacts of a pod cannot be stored", "pod", p.Ref.String())
	return &result.Check{NotStored: err.Error()}
}

// keep stores and records the files of a result, and the documents that Goldsmith makes.
func (p *pod) keep(ctx context.Context, reported *result.Result) ([]documents.Lock, error) {
	paths := artifacts.Paths(reported)
	if len(paths) == 0 {
		return nil, nil
	}
	build, err := p.build(ctx) // before anything is stored: artifacts of others may be removed to make room
	if err != nil {
		return nil, err
	}
	taken, err := p.storeFiles(ctx, reported, paths)
	defer p.options.Store.Release(taken...)
	if err != nil {
		return nil, err
	}
	locks, added, err := p.describe(reported)
	defer p.options.Store.Release(added...)
	if err != nil {
		return nil, err
	}
	if err := p.fit(ctx); err != nil {
		return nil, err
	}
	return locks, p.record(stored(build), reported)
}

// fit makes the artifacts fit their limit.
func (p *pod) fit(ctx context.Context) error {
	if p.options.Fit == nil {
		return nil
	}
	return p.options.Fit(ctx)
}

// storeFiles moves the files of a result into the store, and completes their contents. The caller releases what was taken. The error is the
// first of the builder's faults, or else the first fault of the store.
func (p *pod) storeFiles(ctx context.Context, reported *result.Result, paths []string) (contents []artifacts.Content, err error) {
	output, err := openOutput(p.Output)
	if err != nil {
		return nil, err
	}
	defer func() { _ = output.Close() }() // nothing was written
	p.logLargeFiles(output, reported)
	read := map[string]artifacts.Taken{}
	for i, file := range p.options.Store.Take(ctx, output, paths...) {
		read[paths[i]] = file
		if file.Err == nil {
			contents = append(contents, file.Content)
		}
	}
	return contents, artifacts.Complete(reported, read)
}

// logLargeFiles writes a line for each artifact whose file takes long to store.
func (p *pod) logLargeFiles(output *os.Root, reported *result.Result) {
	for i := range reported.Artifacts {
		artifact := &reported.Artifacts[i]
		if artifact.File == "" {
			continue
		}
		if info, err := output.Stat(artifact.File); err == nil && info.Size() > largeFile { // Take reports an error
			p.Say("storing %s, %s", artifact.Target, humanize.IBytes(uint64(max(0, info.Size()))))
		}
	}
}

// openOutput opens the output directory, which the builder may have replaced.
func openOutput(path string) (*os.Root, error) {
	if info, err := os.Lstat(path); err != nil || !info.IsDir() {
		return nil, &artifacts.InvalidError{Text: "the output directory does not exist any more"}
	}
	return os.OpenRoot(path)
}

// record adds the contents that were taken to the index of the store.
func (p *pod) record(build artifacts.Build, reported *result.Result) error {
	var kept []artifacts.Artifact
	for i := range reported.Artifacts {
		artifact := &reported.Artifacts[i]
		entry := artifacts.Artifact{
			Target: artifact.Target, Content: contentOf(&artifact.Content), MediaType: mediaType(artifact), Annotations: artifact.Annotations,
			Documents: documentsOf(artifact),
		}
		if artifact.File != "" {
			entry.Title = filepath.Base(artifact.File)
		}
		if entry.Content != (artifacts.Content{}) || len(entry.Documents) > 0 {
			kept = append(kept, entry)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return p.options.Store.Record(build, kept)
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

// documentsOf returns the documents about an artifact that were taken.
func documentsOf(artifact *result.Artifact) (documents []artifacts.Document) {
	for of, document := range artifact.Documents() {
		if document.Verified != "" {
			documents = append(documents, artifacts.Document{Type: of, Content: contentOf(document), MediaType: document.MediaType})
		}
	}
	return documents
}
