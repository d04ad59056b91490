// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	asAggregated = "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
)

// expectedResources are the group's resources in discovery, without the fields that only one of its documents has.
func expectedResources() []metav1.APIResource {
	all := metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
	change, create := metav1.Verbs{"get", "patch", "update"}, metav1.Verbs{"create"}
	return []metav1.APIResource{
		{Name: "imagebuilds", SingularName: "imagebuild", Kind: "ImageBuild", ShortNames: []string{"imgb"}, Categories: []string{"goldsmith", "all"}, Namespaced: true, Verbs: all},
		{Name: "imagebuilds/cancel", Kind: "CancelRequest", Namespaced: true, Verbs: create},
		{Name: "imagebuilds/diff", Kind: "ImageBuildDiff", Namespaced: true, Verbs: metav1.Verbs{"get"}},
		{Name: "imagebuilds/log", Kind: "ImageBuild", Namespaced: true, Verbs: metav1.Verbs{"get"}},
		{Name: "imagebuilds/report", Kind: "BuildReport", Namespaced: true, Verbs: create},
		{Name: "imagebuilds/rerun", Kind: "RerunRequest", Namespaced: true, Verbs: create},
		{Name: "imagebuilds/status", Kind: "ImageBuild", Namespaced: true, Verbs: change},
		{Name: "imageplans", SingularName: "imageplan", Kind: "ImagePlan", Namespaced: true, Verbs: create},
		{Name: "imagereports", SingularName: "imagereport", Kind: "ImageReport", ShortNames: []string{"imgr"}, Namespaced: true, Verbs: metav1.Verbs{"get", "list"}},
		{Name: "images", SingularName: "image", Kind: "Image", ShortNames: []string{"img"}, Categories: []string{"goldsmith", "all"}, Namespaced: true, Verbs: all},
		{Name: "images/changes", Kind: "ImageChanges", Namespaced: true, Verbs: metav1.Verbs{"get"}},
		{Name: "images/channels", Kind: "ImageChannels", Namespaced: true, Verbs: change},
		{Name: "images/history", Kind: "ImageHistory", Namespaced: true, Verbs: metav1.Verbs{"get"}},
		{Name: "images/instantiate", Kind: "BuildRequest", Namespaced: true, Verbs: create},
		{Name: "images/notes", Kind: "ImageNote", Namespaced: true, Verbs: metav1.Verbs{"create", "get"}},
		{Name: "images/plan", Kind: "ImagePlan", Namespaced: true, Verbs: metav1.Verbs{"get"}},
		{Name: "images/stats", Kind: "ImageStats", Namespaced: true, Verbs: metav1.Verbs{"get"}},
		{Name: "images/status", Kind: "Image", Namespaced: true, Verbs: change},
		{Name: "queuedbuilds", SingularName: "queuedbuild", Kind: "QueuedBuild", ShortNames: []string{"qb"}, Namespaced: true, Verbs: metav1.Verbs{"get", "list"}},
	}
}

// compared leaves out the fields that a client fills in, and the fields that only one document has.
func compared(resources []metav1.APIResource) []metav1.APIResource {
	compared := []metav1.APIResource{}
	for _, resource := range resources {
		resource.Group, resource.Version, resource.StorageVersionHash = "", "", ""
		if strings.Contains(resource.Name, "/") {
			resource.SingularName = ""
		}
		compared = append(compared, resource)
	}
	slices.SortFunc(compared, func(a, b metav1.APIResource) int { return cmp.Compare(a.Name, b.Name) })
	return compared
}

