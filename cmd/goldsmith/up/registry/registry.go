// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/util/validation"

	"goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/cmd/internal/documents"
	"goldsmith.dev/goldsmith/cmd/internal/sources"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/local"
)

// Options are what the flags of a server say about builders.
type Options struct {
	// Pairs are executables by name, each name=/absolute/path.
	Pairs []string
	// Documents is the absolute path of a document, or of a directory. Each file NAME.yaml of the directory is a document.
	Documents string
	// Optional is whether Documents may be missing.
	Optional bool
	// Unconfined are the names of builders that can read and write all files that the user can.
	Unconfined []string
	// Executable is the file that has the subcommands of builders.Shipped.
	Executable string
	// Cache is the directory for what the builders that ship keep for later builds, of at most CacheMaxBytes. Empty: they keep nothing.
	Cache         string
	CacheMaxBytes int64
	// CheckSource are the arguments with which Executable finds out what a source names.
	CheckSource []string
}

// checkerName is the name of the program for the agent that finds out what a source names. No builder can have it.
const checkerName = "source.check"

// Registry holds the registered builders. It is safe for concurrent use.
type Registry struct {
	changed chan struct{} // receives after a change
	current atomic.Pointer[registered]
	watches documents.Restarts

	mu    sync.Mutex // of a change
	setup *setup
}

// setup is what was read at the start, or at a reload.
type setup struct {
	source     source
	fixed      map[string]builder // of the flags, and those that ship
	declared   map[string]builder // of the documents
	unconfined []string           // names of --unconfined
	checker    local.Builder      // of sources
}

// Read returns the builders of the flags and of the documents, and those that ship. The error has a line for each problem.
func Read(o Options) (*Registry, error) {
	setup, err := read(o)
	if err != nil {
		return nil, err
	}
	r := &Registry{setup: setup, changed: make(chan struct{}, 1)}
	r.current.Store(setup.with(setup.declared))
	return r, nil
}

func read(o Options) (*setup, error) {
	fixed, err := parsePairs(o.Pairs)
	if err != nil {
		return nil, err
	}
	source := source{Path: o.Documents, Optional: o.Optional, Taken: map[string]string{}}
	for name := range fixed {
		source.Taken[name] = "is also set by --builder"
	}
	for _, shipped := range builders.Shipped() {
		source.Taken[shipped.Name] = "is built in"
		fixed[shipped.Name] = o.register(shipped)
	}
	declared, err := source.read()
	if err != nil {
		return nil, fmt.Errorf("read the builders: %w", err)
	}
	checker := local.Builder{Path: o.Executable, Args: o.CheckSource, ChecksSources: true}
	for _, variable := range sources.Proxy(os.Getenv) {
		checker.Env = append(checker.Env, local.EnvVar{Name: variable.Name, Value: variable.Value})
	}
	setup := &setup{source: source, fixed: fixed, declared: declared, unconfined: o.Unconfined, checker: checker}
	return setup, checkUnconfined(o.Unconfined, setup.with(declared).builders)
}

// Prepare reads the builders of other flags, and the documents again. apply registers them, and returns the difference, or "". set is called as
// by Watch.
func (r *Registry) Prepare(o Options) (apply func(set func(map[string]local.Builder) error) (string, error), err error) {
	next, err := read(o)
	if err != nil {
		return nil, err
	}
	return func(set func(map[string]local.Builder) error) (string, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		before := r.current.Load().builders
		if err := r.replace(next.with(next.declared), set); err != nil {
			return "", err
		}
		r.setup = next
		r.watches.Restart()
		return documents.Difference(before, r.current.Load().builders, equal), nil
	}, nil
}

// parsePairs reads name=/path pairs, and checks that each path can be run.
func parsePairs(pairs []string) (map[string]builder, error) {
	named := map[string]builder{}
	for _, pair := range pairs {
		name, path, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("--builder %q: must be name=/absolute/path", pair)
		}
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return nil, fmt.Errorf("--builder %q: name %q: %s", pair, name, strings.Join(problems, "; "))
		}
		if _, shipped := builders.Find(name); shipped {
			return nil, fmt.Errorf("--builder %q: name %s is built in: choose another name", pair, name)
		}
		if _, twice := named[name]; twice {
			return nil, fmt.Errorf("--builder %q: name %s is set twice: choose another name", pair, name)
		}
		if err := checkExecutable(path); err != nil {
			return nil, fmt.Errorf("--builder %q: %w", pair, err)
		}
		named[name] = builder{Builder: local.Builder{Path: path}, Reports: true}
	}
	return named, nil
}

