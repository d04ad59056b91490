// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	runtimeserializer "k8s.io/apimachinery/pkg/runtime/serializer"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/kube-openapi/pkg/common"

	"goldsmith.dev/goldsmith/apiserver/resources"
)

// Group is an API group of one server, whose kinds can be replaced. It is safe for concurrent use.
type Group struct {
	name     string
	versions []string
	scheme   *runtime.Scheme // the types that requests and answers of every kind use
	codecs   runtimeserializer.CodecFactory

	current atomic.Pointer[state] // nil until the first Replace of an installed group

	mutex    sync.Mutex // protects the fields below, and is held while current changes
	known    []*compiled
	replaced bool
	server   *server // nil before the group is installed, and after the server has stopped
	openapi  *publisher
}

// state is everything that requests need. Nothing changes it.
type state struct {
	kinds     map[schema.GroupVersionResource]*served
	discovery map[string]http.Handler // by version
}

// server is the part of the server that endpoints use.
type server struct {
	generic             *genericapiserver.GenericAPIServer
	scope               *resources.Scope
	minRequestTimeout   time.Duration
	maxRequestBodyBytes int64
	openAPIv2           *common.Config
	openAPIv3           *common.OpenAPIV3Config
}

// NewGroup returns a group without kinds, for one server. The server always serves these versions, of which it prefers the first.
func NewGroup(name string, versions ...string) *Group {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	for _, version := range versions {
		metav1.AddToGroupVersion(scheme, schema.GroupVersion{Group: name, Version: version})
	}
	return &Group{name: name, versions: versions, scheme: scheme, codecs: runtimeserializer.NewCodecFactory(scheme)}
}

// Name returns the name of the group.
func (g *Group) Name() string { return g.name }

// Check is a check of /readyz that fails until the first Replace.
func (g *Group) Check() healthz.HealthChecker {
	return healthz.NamedCheck("kinds-of-"+g.name, func(*http.Request) error {
		if g.current.Load() == nil {
			return errors.New("the kinds of the group are not known yet")
		}
		return nil
	})
}

// Replace serves these kinds from now on, and no others. After an error, the kinds are as before. Requests that run finish with the
// kind that they began with, and watches of kinds that are replaced end: see Serving. Before the server serves, errors of
// Kind.Storages are errors of its start.
func (g *Group) Replace(kinds []Kind) error {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	next, err := g.compileAll(kinds)
	if err != nil {
		return err
	}
	if g.server != nil {
		if err := g.swap(next); err != nil {
			return err
		}
	}
	g.known, g.replaced = next, true
	return nil
}

// compileAll compiles the kinds that are not yet known.
func (g *Group) compileAll(kinds []Kind) ([]*compiled, error) {
	known := map[schema.GroupVersionResource]*compiled{}
	for _, kind := range g.known {
		known[kind.resource] = kind
	}
	all := make([]*compiled, 0, len(kinds))
	taken := map[schema.GroupVersionKind]bool{}
	resources := map[schema.GroupVersionResource]bool{}
	for _, kind := range kinds {
		resource, err := key(kind)
		if err != nil {
			return nil, fmt.Errorf("replace the kinds of %s: %w", g.name, err)
		}
		next := known[resource]
		if next == nil || next.Revision != kind.Revision {
			if next, err = g.compile(kind, resource); err != nil {
				return nil, fmt.Errorf("replace the kinds of %s: %w", g.name, err)
			}
		}
		list := resource.GroupVersion().WithKind(next.Definition.Spec.Names.ListKind)
		if resources[resource] || taken[next.objects.kind] || taken[list] {
			return nil, fmt.Errorf("replace the kinds of %s: two kinds have the names of %s", g.name, next.objects.kind.Kind)
		}
		resources[resource], taken[next.objects.kind], taken[list] = true, true, true
		all = append(all, next)
	}
	return all, nil
}

// swap serves the next kinds instead of the current ones.
func (g *Group) swap(kinds []*compiled) error {
	old := map[schema.GroupVersionResource]*served{}
	if current := g.current.Load(); current != nil {
		old = current.kinds
	}
	next := &state{kinds: map[schema.GroupVersionResource]*served{}, discovery: map[string]http.Handler{}}
	for _, kind := range kinds {
		if same := old[kind.resource]; same != nil && same.compiled == kind {
			next.kinds[kind.resource] = same
			continue
		}
		created, err := g.serve(kind)
		if err != nil {
			retireUnless(next.kinds, old)
			return fmt.Errorf("replace the kinds of %s: %w", g.name, err)
		}
		next.kinds[kind.resource] = created
	}
	g.list(next)
	g.current.Store(next)
	g.aggregate(next)
	if g.openapi != nil {
		g.openapi.publish()
	}
	retireUnless(old, next.kinds)
	return nil
}

// retireUnless retires the kinds that are not among the others.
func retireUnless(kinds, others map[schema.GroupVersionResource]*served) {
	for resource, kind := range kinds {
		if others[resource] != kind {
			close(kind.retired)
			go kind.end()
		}
	}
}

// Install serves the group on a server. Package builder calls it, once.
func (g *Group) Install(generic *genericapiserver.GenericAPIServer, config *genericapiserver.Config, scope *resources.Scope) error {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	switch {
	case len(g.versions) == 0:
		return fmt.Errorf("install group %s: it has no versions", g.name)
	case g.server != nil:
		return fmt.Errorf("install group %s: it belongs to another server", g.name)
	}
	g.server = &server{
		generic:             generic,
		scope:               scope,
		minRequestTimeout:   time.Duration(config.MinRequestTimeout) * time.Second,
		maxRequestBodyBytes: config.MaxRequestBodyBytes,
		openAPIv2:           config.OpenAPIConfig,
		openAPIv3:           config.OpenAPIV3Config,
	}
	g.announce()
	generic.Handler.NonGoRestfulMux.Handle("/apis/"+g.name, g)
	generic.Handler.NonGoRestfulMux.HandlePrefix("/apis/"+g.name+"/", g)
	generic.RegisterDestroyFunc(g.destroy)
	if g.replaced {
		return g.swap(g.known)
	}
	return nil
}

// destroy closes all storages. Requests that come later get 503.
func (g *Group) destroy() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	current := g.current.Swap(nil)
	g.server, g.openapi = nil, nil
	if current == nil {
		return
	}
	for _, kind := range current.kinds {
		close(kind.retired)
		kind.end()
	}
}
