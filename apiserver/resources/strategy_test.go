// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

type manuscript struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Spec   []string
	Notes  string
	Status string
}

func (m *manuscript) DeepCopyObject() runtime.Object {
	return &manuscript{TypeMeta: m.TypeMeta, ObjectMeta: *m.DeepCopy(), Spec: slices.Clone(m.Spec), Notes: m.Notes, Status: m.Status}
}

func TestADefaultStrategyKeepsTheStatusAndCountsGenerations(t *testing.T) {
	g := NewWithT(t)
	strategy := NewDefaultStrategy(runtime.NewScheme())
	created := &manuscript{Spec: []string{"text"}, Status: "of a client"}
	strategy.PrepareForCreate(t.Context(), created)
	g.Expect(created.Status).To(BeEmpty())
	g.Expect(created.Generation).To(BeEquivalentTo(1))
	g.Expect(strategy.Validate(t.Context(), created)).To(ConsistOf(HaveField("Field", "metadata.name")))

	old := &manuscript{ObjectMeta: metav1.ObjectMeta{Name: "old", Generation: 1}, Spec: []string{"text"}, Status: "stored"}
	updated := &manuscript{ObjectMeta: metav1.ObjectMeta{Generation: 1}, Spec: []string{"text"}, Status: "of a client"}
	strategy.PrepareForUpdate(t.Context(), updated, old)
	g.Expect(updated.Status).To(Equal("stored"))
	g.Expect(updated.Generation).To(BeEquivalentTo(1))
	updated.Spec = []string{"another text"}
	strategy.PrepareForUpdate(t.Context(), updated, old)
	g.Expect(updated.Generation).To(BeEquivalentTo(2))
}

func TestAnUpdateHasTheAPIVersionAndKindOfTheStoredObject(t *testing.T) {
	g := NewWithT(t)
	old := &manuscript{TypeMeta: metav1.TypeMeta{APIVersion: "paper.example.com/v1", Kind: "Manuscript"}, Status: "stored"}
	updated := &manuscript{Status: "of a client"}
	ratcheting{RESTUpdateStrategy: NewDefaultStrategy(runtime.NewScheme())}.PrepareForUpdate(t.Context(), updated, old)
	g.Expect(updated).To(Equal(old), "an apply that changes nothing is stored if they differ")
}

func TestADefaultStatusStrategyChangesTheStatusOnly(t *testing.T) {
	g := NewWithT(t)
	updated := &manuscript{Spec: []string{"of a client"}, Notes: "of a client", Status: "new"}
	NewDefaultStatusStrategy(runtime.NewScheme()).PrepareForUpdate(t.Context(), updated, &manuscript{Spec: []string{"stored"}, Notes: "stored"})
	g.Expect(updated).To(Equal(&manuscript{Spec: []string{"stored"}, Notes: "stored", Status: "new"}))
}

func TestAServerWithoutStorageHasNoStores(t *testing.T) {
	_, err := NewStore(&Scope{}, Resource{})
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("the server has no storage")))
}
