// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	utilwaitgroup "k8s.io/apimachinery/pkg/util/waitgroup"
	"k8s.io/apiserver/pkg/endpoints/handlers"
	"k8s.io/apiserver/pkg/registry/rest"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"goldsmith.dev/goldsmith/apiserver/requesterrors"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// served is a kind with its storages. Nothing changes it while it serves.
type served struct {
	*compiled
	storages  resources.Storages
	endpoints map[string]*endpoint // by subresource: "" is the resource itself
	documents documents
	retired   chan struct{} // closed when the kind is replaced
	requests  utilwaitgroup.SafeWaitGroup
}

// serve creates the storages of a kind.
func (g *Group) serve(kind *compiled) (*served, error) {
	retired := make(chan struct{})
	storages, err := kind.Storages(Serving{Scope: g.server.scope, Table: kind.table, Retired: retired})
	if err != nil {
		return nil, fmt.Errorf("create the storages of %s: %w", kind.resource, err)
	}
	s := &served{compiled: kind, storages: storages, endpoints: map[string]*endpoint{}, retired: retired}
	s.documents = s.describe(g.server)
	if storages[""] == nil {
		s.end()
		return nil, fmt.Errorf("%s has no storage for the resource itself", kind.resource)
	}
	for name, storage := range storages {
		if s.endpoints[name], err = g.endpoint(s, name, storage); err != nil {
			s.end()
			return nil, err
		}
	}
	return s, nil
}

// end closes the storages of a retired kind once its last request has ended.
func (s *served) end() {
	s.requests.Wait()
	for _, storage := range s.storages {
		storage.Destroy()
	}
}

// endpoint describes a storage to the handlers of the library.
func (g *Group) endpoint(s *served, subresource string, storage rest.Storage) (*endpoint, error) {
	kind := s.objects.kind
	_, creates := storage.(rest.Creater)
	_, createsNamed := storage.(rest.NamedCreater)
	_, updates := storage.(rest.Updater)
	typed := isTyped(subresource, storage)
	if example, ok := storage.New().(*unstructured.Unstructured); (creates || createsNamed || updates) && !typed && (!ok || example.GroupVersionKind() != kind) {
		return nil, fmt.Errorf("a storage of %s must make new objects of type *unstructured.Unstructured and kind %s", s.resource, kind.Kind)
	}
	table, ok := storage.(rest.TableConvertor)
	if !ok {
		table = s.table
	}
	var reset map[fieldpath.APIVersion]fieldpath.Filter
	if resets, ok := storage.(rest.ResetFieldsStrategy); ok {
		reset = fieldpath.NewExcludeFilterSetMap(resets.GetResetFields())
	}
	manager, err := managedfields.NewDefaultCRDFieldManager(s.types, s.objects, withoutDefaults{}, s.objects, kind, kind.GroupVersion(), subresource, reset)
	if err != nil {
		return nil, fmt.Errorf("manage the fields of %s: %w", s.resource, err)
	}
	// Only the metadata has Go types that errors can name.
	scheme := runtime.NewScheme()
	scheme.AddKnownTypeWithName(kind, &metav1.PartialObjectMetadata{})
	patches, err := requesterrors.ForPatches(scheme, s.objects.empty())
	if err != nil {
		return nil, fmt.Errorf("explain patches of %s: %w", s.resource, err)
	}
	serializer := newSerializer(s.objects, g)
	scope := &handlers.RequestScope{
		Namer:               handlers.ContextBasedNaming{Namer: meta.NewAccessor(), ClusterScoped: !s.namespaced()},
		Serializer:          serializer,
		StandardSerializers: serializer.forObjects(),
		ParameterCodec:      parameters{runtime.NewParameterCodec(g.server.scope.Scheme), g.server.scope.Scheme},
		Creater:             s.objects,
		Convertor:           s.objects,
		Defaulter:           s.objects,
		Typer:               s.objects,
		UnsafeConvertor:     s.objects,
		Authorizer:          g.server.scope.Authorizer,
		TableConvertor:      table,
		FieldManager:        manager,
		Resource:            s.resource,
		Subresource:         subresource,
		Kind:                kind,
		HubGroupVersion:     kind.GroupVersion(),
		MetaGroupVersion:    metav1.SchemeGroupVersion,
		MaxRequestBodyBytes: g.server.maxRequestBodyBytes,
	}
	if typed {
		if err := g.useTypes(scope, storage); err != nil {
			return nil, err
		}
	}
	equivalent := runtime.NewEquivalentResourceRegistry()
	equivalent.RegisterKindFor(s.resource, subresource, scope.Kind)
	scope.EquivalentResourceMapper = equivalent
	return &endpoint{
		storage:           storage,
		admission:         s.objects.admission(g.server.scope.Admission),
		minRequestTimeout: g.server.minRequestTimeout,
		retired:           s.retired,
		patches:           patches,
		scope:             scope,
	}, nil
}
