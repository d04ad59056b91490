// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	openapibuilder "k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/uuid"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/kube-openapi/pkg/cached"
	"k8s.io/kube-openapi/pkg/handler"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// verbOf are the verbs of the actions in OpenAPI documents.
var verbOf = map[string]string{
	"get": "get", "list": "list", "put": "update", "patch": "patch", "post": "create", "delete": "delete", "deletecollection": "deletecollection",
}

// documents describe a kind. They are created when a client first asks for them, and stay in memory: merging them is fast.
type documents struct {
	v2 func() (*spec.Swagger, error)
	v3 func() (*spec3.OpenAPI, error)
}

// documents returns the documents of a kind, with the operations that its storages have.
func (s *served) describe(server *server) documents {
	version := s.resource.Version
	return documents{
		v2: sync.OnceValues(func() (*spec.Swagger, error) {
			document, err := openapibuilder.BuildOpenAPIV2(s.Definition, version, openapibuilder.Options{V2: true, IncludeSelectableFields: true})
			if err != nil {
				return nil, fmt.Errorf("describe %s in OpenAPI v2: %w", s.resource, err)
			}
			document.Definitions = handler.PruneDefaults(document.Definitions) // as those of the other resources
			for path, item := range document.Paths.Paths {
				for _, operation := range []**spec.Operation{&item.Get, &item.Put, &item.Post, &item.Delete, &item.Patch} {
					if *operation != nil && !s.serves(path, (*operation).Extensions) {
						*operation = nil
					}
				}
				document.Paths.Paths[path] = item
			}
			if err := s.addOperationsV2(document, server); err != nil {
				return nil, fmt.Errorf("describe the subresources of %s in OpenAPI v2: %w", s.resource, err)
			}
			return document, nil
		}),
		v3: sync.OnceValues(func() (*spec3.OpenAPI, error) {
			document, err := openapibuilder.BuildOpenAPIV3(s.Definition, version, openapibuilder.Options{IncludeSelectableFields: true})
			if err != nil {
				return nil, fmt.Errorf("describe %s in OpenAPI v3: %w", s.resource, err)
			}
			for path, item := range document.Paths.Paths {
				for _, operation := range []**spec3.Operation{&item.Get, &item.Put, &item.Post, &item.Delete, &item.Patch} {
					if *operation != nil && !s.serves(path, (*operation).Extensions) {
						*operation = nil
					}
				}
			}
			if err := s.addOperationsV3(document, server); err != nil {
				return nil, fmt.Errorf("describe the subresources of %s in OpenAPI v3: %w", s.resource, err)
			}
			return document, nil
		}),
	}
}

// serves reports whether a storage has the verb of an operation.
func (s *served) serves(path string, extensions spec.Extensions) bool {
	action, _ := extensions.GetString("x-kubernetes-action")
	_, subresource, _ := strings.Cut(path, "/{name}/")
	endpoint := s.endpoints[subresource]
	return endpoint != nil && endpoint.handler(verbOf[action]) != nil
}

// publisher adds the kinds of all groups of a server to its OpenAPI documents.
type publisher struct {
	generic *genericapiserver.GenericAPIServer
	groups  []*Group
	kept    kept
}

// Publish adds the kinds of these groups to the OpenAPI documents of their server, now and after each Replace. Package builder calls
// it once, when the server has these documents.
func Publish(generic *genericapiserver.GenericAPIServer, groups []*Group) {
	publisher := &publisher{generic: generic, groups: groups, kept: kept{generic: generic, asked: map[string]bool{}}}
	for _, group := range groups {
		group.mutex.Lock()
		group.openapi = publisher
		group.mutex.Unlock()
	}
	publisher.publish()
}

// publish replaces the documents. They are merged when a client next asks for them.
func (p *publisher) publish() {
	if !p.kept.begun && slices.ContainsFunc(p.groups, func(group *Group) bool { return len(group.served(group.versions...)) > 0 }) {
		p.kept.begun = true
		p.begin()
	}
	p.replace()
	p.kept.refresh()
}

