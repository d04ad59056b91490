// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// resource is one served kind, at its group's preferred version.
type resource struct {
	schema.GroupVersionResource
	namespaced bool
	verbs      metav1.Verbs
}

func (r resource) can(verbs ...string) bool {
	return !slices.ContainsFunc(verbs, func(verb string) bool { return !slices.Contains(r.verbs, verb) })
}

// watched reports whether the collector keeps the resource's objects in memory.
// Events are many, own nothing and are owned by nothing: they only go with their namespace.
func (r resource) watched() bool {
	isEvent := r.Resource == "events" && (r.Group == "" || r.Group == "events.k8s.io")
	return r.can("get", "list", "watch", "delete") && !isEvent
}

// served is what the server serves, by resource, and the resource of each kind that can be an owner.
type served struct {
	resources map[schema.GroupResource]resource
	kinds     map[schema.GroupVersionKind]schema.GroupResource
}

// discover asks the server what it serves. An incomplete answer is an error.
func discover(ctx context.Context, client discovery.DiscoveryInterface) (*served, error) {
	groups, lists, err := discovery.ToServerResourcesInterfaceWithContext(client).ServerGroupsAndResourcesWithContext(ctx)
	if err != nil {
		return nil, err
	}
	preferred := make(map[string]string, len(groups))
	for _, group := range groups {
		preferred[group.Name] = group.PreferredVersion.Version
	}

	s := &served{
		resources: map[schema.GroupResource]resource{},
		kinds:     map[schema.GroupVersionKind]schema.GroupResource{},
	}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, fmt.Errorf("group version %q: %w", list.GroupVersion, err)
		}
		for _, found := range list.APIResources {
			if strings.Contains(found.Name, "/") {
				continue // a subresource
			}
			r := resource{version.WithResource(found.Name), found.Namespaced, found.Verbs}
			if !r.can("get") {
				continue // nothing is stored under it
			}
			s.kinds[version.WithKind(found.Kind)] = r.GroupResource()
			if _, known := s.resources[r.GroupResource()]; !known || version.Version == preferred[version.Group] {
				s.resources[r.GroupResource()] = r
			}
		}
	}
	return s, nil
}

// owner returns the resource that an owner reference points to, and false when its kind is not served.
func (s *served) owner(reference metav1.OwnerReference) (resource, bool) {
	name, ok := s.kinds[schema.FromAPIVersionAndKind(reference.APIVersion, reference.Kind)]
	return s.resources[name], ok
}

// inNamespaces returns the resources whose objects a namespace takes with it.
func (s *served) inNamespaces() []resource {
	var all []resource
	for _, r := range s.resources {
		if r.namespaced && r.can("list", "delete") {
			all = append(all, r)
		}
	}
	return all
}
