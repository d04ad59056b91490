// SPDX-License-Identifier: Apache-2.0

// Package transfer holds the programs that move artifacts and sources between the pod of a builder, registries and Git. Fetch runs before the builder,
// and fetches the files of the source and the artifacts of the base. RunCheck, in a pod of its own, finds out what a source names. Publish starts when the builder has ended successfully, waits for the builder's result, reads the files
// that the result names, pushes them to the repository of the build's output, and reports what it found. After tests it pushes their report, and moves
// tags. Package render makes the pod. The controller judges what the programs report.
package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"

	imagesv1alpha1 "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
	"goldsmith.dev/goldsmith/jobs/render"
)

// Options are where a program reads and writes, and how it reaches the registry.
type Options struct {
	// Root is the directory below which the paths of package render are. Defaults to the root of the file system.
	Root string
	// PlainHTTP are the registries that are reached without TLS besides those on loopback addresses.
	PlainHTTP []string
	// AllowedNetworks are networks of sources that are reached although they are loopback or link-local.
	AllowedNetworks []netip.Prefix
	// UserAgent is sent to the registry.
	UserAgent string
	// Builds uploads locks, and gets the statements about artifacts. Nil if the pod has no token for the API server.
	Builds imagesv1alpha1.ImageBuildsGetter
	// Clock is the clock between requests. Defaults to the real one.
	Clock clock.Clock
	// Log gets one line for each step, as transport.Options describe. Defaults to none.
	Log func(format string, args ...any)
}

// program is what both programs know.
type program struct {
	Options
	input  render.Input
	output render.Output // zero if the build has no output, and its base is fetched
}

// start reads what the pod is for.
func start(o Options) (*program, error) {
	p := &program{Options: o}
	if p.Clock == nil {
		p.Clock = clock.RealClock{}
	}
	if p.Log == nil {
		p.Log = func(string, ...any) {}
	}
	if err := p.read(render.PublishInput, &p.input); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *program) at(path string) string { return filepath.Join(p.Root, path) }

func (p *program) read(path string, into any) error {
	content, err := os.ReadFile(p.at(path))
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// registry returns how to reach the registry, with the credentials of the Secret if the output names one.
func (p *program) registry() (transport.Options, error) {
	options := transport.Options{PlainHTTP: p.PlainHTTP, UserAgent: p.UserAgent, Clock: p.Clock, Log: p.Log, Retrying: func(err error) { p.Log("retrying: %v", err) }}
	if p.output.Secret == "" {
		return options, nil
	}
	data := map[string][]byte{}
	for _, key := range []string{corev1.DockerConfigJsonKey, render.RegistryAuthorities} {
		content, err := os.ReadFile(p.at(render.SecretFile(key)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return options, fmt.Errorf("read key %s of Secret %s/%s of output.secretRef: %w", key, p.input.Build.Namespace, p.output.Secret, err)
		}
		data[key] = content
	}
	return options.WithSecret(p.input.Build.Namespace, p.output.Secret, data)
}
