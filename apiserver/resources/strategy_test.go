// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"context"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/generic"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// manuscript is a type with every optional method of a strategy.
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
func (m *manuscript) Warnings(context.Context) []string        { return []string{"hard to read"} }
func (m *manuscript) NamespaceScoped() bool                    { return false }
func (m *manuscript) Validate(context.Context) field.ErrorList { return refused("object") }
func (m *manuscript) ValidateUpdate(_ context.Context, old runtime.Object) field.ErrorList {
	return refused("change of " + old.(*manuscript).Name)
}
func (m *manuscript) ValidateStatusUpdate(context.Context, runtime.Object) field.ErrorList {
	return refused("status")
}

func refused(what string) field.ErrorList {
	return field.ErrorList{field.Forbidden(field.NewPath(what), "")}
}

// note is a type without optional methods.
type note struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	Spec, Status string
}

func (n *note) DeepCopyObject() runtime.Object {
	copied := *n
	return &copied
}

func manuscripts() *runtime.Scheme {
	const group = "paper.example.com"
	scheme := runtime.NewScheme()
	for _, version := range []string{runtime.APIVersionInternal, "v1", "v2"} {
		scheme.AddKnownTypes(schema.GroupVersion{Group: group, Version: version}, &manuscript{})
	}
	for _, version := range []string{runtime.APIVersionInternal, "v2", "v3"} {
		scheme.AddKnownTypes(schema.GroupVersion{Group: group, Version: version}, &note{})
	}
	return scheme
}

func TestADefaultStrategyAsksTheObject(t *testing.T) {
	g := NewWithT(t)
	strategy := NewDefaultStrategy(manuscripts()) // as an embedded strategy
	created := &manuscript{Spec: []string{"text"}, Status: "of a client"}
	strategy.PrepareForCreate(t.Context(), created)
	g.Expect(created.Status).To(BeEmpty())
	g.Expect(created.Generation).To(BeEquivalentTo(1))

	old := &manuscript{ObjectMeta: metav1.ObjectMeta{Name: "old", Generation: 1}, Spec: []string{"text"}, Status: "stored"}
	updated := &manuscript{ObjectMeta: metav1.ObjectMeta{Generation: 1}, Spec: []string{"text"}, Status: "of a client"}
	strategy.PrepareForUpdate(t.Context(), updated, old)
	g.Expect(updated.Status).To(Equal("stored"))
	g.Expect(updated.Generation).To(BeEquivalentTo(1))
	updated.Spec = []string{"another text"}
	strategy.PrepareForUpdate(t.Context(), updated, old)
	g.Expect(updated.Generation).To(BeEquivalentTo(2))

	g.Expect(strategy.WarningsOnCreate(t.Context(), updated)).To(Equal([]string{"hard to read"}))
	g.Expect(strategy.WarningsOnUpdate(t.Context(), updated, old)).To(Equal([]string{"hard to read"}))
	g.Expect(strategy.Validate(t.Context(), updated)).To(ConsistOf(HaveField("Field", "metadata.name"), refused("object")[0]))
	updated.Name = "updated"
	g.Expect(strategy.Validate(t.Context(), updated)).To(Equal(refused("object")))
	g.Expect(strategy.ValidateUpdate(t.Context(), updated, old)).To(Equal(append(refused("object"), refused("change of old")...)))
}

func TestAnUpdateHasTheAPIVersionAndKindOfTheStoredObject(t *testing.T) {
	g := NewWithT(t)
	old := &manuscript{TypeMeta: metav1.TypeMeta{APIVersion: "paper.example.com/v1", Kind: "Manuscript"}, Status: "stored"}
	updated := &manuscript{Status: "of a client"}
	ratcheting{RESTUpdateStrategy: NewDefaultStrategy(manuscripts())}.PrepareForUpdate(t.Context(), updated, old)
	g.Expect(updated).To(Equal(old), "an apply that changes nothing is stored if they differ")
}

func TestADefaultStatusStrategyAsksAboutTheStatusOnly(t *testing.T) {
	g := NewWithT(t)
	ordinary, err := strategyFor(manuscripts(), &manuscript{})
	g.Expect(err).NotTo(HaveOccurred())
	strategy := DefaultStatusStrategy{ordinary}
	g.Expect(strategy.ValidateUpdate(t.Context(), &manuscript{}, &manuscript{})).To(Equal(refused("status")))
	g.Expect(strategy.WarningsOnUpdate(t.Context(), &manuscript{}, &manuscript{})).To(BeEmpty())
	updated := &manuscript{Spec: []string{"of a client"}, Notes: "of a client", Status: "new"}
	strategy.PrepareForUpdate(t.Context(), updated, &manuscript{Spec: []string{"stored"}, Notes: "stored"})
	g.Expect(updated).To(Equal(&manuscript{Spec: []string{"stored"}, Notes: "stored", Status: "new"}))
}

func TestTheStrategyOfAStoreAsksItsType(t *testing.T) {
	g := NewWithT(t)
	strategy, err := strategyFor(manuscripts(), &manuscript{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(strategy.NamespaceScoped()).To(BeFalse())

	strategy, err = strategyFor(manuscripts(), &note{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(strategy.NamespaceScoped()).To(BeTrue())
	g.Expect(strategy.Validate(t.Context(), &note{ObjectMeta: metav1.ObjectMeta{Name: "note"}})).To(BeEmpty())
	g.Expect(strategy.ValidateUpdate(t.Context(), &note{}, &note{})).To(BeEmpty())
	status := fieldpath.NewSet(fieldpath.MakePathOrDie("status"))
	g.Expect(strategy.GetResetFields()).To(Equal(map[fieldpath.APIVersion]*fieldpath.Set{
		"paper.example.com/v2": status, "paper.example.com/v3": status,
	}), "in every version that has the kind")

	_, err = strategyFor(runtime.NewScheme(), &note{})
	g.Expect(runtime.IsNotRegisteredError(err)).To(BeTrue())
}

func TestAStoreThatCannotBeIsRefused(t *testing.T) {
	g := NewWithT(t)
	_, err := NewStore(&Scope{}, Resource{})
	g.Expect(err).To(MatchError(ContainSubstring("the server has no storage")))
	_, err = NewStore(&Scope{Scheme: manuscripts(), RESTOptions: generic.RESTOptions{}}, Resource{
		New:      func() runtime.Object { return &manuscript{} },
		Resource: schema.GroupResource{Group: "paper.example.com", Resource: "manuscripts"},
		Strategy: NewDefaultStrategy(manuscripts()),
	})
	g.Expect(err).To(MatchError(ContainSubstring("differ on whether it is in namespaces")))
}
