// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/wait"

	"goldsmith.dev/goldsmith/jobs/documents"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// resultPoll is how often the publisher looks for the result.
const resultPoll = 100 * time.Millisecond

// Publish publishes, and writes the message of the container. An error is a fault of the pod. All others are in the message.
func Publish(ctx context.Context, o Options) error {
	p, err := start(o)
	if err != nil {
		return err
	}
	if err := p.read(render.PublishOutput, &p.output); err != nil {
		return err
	}
	message, err := p.publish(ctx)
	if err != nil {
		return err
	}
	return os.WriteFile(p.at(render.PublishMessage), []byte(message), 0o600)
}

func (p *program) publish(ctx context.Context) (message string, err error) {
	p.Log("waiting for the result of the builder")
	text, err := p.awaitResult(ctx)
	if err != nil {
		return "", err
	}
	if len(p.input.Tests) > 0 {
		return p.publishTests(ctx, text)
	}
	reported := result.Readable(text, p.input.BuildTargets(), result.Policy{AllowUnlocated: true}) // the controller decides about these
	if reported == nil {
		p.Log("the result has no artifacts to publish")
		message, _, err := result.Findings(nil)
		return message, err
	}
	var locks []documents.Lock
	reported.Check, locks = p.check(ctx, reported)
	published := *reported.Check == (result.Check{})
	if published {
		for _, line := range publish.Published(reported) {
			p.Log("%s", line)
		}
		p.uploadLocks(ctx, locks)
	}
	message, documented, err := result.Findings(reported)
	if published && !documented {
		p.Log("the status of the build has no room for all documents about artifacts: %s has them, as referrers", p.output.Repository)
	}
	return message, err
}

func (p *program) awaitResult(ctx context.Context) (text string, err error) {
	err = wait.PollUntilContextCancel(ctx, resultPoll, true, func(context.Context) (bool, error) {
		content, err := os.ReadFile(p.at(render.PublishResult))
		text = string(content)
		return text != "", err
	})
	if err != nil {
		return "", fmt.Errorf("wait for %s, which the controller fills: %w", render.PublishResult, err)
	}
	return text, nil
}

// check reads and publishes the files of a result, completes their contents, and returns what it found, and the locks of artifacts.
func (p *program) check(ctx context.Context, reported *result.Result) (found *result.Check, locks []documents.Lock) {
	err := p.confirm(ctx, reported)
	if err == nil {
		locks, err = documents.Make(reported, func(content *result.Content) (io.ReadCloser, error) { return p.open(content) })
	}
	if problem, ok := errors.AsType[*artifacts.InvalidError](err); ok {
		p.Log("%v", problem)
		return &result.Check{Invalid: problem.Text}, nil
	}
	var options transport.Options
	if err == nil {
		err = p.mayAttest()
	}
	if err == nil {
		options, err = p.registry()
	}
	if err == nil {
		p.Log("publishing in %s", p.output.Repository)
		err = publish.PushResult(ctx, &p.output, reported, func(content *result.Content) (transport.File, error) { return p.open(content) }, p.attest(locks), options)
	}
	if err != nil {
		p.Log("%v", err)
	}
	return publish.CheckOf(err), locks
}

// openFiles opens the directory with the builder's files.
func (p *program) openFiles() (*os.Root, error) {
	output, err := os.OpenRoot(p.at(render.PublishFiles))
	if err != nil {
		return nil, fmt.Errorf("open the output directory: %w", err)
	}
	return output, nil
}

// open opens the file of a content.
func (p *program) open(content *result.Content) (*os.File, error) {
	return os.OpenInRoot(p.at(render.PublishFiles), filepath.Clean(content.File))
}

// confirm reads the files of a result, and completes their contents.
func (p *program) confirm(ctx context.Context, reported *result.Result) error {
	output, err := p.openFiles()
	if err != nil {
		return err
	}
	defer func() { _ = output.Close() }() // only read from
	paths := slices.Compact(slices.Sorted(slices.Values(artifacts.Paths(reported))))
	files := make([]artifacts.Taken, len(paths))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, path := range paths {
		group.Go(func() error {
			files[i].Content, files[i].Err = artifacts.Identify(ctx, output, path)
			return nil
		})
	}
	_ = group.Wait() // the errors are in the files
	read := map[string]artifacts.Taken{}
	for i, path := range paths {
		read[path] = files[i]
	}
	return artifacts.Complete(reported, read)
}
