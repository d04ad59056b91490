// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"fmt"
	"net/url"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apiserver/pkg/endpoints/handlers"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apiserver/codecs"
)

// isTyped reports whether the objects of a subresource have a kind of their own, with a Go type.
func isTyped(subresource string, storage rest.Storage) bool {
	_, untyped := storage.New().(*unstructured.Unstructured)
	_, creates := storage.(rest.NamedCreater)
	return subresource != "" && creates && !untyped
}

// useTypes lets a scope read and write the objects of a subresource as the scheme of the server does.
func (g *Group) useTypes(scope *handlers.RequestScope, storage rest.Storage) error {
	scheme := g.server.scope.Scheme
	kinds, _, err := scheme.ObjectKinds(storage.New())
	if err != nil {
		return fmt.Errorf("find the kind of %s/%s: %w", scope.Resource, scope.Subresource, err)
	}
	public := slices.IndexFunc(kinds, func(kind schema.GroupVersionKind) bool { return kind.Version != runtime.APIVersionInternal })
	if public < 0 {
		return fmt.Errorf("%s/%s: the scheme of the server has no public version of %s", scope.Resource, scope.Subresource, kinds[0].Kind)
	}
	scope.Kind = kinds[public]
	scope.HubGroupVersion = scope.Kind.GroupVersion()
	if internal := (schema.GroupVersion{Group: scope.Kind.Group, Version: runtime.APIVersionInternal}); scheme.Recognizes(internal.WithKind(scope.Kind.Kind)) {
		scope.HubGroupVersion = internal
	}
	scope.Creater, scope.Convertor, scope.Defaulter, scope.Typer = scheme, scheme, scheme, scheme
	scope.UnsafeConvertor = runtime.UnsafeObjectConvertor(scheme)
	scope.Serializer = codecs.ForClients(scheme, []schema.GroupVersion{scope.Kind.GroupVersion()}, g.server.generic.Serializer)
	scope.StandardSerializers = nil
	scope.TableConvertor = rest.NewDefaultTableConvertor(scope.Resource.GroupResource())
	scope.FieldManager, err = managedfields.NewDefaultFieldManager(managedfields.NewDeducedTypeConverter(), scope.UnsafeConvertor, scheme, scheme,
		scope.Kind, scope.HubGroupVersion, scope.Subresource, nil)
	if err != nil {
		return fmt.Errorf("manage the fields of %s/%s: %w", scope.Resource, scope.Subresource, err)
	}
	return nil
}

// kindOf returns the kind of an endpoint for discovery, with its group and version if these are not those of the resource.
func (s *served) kindOf(subresource string) metav1.GroupVersionKind {
	kind := s.endpoints[subresource].scope.Kind
	if kind == s.objects.kind {
		return metav1.GroupVersionKind{Kind: kind.Kind}
	}
	return metav1.GroupVersionKind(kind)
}

// parameters reads the parameters of requests into options that the scheme of the server knows, in any group.
type parameters struct {
	runtime.ParameterCodec
	scheme *runtime.Scheme
}

// DecodeParameters reads the parameters in the version of the options.
func (p parameters) DecodeParameters(query url.Values, _ schema.GroupVersion, into runtime.Object) error {
	kinds, _, err := p.scheme.ObjectKinds(into)
	if err != nil {
		return err
	}
	return p.ParameterCodec.DecodeParameters(query, kinds[0].GroupVersion(), into)
}
