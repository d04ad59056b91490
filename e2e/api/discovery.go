// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
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
	})
}
