// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestTheStorageVersionIsOneThatHasTheKind(t *testing.T) {
	g := NewWithT(t)
	version := func(name string) schema.GroupVersion {
		return schema.GroupVersion{Group: "paper.example.com", Version: name}
	}
	stored := func(kind runtime.Object, described ...schema.GroupVersion) string {
		encoding := &resourceEncoding{scheme: manuscripts(), stored: described}
		found, err := encoding.storageVersion(schema.GroupResource{Group: "paper.example.com", Resource: "papers"}, kind)
		g.Expect(err).NotTo(HaveOccurred())
		return found.Version
	}
	g.Expect(stored(&manuscript{})).To(Equal("v1"), "the first version of the scheme")
	g.Expect(stored(&manuscript{}, version("v2"))).To(Equal("v2"))
	g.Expect(stored(&manuscript{}, version("v2"), version("v1"))).To(Equal("v1"), "the last version that the description names")
	g.Expect(stored(&manuscript{}, schema.GroupVersion{Group: "other.example.com", Version: "v2"})).To(Equal("v1"))
	g.Expect(stored(&note{}, version("v1"))).To(Equal("v2"), "a kind that came later")
	g.Expect(stored(&note{}, version("v3"))).To(Equal("v3"))

	unknown := &resourceEncoding{scheme: runtime.NewScheme()}
	_, err := unknown.storageVersion(schema.GroupResource{Resource: "papers"}, &note{})
	g.Expect(err).To(MatchError(ContainSubstring("find the storage version of papers")))
}
