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

// resourceOf is the name of a resource, or of the resource of a subresource.
func resourceOf(resource metav1.APIResource) string {
	name, _, _ := strings.Cut(resource.Name, "/")
	return name
}

func describeDiscovery(w *subject) {
	Describe("discovery", func() {
		It("of the group names its version", func(ctx SpecContext) {
			var group metav1.APIGroup
			w.get(ctx, "/apis/"+w.resource.Group).into(&group)
			Expect(group.Kind).To(Equal("APIGroup"))
			version := metav1.GroupVersionForDiscovery{GroupVersion: w.resource.GroupVersion().String(), Version: w.resource.Version}
			Expect(group.Versions).To(ContainElement(version))
			Expect(group.PreferredVersion).To(Equal(version))

			var groups metav1.APIGroupList
			w.get(ctx, "/apis", "Accept: application/json").into(&groups)
			Expect(groups.Groups).To(ContainElement(And(
				HaveField("Name", w.resource.Group), HaveField("PreferredVersion", version))))
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
				return list.GroupVersion == w.resource.GroupVersion().String()
			})
			Expect(index).To(BeNumerically(">=", 0))
			expected, err := w.discovered()
			Expect(err).NotTo(HaveOccurred())
			names := map[string]bool{}
			for _, resource := range expected {
				names[resourceOf(resource)] = true
			}
			others := func(resource metav1.APIResource) bool { return !names[resourceOf(resource)] } // a group may have more kinds
			Expect(compared(slices.DeleteFunc(lists[index].APIResources, others))).To(Equal(compared(expected)))
			readable := discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"get", "list", "watch"}}, lists)
			Expect(readable).To(ContainElement(And(HaveField("GroupVersion", w.resource.GroupVersion().String()),
				HaveField("APIResources", ContainElement(HaveField("Name", w.resource.Resource))))))
		},
			Entry("at once", false),
			Entry("group by group", true),
		)
	})
}