// begin lets the library read documents without kinds. It keeps the first document that it could read for as long as the server runs.
func (p *publisher) begin() {
	for _, group := range p.groups {
		for _, version := range group.versions {
			version := schema.GroupVersion{Group: group.name, Version: version}
			empty := &spec3.OpenAPI{Version: "3.0.0", Info: &spec.Info{}, Paths: &spec3.Paths{}, Components: &spec3.Components{}}
			p.generic.OpenAPIV3VersionedService.UpdateGroupVersionLazy("apis/"+version.String(), cached.Static(empty, "empty"))
			p.kept.read("/openapi/v3/apis/" + version.String())
		}
	}
	p.generic.OpenAPIVersionedService.UpdateSpecLazy(cached.Static(p.generic.StaticOpenAPISpec, "static"))
	p.kept.read("/openapi/v2")
}

func (p *publisher) replace() {
	etag := string(uuid.NewUUID())
	for _, group := range p.groups {
		for _, version := range group.versions {
			version := schema.GroupVersion{Group: group.name, Version: version}
			p.generic.OpenAPIV3VersionedService.UpdateGroupVersionLazy("apis/"+version.String(), cached.Once(cached.Func(func() (*spec3.OpenAPI, string, error) {
				p.kept.ask("/openapi/v3/apis/" + version.String())
				document, err := group.v3(version)
				return document, etag, err
			})))
		}
	}
	p.generic.OpenAPIVersionedService.UpdateSpecLazy(cached.Once(cached.Func(func() (*spec.Swagger, string, error) {
		p.kept.ask("/openapi/v2")
		document, err := p.v2()
		return document, etag, err
	})))
}

// v3 merges the documents of the kinds in a version. Kinds have different paths and schemas. Schemas that they share, such as those of
// metadata and of requests at subresources, are the same.
func (g *Group) v3(version schema.GroupVersion) (*spec3.OpenAPI, error) {
	all := &spec3.OpenAPI{
		Version:    "3.0.0",
		Info:       &spec.Info{InfoProps: spec.InfoProps{Title: g.name, Version: version.Version}},
		Paths:      &spec3.Paths{Paths: map[string]*spec3.Path{}},
		Components: &spec3.Components{Schemas: map[string]*spec.Schema{}},
	}
	for _, kind := range g.served(version.Version) {
		document, err := kind.documents.v3()
		if err != nil {
			return nil, err
		}
		maps.Copy(all.Paths.Paths, document.Paths.Paths)
		maps.Copy(all.Components.Schemas, document.Components.Schemas)
	}
	return all, nil
}

// v2 merges the documents of all kinds with the document of the server. Both have the definitions of metadata, which differ in small
// things. Those of the server suffice: two definitions of ObjectMeta would confuse clients.
func (p *publisher) v2() (*spec.Swagger, error) {
	var all []*spec.Swagger
	for _, group := range p.groups {
		for _, kind := range group.served(group.versions...) {
			document, err := kind.documents.v2()
			if err != nil {
				return nil, err
			}
			own := *document
			own.Definitions = maps.Clone(document.Definitions)
			maps.DeleteFunc(own.Definitions, func(name string, _ spec.Schema) bool {
				_, known := p.generic.StaticOpenAPISpec.Definitions[name]
				return known
			})
			all = append(all, &own)
		}
	}
	merged, err := openapibuilder.MergeSpecs(p.generic.StaticOpenAPISpec, all...)
	if err != nil {
		return nil, fmt.Errorf("merge the OpenAPI v2 documents: %w", err)
	}
	return merged, nil
}

// served returns the kinds that are served in these versions.
func (g *Group) served(versions ...string) (kinds []*served) {
	if current := g.current.Load(); current != nil {
		for _, version := range versions {
			kinds = append(kinds, current.in(version)...)
		}
	}
	return kinds
}
