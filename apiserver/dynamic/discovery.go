// SPDX-License-Identifier: Apache-2.0

package dynamic

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/endpoints/discovery"
)

// groupPriority is the priority of the group among those of the server: that of custom resources.
const groupPriority = 1000

// announce adds the group to the list of groups. Until its kinds are known, discovery marks its versions as stale, so
// that clients do not take the missing kinds for deleted ones.
func (g *Group) announce() {
	generic := g.server.generic
	generic.DiscoveryGroupManager.AddGroup(g.apiGroup())
	for i, version := range g.versions {
		generic.AggregatedDiscoveryGroupManager.AddGroupVersion(g.name,
			apidiscoveryv2.APIVersionDiscovery{Version: version, Freshness: apidiscoveryv2.DiscoveryFreshnessStale})
		generic.AggregatedDiscoveryGroupManager.SetGroupVersionPriority(metav1.GroupVersion{Group: g.name, Version: version}, groupPriority, len(g.versions)-i)
	}
}

func (g *Group) apiGroup() metav1.APIGroup {
	group := metav1.APIGroup{Name: g.name}
	for _, version := range g.versions {
		group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{GroupVersion: g.name + "/" + version, Version: version})
	}
	group.PreferredVersion = group.Versions[0]
	return group
}

// list sets the documents of each version, which change together with the kinds.
func (g *Group) list(next *state) {
	for _, version := range g.versions {
		resources := []metav1.APIResource{}
		for _, kind := range next.in(version) {
			resources = append(resources, kind.resources()...)
		}
		list := discovery.APIResourceListerFunc(func() []metav1.APIResource { return resources })
		next.discovery[version] = discovery.NewAPIVersionHandler(g.codecs, schema.GroupVersion{Group: g.name, Version: version}, list)
	}
}

// aggregate changes the document of all groups.
func (g *Group) aggregate(current *state) {
	for _, version := range g.versions {
		document := apidiscoveryv2.APIVersionDiscovery{Version: version, Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent}
		for _, kind := range current.in(version) {
			document.Resources = append(document.Resources, kind.aggregated())
		}
		g.server.generic.AggregatedDiscoveryGroupManager.AddGroupVersion(g.name, document)
	}
}

// in returns the kinds of a version, by their names.
func (s *state) in(version string) (kinds []*served) {
	for _, kind := range s.kinds {
		if kind.resource.Version == version {
			kinds = append(kinds, kind)
		}
	}
	slices.SortFunc(kinds, func(a, b *served) int { return strings.Compare(a.resource.Resource, b.resource.Resource) })
	return kinds
}

// resources returns the resource and its subresources, as a version lists them.
func (s *served) resources() []metav1.APIResource {
	names := s.Definition.Spec.Names
	var all []metav1.APIResource
	for _, subresource := range slices.Sorted(maps.Keys(s.endpoints)) {
		resource := metav1.APIResource{Name: names.Plural, Namespaced: s.namespaced(), Kind: names.Kind, Verbs: s.endpoints[subresource].verbs()}
		if subresource == "" {
			resource.SingularName, resource.ShortNames, resource.Categories = names.Singular, names.ShortNames, names.Categories
		} else {
			resource.Name += "/" + subresource
			kind := s.kindOf(subresource)
			resource.Group, resource.Version, resource.Kind = kind.Group, kind.Version, kind.Kind
		}
		all = append(all, resource)
	}
	return all
}

// aggregated returns the resource with its subresources, as the aggregated document lists it.
func (s *served) aggregated() apidiscoveryv2.APIResourceDiscovery {
	var resource apidiscoveryv2.APIResourceDiscovery
	kind := metav1.GroupVersionKind(s.objects.kind)
	for _, each := range s.resources() {
		if _, subresource, ok := strings.Cut(each.Name, "/"); ok {
			kind := metav1.GroupVersionKind(s.endpoints[subresource].scope.Kind)
			resource.Subresources = append(resource.Subresources, apidiscoveryv2.APISubresourceDiscovery{Subresource: subresource, ResponseKind: &kind, Verbs: each.Verbs})
			continue
		}
		resource.Resource, resource.SingularResource, resource.Verbs = each.Name, each.SingularName, each.Verbs
		resource.ShortNames, resource.Categories, resource.ResponseKind = each.ShortNames, each.Categories, &kind
		resource.Scope = apidiscoveryv2.ScopeCluster
		if each.Namespaced {
			resource.Scope = apidiscoveryv2.ScopeNamespace
		}
	}
	return resource
}

// serveDiscovery answers a request for /apis/GROUP or /apis/GROUP/VERSION.
func (g *Group) serveDiscovery(current *state, path []string, writer http.ResponseWriter, request *http.Request) {
	switch {
	case len(path) == 2:
		discovery.NewAPIGroupHandler(g.codecs, g.apiGroup()).ServeHTTP(writer, request)
	case len(path) == 3 && current.discovery[path[2]] != nil:
		current.discovery[path[2]].ServeHTTP(writer, request)
	default:
		http.NotFound(writer, request)
	}
}