// register returns a builder that ships as a subcommand of this executable.
func (o *Options) register(shipped builders.Builder) builder {
	registered := builder{
		Builder:      local.Builder{Path: o.Executable, Args: []string{shipped.Command}, Unconfined: shipped.Inside != nil},
		Description:  shipped.Description,
		Reports:      true,
		Capabilities: shipped.Capabilities,
	}
	if shipped.Missing != nil {
		registered.Lacks = shipped.Missing()
	}
	if shipped.Environment != nil {
		for _, variable := range shipped.Environment(os.Getenv, o.Cache, o.CacheMaxBytes) {
			name, value, _ := strings.Cut(variable, "=")
			registered.Env = append(registered.Env, local.EnvVar{Name: name, Value: value})
		}
	}
	return registered
}

// registered are the builders at a moment. They are never changed.
type registered struct {
	builders map[string]builder
	allowed  map[string]inputs.Builder
	checker  local.Builder
}

// with returns the fixed builders and those of the documents.
func (s *setup) with(declared map[string]builder) *registered {
	next := &registered{builders: map[string]builder{}, allowed: map[string]inputs.Builder{}, checker: s.checker}
	for _, builders := range []map[string]builder{s.fixed, declared} {
		for name, builder := range builders {
			builder.Unconfined = builder.Unconfined || slices.Contains(s.unconfined, name)
			next.builders[name] = builder
			next.allowed[name] = inputs.Builder{
				Image: local.Image(name), Reports: builder.Reports, Capabilities: builder.Capabilities,
				Description: builder.Description, Executable: builder.describe,
			}
		}
	}
	return next
}

// local returns the builders that the agent runs.
func (r *registered) local() map[string]local.Builder {
	builders := map[string]local.Builder{checkerName: r.checker}
	for name, builder := range r.builders {
		builders[name] = builder.Builder
	}
	return builders
}

// replace registers other builders. set is called with the builders for the agent: with new builders before the server
// names them, and without removed builders after the server has named them, so that the agent knows every builder of a pod.
func (r *Registry) replace(next *registered, set func(map[string]local.Builder) error) error {
	both := r.current.Load().local()
	maps.Copy(both, next.local())
	if err := set(both); err != nil {
		return err
	}
	r.current.Store(next)
	select {
	case r.changed <- struct{}{}:
	default: // the controllers have not seen the last change yet
	}
	return set(next.local())
}

// Local returns the builders that the agent runs, by name.
func (r *Registry) Local() map[string]local.Builder { return r.current.Load().local() }

// Changed receives after the builders have changed.
func (r *Registry) Changed() <-chan struct{} { return r.changed }

// Allowed returns the builders of the agent for controllers and server.
func (r *Registry) Allowed() inputs.Builders {
	return inputs.Builders{
		Current:   func() map[string]inputs.Builder { return r.current.Load().allowed },
		Publisher: inputs.Publisher{Agent: true, Checker: local.Image(checkerName)},
	}
}

// Watch registers the builders of changed documents until ctx is done. set is called with the builders for the agent. tell gets a line for
// each change of the builders, and a line for each new problem.
func (r *Registry) Watch(ctx context.Context, set func(map[string]local.Builder) error, tell func(line string)) error {
	return r.watches.Run(ctx, func(ctx context.Context) error {
		r.mu.Lock()
		watched := r.setup
		r.mu.Unlock()
		return watched.source.watch(ctx, watched.declared, func(declared map[string]builder) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.setup != watched { // a reload has read the same documents
				return nil
			}
			return r.replace(watched.with(declared), set)
		}, tell)
	})
}

// checkUnconfined refuses names that are not registered.
func checkUnconfined(names []string, registered map[string]builder) error {
	for _, name := range names {
		shipped, confined := builders.Find(name)
		if _, found := registered[name]; !found || confined && shipped.Inside == nil {
			return fmt.Errorf("--unconfined %q: no builder has this name: register it with --builder %s=/absolute/path", name, name)
		}
	}
	return nil
}
