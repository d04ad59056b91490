// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/local/process"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/render"
)

// prepareBase provides the base of the builder before it starts, and reports whether it has one. A deletion of the pod, its deadline, and a stop
// of the agent end that at once. stopped is whether the agent stops.
func (r *run) prepareBase(builder Builder, e *ending, began time.Time) (based, stopped bool, err error) {
	provided := func(artifact render.InputArtifact) bool { return artifact.Path != "" }
	if r.agent.options.Artifacts == nil || r.input == nil || !slices.ContainsFunc(r.input.Base.Artifacts, provided) {
		return false, false, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = r.provideBase(ctx, r.confined(builder) && process.LandlockVersion() > 0, began)
	}()
	stopped = r.guard(e, guarded{done: done, stop: cancel, signal: func(syscall.Signal) { cancel() }})
	if err == nil {
		err = ctx.Err() // it was provided too late
	}
	return true, stopped, err
}

// provideBase gives the builder the artifacts of its base, each at the path that the input names. It fetches those that the store does not have.
// A confined builder cannot write to them, so it may get the store's own files. Artifacts that only builds of other namespaces made are not
// its base, whatever its input names.
func (r *run) provideBase(ctx context.Context, confined bool, began time.Time) error {
	base, store := &r.input.Base, r.agent.options.Artifacts
	for i := range base.Artifacts {
		artifact := &base.Artifacts[i]
		if artifact.Path == "" {
			continue
		}
		if !filepath.IsLocal(artifact.Path) || filepath.Base(artifact.Path) != artifact.Path {
			return fmt.Errorf("the path %q of a base leaves its directory", artifact.Path)
		}
		if err := os.MkdirAll(r.dir.base(), 0o700); err != nil {
			return err
		}
		provide := func() error {
			return store.Provide(ctx, r.ref.Namespace, artifact.Digest, filepath.Join(r.dir.base(), artifact.Path), confined)
		}
		err := provide()
		if errors.Is(err, fs.ErrNotExist) {
			err = r.fetch(ctx, artifact, began, provide)
		}
		if err != nil {
			return fmt.Errorf("artifact %s: %w", base.Name(artifact), err)
		}
	}
	return nil
}

// fetch fetches an artifact of the base into the store, for this build and later ones, and then provides it.
func (r *run) fetch(ctx context.Context, artifact *render.InputArtifact, began time.Time, provide func() error) error {
	base, store := &r.input.Base, r.agent.options.Artifacts
	if !artifact.Published() {
		return &publish.MissingError{Text: "it is lost, and no registry has its file: build image " + base.Image + " again"}
	}
	if r.reported == nil {
		r.report(func(pod *corev1.Pod) { setFetching(pod, began) })
	}
	done, err := r.agent.beginFetch(ctx, r.ref.Namespace+"/"+artifact.Digest)
	if err != nil {
		return err
	}
	defer done()
	if err := provide(); !errors.Is(err, fs.ErrNotExist) {
		return err // another build has fetched it meanwhile
	}
	r.say("fetching %s: %s", base.Name(artifact), artifact.Location)
	output, err := r.output()
	if err != nil {
		return err
	}
	if output == nil {
		output = &render.Output{} // without credentials
	}
	options, err := r.registryOptions(ctx, output.Secret)
	if err != nil {
		return err
	}
	content := artifacts.Content{Digest: artifact.Digest, SizeBytes: artifact.SizeBytes}
	err = store.Add(content, func(file io.Writer) error {
		return publish.FetchFile(ctx, artifact.Location, artifact.Digest, artifact.SizeBytes, file, options)
	})
	if err != nil {
		return err
	}
	defer store.Release(content)
	if fit := r.agent.options.Fit; fit != nil {
		if err := fit(ctx); err != nil {
			return err
		}
	}
	fetched := artifacts.Build{UID: types.UID(artifact.Digest), Namespace: r.ref.Namespace, Image: base.Image}
	if err := store.Record(fetched, []artifacts.Artifact{{Target: artifact.Target, Content: content, MediaType: artifact.MediaType}}); err != nil {
		return err
	}
	return provide()
}

// beginFetch waits until nobody else fetches the same. The caller calls done in the end.
func (a *Agent) beginFetch(ctx context.Context, what string) (done func(), err error) {
	mine := make(chan struct{})
	for {
		a.mu.Lock()
		other, busy := a.fetches[what]
		if !busy {
			a.fetches[what] = mine
		}
		a.mu.Unlock()
		if !busy {
			return func() {
				a.mu.Lock()
				defer a.mu.Unlock()
				delete(a.fetches, what)
				close(mine)
			}, nil
		}
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// whyNotProvided returns why the base could not be provided, and writes it to the log unless something ended that.
func (r *run) whyNotProvided(err error, e *ending, began time.Time) notProvided {
	why := notProvided{began: began, deadlineExceeded: e.deadlineExceeded}
	if e.asked || e.killed {
		why.exitCode = exitTerminated
		return why
	}
	r.say("%v", err)
	why.exitCode, why.message, why.told = 1, err.Error(), err.Error()
	if told := publish.NotFetchedOf(err); told != nil {
		why.message = told.Text()
	}
	return why
}
