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

	reviewed "goldsmith.dev/goldsmith/apis/generated/discovery"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

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
			expected, err := reviewed.Resources()
			Expect(err).NotTo(HaveOccurred())
			Expect(compared(lists[index].APIResources)).To(Equal(compared(expected)))
			readable := discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"get", "list", "watch"}}, lists)
			Expect(readable).To(ContainElement(And(
				HaveField("GroupVersion", v1alpha1.SchemeGroupVersion.String()),
				HaveField("APIResources", HaveLen(3)))))
		},
			Entry("at once", false),
			Entry("group by group", true),
		)
	})
}