func describeDiscovery(w *fixture) {
	Describe("discovery", func() {
		It("of the group names its version", func(ctx SpecContext) {
			var group metav1.APIGroup
			w.get(ctx, "/apis/images.goldsmith.dev").into(&group)
			Expect(group.Kind).To(Equal("APIGroup"))
			version := metav1.GroupVersionForDiscovery{GroupVersion: "images.goldsmith.dev/v1alpha1", Version: "v1alpha1"}
			Expect(group.Versions).To(Equal([]metav1.GroupVersionForDiscovery{version}))
			Expect(group.PreferredVersion).To(Equal(version))

			var groups metav1.APIGroupList
			w.get(ctx, "/apis", "Accept: application/json").into(&groups)
			Expect(groups.Groups).To(ContainElement(And(
				HaveField("Name", "images.goldsmith.dev"), HaveField("PreferredVersion", version))))
		})

		It("of the version names every resource, with its verbs and short names", func(ctx SpecContext) {
			var resources metav1.APIResourceList
			w.get(ctx, root).into(&resources)
			Expect(resources.GroupVersion).To(Equal("images.goldsmith.dev/v1alpha1"))
			Expect(compared(resources.APIResources)).To(Equal(expectedResources()))
			for _, resource := range resources.APIResources {
				stored := slices.Contains(resource.Verbs, "watch")
				hasHash := resource.StorageVersionHash != ""
				Expect(hasHash).To(Equal(stored), resource.Name)
			}
		})

		It("is aggregated, with the same", func(ctx SpecContext) {
			read := w.get(ctx, "/apis", asAggregated)
			Expect(read.header.Get("Content-Type")).To(ContainSubstring("as=APIGroupDiscoveryList"))
			var groups apidiscovery.APIGroupDiscoveryList
			read.into(&groups)
			index := slices.IndexFunc(groups.Items, func(group apidiscovery.APIGroupDiscovery) bool { return group.Name == v1alpha1.GroupName })
			Expect(index).To(BeNumerically(">=", 0))
			Expect(groups.Items[index].Versions).To(HaveLen(1))
			version := groups.Items[index].Versions[0]
			Expect(version.Freshness).To(Equal(apidiscovery.DiscoveryFreshnessCurrent))
			var found []metav1.APIResource
			for _, resource := range version.Resources {
				found = append(found, metav1.APIResource{
					Name: resource.Resource, SingularName: resource.SingularResource, Kind: resource.ResponseKind.Kind, Verbs: resource.Verbs,
					Namespaced: resource.Scope == apidiscovery.ScopeNamespace, ShortNames: resource.ShortNames, Categories: resource.Categories,
				})
				for _, sub := range resource.Subresources {
					found = append(found, metav1.APIResource{
						Name: resource.Resource + "/" + sub.Subresource, Kind: sub.ResponseKind.Kind, Verbs: sub.Verbs, Namespaced: true,
					})
				}
			}
			Expect(compared(found)).To(Equal(expectedResources()))
		})

		It("that is aggregated is sent once", func(ctx SpecContext) {
			w.Eventually(ctx, func() int { // other groups may still come
				first := w.get(ctx, "/apis", asAggregated)
				Expect(first.header.Get("Etag")).NotTo(BeEmpty())
				return w.get(ctx, "/apis", asAggregated, "If-None-Match: "+first.header.Get("Etag")).code
			}).Should(Equal(304))
		})

		DescribeTable("is what client-go finds", func(legacy bool) {
			client, err := discovery.NewDiscoveryClientForConfig(w.Config)
			Expect(err).NotTo(HaveOccurred())
			var found discovery.DiscoveryInterface = client
			if legacy {
				found = client.WithLegacy()
			}
			_, lists, err := found.ServerGroupsAndResources()
			Expect(err).NotTo(HaveOccurred())
			index := slices.IndexFunc(lists, func(list *metav1.APIResourceList) bool {
				return list.GroupVersion == v1alpha1.SchemeGroupVersion.String()
			})
			Expect(index).To(BeNumerically(">=", 0))
			Expect(compared(lists[index].APIResources)).To(Equal(expectedResources()))
			readable := discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"get", "list", "watch"}}, lists)
			Expect(readable).To(ContainElement(And(
				HaveField("GroupVersion", v1alpha1.SchemeGroupVersion.String()),
				HaveField("APIResources", HaveLen(2)))))
		},
			Entry("at once", false),
			Entry("group by group", true),
		)

		It("of another version, resource or group is a 404", func(ctx SpecContext) {
			for _, path := range []string{"/apis/images.goldsmith.dev/v7", "/apis/colours.goldsmith.dev", root + "/namespaces/" + w.Namespace + "/colours"} {
				Expect(w.get(ctx, path).code).To(Equal(404), path)
			}
		})

		It("is JSON that says what it is", func(ctx SpecContext) {
			for _, path := range []string{"/apis", "/apis/images.goldsmith.dev", root} {
				var kind metav1.TypeMeta
				read := w.get(ctx, path)
				Expect(json.Unmarshal(read.body, &kind)).To(Succeed())
				Expect(kind.Kind).NotTo(BeEmpty())
			}
		})
	})
}
