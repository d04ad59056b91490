// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up/registry"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/local"
)

// parseBuilders reads name=/path pairs, and checks that each path can be run.
func parseBuilders(pairs []string) (map[string]registry.Builder, error) {
	named := map[string]registry.Builder{}
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
		if err := registry.CheckExecutable(path); err != nil {
			return nil, fmt.Errorf("--builder %q: %w", pair, err)
		}
		named[name] = registry.Builder{Builder: local.Builder{Path: path}, Reports: true}
	}
	return named, nil
}

// readBuilders returns the builders of the flags and of the documents.
func (o *Options) readBuilders() (*registrations, error) {
	fixed, err := parseBuilders(o.Builders)
	if err != nil {
		return nil, err
	}
	source := registry.Source{
		Path: o.BuilderDocuments, Optional: o.defaultBuilders,
		Taken: map[string]string{},
	}
	for name := range fixed {
		source.Taken[name] = "is also set by --builder"
	}
	for _, shipped := range builders.Shipped() {
		source.Taken[shipped.Name] = "is built in"
		fixed[shipped.Name] = o.register(shipped)
	}
	declared, err := source.Read()
	if err != nil {
		return nil, fmt.Errorf("read the builders: %w", err)
	}
	r := &registrations{source: source, fixed: fixed, declared: declared, unconfined: o.Unconfined, changed: make(chan struct{}, 1)}
	r.current.Store(r.with(declared))
	if err := checkUnconfined(o.Unconfined, r.current.Load().builders); err != nil {
		return nil, err
	}
	return r, nil
}

// parseBuilderCacheMax returns a quantity in bytes.
func parseBuilderCacheMax(text string) (int64, error) {
	quantity, err := resource.ParseQuantity(text)
	if err != nil || quantity.Value() < 0 {
		return 0, fmt.Errorf("--builder-cache-max %q: must be a quantity of bytes, such as 20Gi, or 0", text)
	}
	return quantity.Value(), nil
}

// register returns a builder that ships as a subcommand of this executable.
func (o *Options) register(shipped builders.Builder) registry.Builder {
	registered := registry.Builder{
		Builder:      local.Builder{Path: o.Executable, Args: []string{shipped.Command}, Unconfined: shipped.Inside != nil},
		Description:  shipped.Description,
		Reports:      true,
		Capabilities: shipped.Capabilities,
	}
	if shipped.Missing != nil {
		registered.Lacks = shipped.Missing()
	}
	if shipped.Environment != nil {
		cache := ""
		if !o.Memory {
			cache = filepath.Join(o.DataDirectory, "cache")
		}
		for _, variable := range shipped.Environment(os.Getenv, cache, o.builderCacheMax) {
			name, value, _ := strings.Cut(variable, "=")
			registered.Env = append(registered.Env, local.EnvVar{Name: name, Value: value})
		}
	}
	return registered
}

// registrations are the registered builders. They are safe for concurrent use.
type registrations struct {
	source     registry.Source
	fixed      map[string]registry.Builder // of the flags, and those that ship
	declared   map[string]registry.Builder // of the documents at the start
	unconfined []string                    // names of --unconfined
	changed    chan struct{}               // receives after a change
	current    atomic.Pointer[registered]
}

// registered are the builders at a moment. They are never changed.
type registered struct {
	builders map[string]registry.Builder
	allowed  map[string]inputs.Builder
}

// with returns the fixed builders and those of the documents.
func (r *registrations) with(declared map[string]registry.Builder) *registered {
	next := &registered{builders: map[string]registry.Builder{}, allowed: map[string]inputs.Builder{}}
	for _, builders := range []map[string]registry.Builder{r.fixed, declared} {
		for name, builder := range builders {
			builder.Unconfined = builder.Unconfined || slices.Contains(r.unconfined, name)
			next.builders[name] = builder
			next.allowed[name] = inputs.Builder{
				Image: local.Image(name), Reports: builder.Reports, Capabilities: builder.Capabilities,
				Description: builder.Description, Executable: builder.Describe,
			}
		}
	}
	return next
}

// local returns the builders that the agent runs.
func (r *registered) local() map[string]local.Builder {
	builders := map[string]local.Builder{}
	for name, builder := range r.builders {
		builders[name] = builder.Builder
	}
	return builders
}

// replace registers the builders of changed documents. set is called with the builders for the agent: with new builders before the server
// names them, and without removed builders after the server has named them, so that the agent knows every builder of a pod.
func (r *registrations) replace(declared map[string]registry.Builder, set func(map[string]local.Builder) error) error {
	next := r.with(declared)
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

// allowed returns the builders of the agent for controllers and server.
func (r *registrations) allowed() inputs.Builders {
	return inputs.Builders{
		Current:   func() map[string]inputs.Builder { return r.current.Load().allowed },
		Publisher: inputs.Publisher{Agent: true},
	}
}

// watch registers the builders of changed documents until ctx is done. set is called with the builders for the agent.
func (r *registrations) watch(ctx context.Context, set func(map[string]local.Builder) error, tell func(line string)) error {
	return r.source.Watch(ctx, r.declared, func(declared map[string]registry.Builder) error { return r.replace(declared, set) }, tell)
}

// startBuilders watches the documents of builders.
func (s *system) startBuilders(ctx context.Context, agent *local.Agent) {
	s.components.start(ctx, "builders", func(ctx context.Context) error {
		return s.builders.watch(ctx, agent.SetBuilders, func(line string) { s.notice(ctx, "builders: "+line) })
	})
}
