// SPDX-License-Identifier: Apache-2.0

// Package publisher is the program that publishes, in the pod of a builder, what the builder made. It starts when the builder has ended
// successfully, waits for the builder's result, reads the files that the result names, pushes them to the repository of the build's output,
// and reports what it found. Package render makes the pod, and the controller judges the report together with the result.
package publisher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/result"
)

// resultPoll is how often the publisher looks for the result.
const resultPoll = 100 * time.Millisecond

// Options are where the publisher reads and writes, and how it reaches the registry.
type Options struct {
	// Root is the directory below which the paths of package render are. Defaults to the root of the file system.
	Root string
	// PlainHTTP are the registries that are reached without TLS besides those on loopback addresses.
	PlainHTTP []string
	// UserAgent is sent to the registry.
	UserAgent string
	// Log gets one line for each step. Defaults to none.
	Log func(format string, args ...any)
}

// Run publishes, and writes the message of the container. An error is a fault of the pod. All others are in the message.
func Run(ctx context.Context, o Options) error {
	p := &publisher{Options: o}
	if p.Log == nil {
		p.Log = func(string, ...any) {}
	}
	message, err := p.run(ctx)
	if err != nil {
		return err
	}
	return os.WriteFile(p.at(render.PublishMessage), []byte(message), 0o600)
}

type publisher struct {
	Options
	input  render.Input
	output render.Output
}

func (p *publisher) at(path string) string { return filepath.Join(p.Root, path) }

func (p *publisher) run(ctx context.Context) (message string, err error) {
	if err := p.read(render.PublishInput, &p.input); err != nil {
		return "", err
	}
	if err := p.read(render.PublishOutput, &p.output); err != nil {
		return "", err
	}
	p.Log("waiting for the result of the builder")
	text, err := p.awaitResult(ctx)
	if err != nil {
		return "", err
	}
	reported := result.Readable(text, p.input.BuildTargets(), result.Policy{AllowUnlocated: true}) // the controller decides about these
	if reported == nil {
		p.Log("the result has no artifacts to publish")
		return result.Findings(nil)
	}
	reported.Check = p.check(ctx, reported)
	if *reported.Check == (result.Check{}) {
		for _, line := range publish.Published(reported) {
			p.Log("%s", line)
		}
	}
	return result.Findings(reported)
}

func (p *publisher) read(path string, into any) error {
	content, err := os.ReadFile(p.at(path))
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

func (p *publisher) awaitResult(ctx context.Context) (text string, err error) {
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

// check reads and publishes the files of a result, completes their contents, and returns what it found.
func (p *publisher) check(ctx context.Context, reported *result.Result) *result.Check {
	err := p.confirm(ctx, reported)
	if problem, ok := errors.AsType[*artifacts.InvalidError](err); ok {
		p.Log("%v", problem)
		return &result.Check{Invalid: problem.Text}
	}
	var options publish.Options
	if err == nil {
		options, err = p.registry()
	}
	if err == nil {
		p.Log("publishing in %s", p.output.Repository)
		err = publish.PushResult(ctx, &p.output, reported, func(content *result.Content) (publish.File, error) {
			return os.OpenInRoot(p.at(render.PublishFiles), filepath.Clean(content.File))
		}, options)
	}
	if err != nil {
		p.Log("%v", err)
	}
	if denied, ok := errors.AsType[*secretError](err); ok {
		return &result.Check{NotPublished: &result.NotPublished{Reason: v1alpha1.ReasonRegistryDenied, Message: denied.Error()}}
	}
	return publish.CheckOf(err)
}

// confirm reads the files of a result, and completes their contents.
func (p *publisher) confirm(ctx context.Context, reported *result.Result) error {
	output, err := os.OpenRoot(p.at(render.PublishFiles))
	if err != nil {
		return fmt.Errorf("open the output directory: %w", err)
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

// secretError reports a Secret without credentials.
type secretError struct{ error }

// registry returns how to reach the registry, with the credentials of the Secret if the output names one.
func (p *publisher) registry() (publish.Options, error) {
	options := publish.Options{PlainHTTP: p.PlainHTTP, UserAgent: p.UserAgent, Retrying: func(err error) { p.Log("retrying: %v", err) }}
	if p.output.Secret == "" {
		return options, nil
	}
	var err error
	if options.DockerConfig, err = os.ReadFile(p.at(render.SecretFile(corev1.DockerConfigJsonKey))); errors.Is(err, fs.ErrNotExist) {
		return options, &secretError{fmt.Errorf("the Secret %s/%s of output.secretRef does not exist, or has no key %s: create it with the type %s, or correct output.secretRef",
			p.input.Build.Namespace, p.output.Secret, corev1.DockerConfigJsonKey, corev1.SecretTypeDockerConfigJson)}
	}
	if err != nil {
		return options, fmt.Errorf("read the credentials of the registry: %w", err)
	}
	if options.CA, err = os.ReadFile(p.at(render.SecretFile(render.RegistryAuthorities))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return options, fmt.Errorf("read the authorities of the registry: %w", err)
	}
	return options, nil
}
