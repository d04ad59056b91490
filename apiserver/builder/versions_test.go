// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/example"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/e2e/require"
)

// A book that is stored in one version is served in both.
func TestAResourceInTwoVersions(t *testing.T) {
	t.Parallel()
	for _, stored := range []schema.GroupVersion{v1.SchemeGroupVersion, v2.SchemeGroupVersion} {
		t.Run("stored in "+stored.Version, func(t *testing.T) {
			t.Parallel()
			running, _ := buildertest.Start(t, buildertest.Library(builder.Memory()).WithStorageVersion(stored))
			t.Run("is discovered", func(t *testing.T) { isDiscovered(t, running) })
			books := buildertest.ConnectLibrary(running)
			t.Run("is read, selected, written and watched in both", func(t *testing.T) { isTheSameInBoth(t, books) })
			t.Run("is patched in both", func(t *testing.T) { isPatchedInBoth(t, books) })
			t.Run("is applied in both", func(t *testing.T) { isAppliedInBoth(t, books) })
			t.Run("is validated in both", func(t *testing.T) { isValidatedInBoth(t, books) })
		})
	}
}

func isDiscovered(t *testing.T, running *builder.Running) {
	g := NewWithT(t)
	discovery := buildertest.ConnectOutside(t, running, buildertest.Token).Discovery()
	groups := require.Value(discovery.ServerGroups())(t)
	g.Expect(groups.Groups).To(HaveLen(1))
	g.Expect(groups.Groups[0].PreferredVersion.Version).To(Equal("v2"))
	g.Expect(groups.Groups[0].Versions).To(HaveLen(2))
	for version, want := range map[string][]string{"v1": {"books", "books/status"}, "v2": {"books", "books/status", "loanrequests"}} {
		resources := require.Value(discovery.ServerResourcesForGroupVersion("library.example.com/" + version))(t)
		var names []string
		for _, resource := range resources.APIResources {
			names = append(names, resource.Name)
		}
		g.Expect(names).To(ConsistOf(want), version)
	}
	g.Expect(discovery.OpenAPIV3().Paths()).To(And(HaveKey("apis/library.example.com/v1"), HaveKey("apis/library.example.com/v2")))
}

func isTheSameInBoth(t *testing.T, books client.WithWatch) {
	g := NewWithT(t)
	everywhere := client.InNamespace(metav1.NamespaceDefault)
	first := require.Value(books.Watch(t.Context(), &v1.BookList{}, everywhere))(t)
	defer first.Stop()
	second := require.Value(books.Watch(t.Context(), &v2.BookList{}, everywhere))(t)
	defer second.Stop()
	next := func(watcher watch.Interface) client.Object {
		var event watch.Event
		g.Eventually(watcher.ResultChan()).WithTimeout(buildertest.Patience).Should(Receive(&event))
		return event.Object.(client.Object)
	}

	g.Expect(books.Create(t.Context(), theCyberiad())).To(Succeed())
	inFirst := &v1.Book{}
	g.Expect(books.Get(t.Context(), key("cyberiad"), inFirst)).To(Succeed())
	g.Expect(inFirst.Spec.Author).To(Equal("Lem"))
	g.Expect(inFirst.Spec.Shelf).To(Equal("L 3"))
	g.Expect(inFirst.Annotations).To(HaveKey(v1.AuthorsAnnotation))
	g.Expect(next(first).(*v1.Book).Spec).To(Equal(inFirst.Spec))
	g.Expect(next(second).(*v2.Book).Spec.Authors).To(HaveLen(2))
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(v1.SchemeGroupVersion.WithKind("Book"))
	g.Expect(books.Get(t.Context(), key("cyberiad"), metadata)).To(Succeed())
	g.Expect(metadata.Annotations).To(BeEmpty(), "metadata alone is the hub's")

	inFirst.Spec.Shelf = "L 4"
	inFirst.Spec.Author = "Stanisław Lem"
	g.Expect(books.Update(t.Context(), inFirst)).To(Succeed())
	inSecond := &v2.Book{}
	g.Expect(books.Get(t.Context(), key("cyberiad"), inSecond)).To(Succeed())
	g.Expect(inSecond.Spec.Location).To(Equal("L 4"))
	g.Expect(inSecond.Spec.Authors).To(Equal([]v2.Author{{Name: "Stanisław Lem", Role: v2.RoleAuthor}, {Name: "Kandel", Role: v2.RoleTranslator}}))
	g.Expect(inSecond.Annotations).To(BeEmpty())
	g.Expect(inSecond.ResourceVersion).To(Equal(inFirst.ResourceVersion))
	g.Expect(next(first).(*v1.Book).Spec).To(Equal(inFirst.Spec))
	g.Expect(next(second).(*v2.Book).Spec).To(Equal(inSecond.Spec))

	selected := &v1.BookList{}
	g.Expect(books.List(t.Context(), selected, everywhere, client.MatchingFields{"spec.shelf": "L 4"})).To(Succeed())
	g.Expect(selected.Items).To(HaveLen(1))
	g.Expect(books.List(t.Context(), selected, everywhere, client.MatchingFields{"spec.shelf": "L 3"})).To(Succeed())
	g.Expect(selected.Items).To(BeEmpty())
	g.Expect(books.List(t.Context(), &v2.BookList{}, everywhere, client.MatchingFields{"spec.shelf": "L 4"})).NotTo(Succeed(), "the other version's label")
	also := &v2.BookList{}
	g.Expect(books.List(t.Context(), also, everywhere, client.MatchingFields{"spec.location": "L 4"})).To(Succeed())
	g.Expect(also.Items).To(HaveLen(1))

	inFirst.Status.Loaned = 1
	g.Expect(books.Status().Update(t.Context(), inFirst)).To(Succeed())
	g.Expect(books.Delete(t.Context(), inSecond, client.Preconditions{ResourceVersion: &inFirst.ResourceVersion})).To(Succeed())
}

func isPatchedInBoth(t *testing.T, books client.WithWatch) {
	g := NewWithT(t)
	book := &v1.Book{ObjectMeta: named("patched"), Spec: v1.BookSpec{Title: "Eden", Author: "Lem"}}
	g.Expect(books.Create(t.Context(), book)).To(Succeed())
	second := &v2.Book{ObjectMeta: named("patched")}
	g.Expect(books.Patch(t.Context(), second, client.RawPatch("application/strategic-merge-patch+json",
		[]byte(`{"spec":{"authors":[{"name":"Heine","role":"Translator"}]}}`)))).To(Succeed())
	g.Expect(second.Spec.Authors).To(ConsistOf(v2.Author{Name: "Lem", Role: v2.RoleAuthor}, v2.Author{Name: "Heine", Role: v2.RoleTranslator}))
	g.Expect(books.Patch(t.Context(), book, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"shelf":"L 5"}}`)))).To(Succeed())
	g.Expect(books.Patch(t.Context(), second, client.RawPatch("application/json-patch+json",
		[]byte(`[{"op":"test","path":"/spec/location","value":"L 5"},{"op":"replace","path":"/spec/title","value":"EDEN"}]`)))).To(Succeed())
	g.Expect(second.Spec.Authors).To(HaveLen(2))
	g.Expect(books.Get(t.Context(), key("patched"), book)).To(Succeed())
	g.Expect(book.Spec.Title).To(Equal("EDEN"))
}

// applied returns a manifest of a book, as somebody applies it.
func applied(version schema.GroupVersion, name string, spec map[string]any) runtime.ApplyConfiguration {
	book := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	book.SetGroupVersionKind(version.WithKind("Book"))
	book.SetNamespace(metav1.NamespaceDefault)
	book.SetName(name)
	return client.ApplyConfigurationFromUnstructured(book)
}

func isAppliedInBoth(t *testing.T, books client.WithWatch) {
	g := NewWithT(t)
	archivist, translator := client.FieldOwner("archivist"), client.FieldOwner("translator")
	inFirst := func(spec map[string]any) runtime.ApplyConfiguration {
		return applied(v1.SchemeGroupVersion, "applied", spec)
	}
	inSecond := func(spec map[string]any) runtime.ApplyConfiguration {
		return applied(v2.SchemeGroupVersion, "applied", spec)
	}
	kandel := []any{map[string]any{"name": "Kandel", "role": "Translator"}}
	get := func() *v2.Book {
		book := &v2.Book{}
		g.Expect(books.Get(t.Context(), key("applied"), book)).To(Succeed())
		return book
	}

	g.Expect(books.Apply(t.Context(), inFirst(map[string]any{"title": "Fiasco", "author": "Lem", "shelf": "L 1"}), archivist)).To(Succeed())
	g.Expect(books.Apply(t.Context(), inSecond(map[string]any{"authors": kandel}), translator)).To(Succeed())
	g.Expect(get().Spec.Authors).To(ConsistOf(HaveField("Name", "Lem"), HaveField("Name", "Kandel")))
	g.Expect(get().ManagedFields).To(ConsistOf(
		And(HaveField("Manager", "archivist"), HaveField("APIVersion", v1.SchemeGroupVersion.String()), HaveField("Operation", metav1.ManagedFieldsOperationApply)),
		And(HaveField("Manager", "translator"), HaveField("APIVersion", v2.SchemeGroupVersion.String()), HaveField("Operation", metav1.ManagedFieldsOperationApply)),
	))

	moved := inSecond(map[string]any{"authors": kandel, "location": "K 1"})
	err := books.Apply(t.Context(), moved, translator)
	g.Expect(apierrors.IsConflict(err)).To(BeTrue(), "the shelf of one version is the location of the other: %v", err)
	g.Expect(err).To(MatchError(ContainSubstring("archivist")))
	g.Expect(books.Apply(t.Context(), moved, translator, client.ForceOwnership)).To(Succeed())
	g.Expect(get().Spec.Location).To(Equal("K 1"))

	err = books.Apply(t.Context(), inFirst(map[string]any{"title": "Fiasco", "author": "Lem", "shelf": "L 1"}), archivist)
	g.Expect(apierrors.IsConflict(err)).To(BeTrue(), "and the other way round: %v", err)
	g.Expect(books.Apply(t.Context(), inFirst(map[string]any{"title": "Fiasco!", "author": "Lem"}), archivist)).To(Succeed())
	g.Expect(get().Spec.Title).To(Equal("Fiasco!"))
	g.Expect(get().Spec.Location).To(Equal("K 1"), "it is the translator's")
	g.Expect(get().Spec.Authors).To(HaveLen(2))

	g.Expect(books.Apply(t.Context(), inSecond(map[string]any{"location": "K 1"}), translator)).To(Succeed())
	g.Expect(get().Spec.Authors).To(ConsistOf(HaveField("Name", "Lem")), "who gives up an author removes it")
}

func isValidatedInBoth(t *testing.T, books client.WithWatch) {
	g := NewWithT(t)
	g.Expect(books.Create(t.Context(), &v1.Book{ObjectMeta: named("x")})).To(MatchError(ContainSubstring("spec.title: Required value")))
	junk := &v1.Book{ObjectMeta: named("x"), Spec: v1.BookSpec{Title: "x"}}
	junk.Annotations = map[string]string{v1.AuthorsAnnotation: "junk"}
	g.Expect(books.Create(t.Context(), junk)).To(MatchError(ContainSubstring("is written by the server only")))
	book := theCyberiad()
	book.Spec.Authors[1].Role = "Cook"
	g.Expect(books.Create(t.Context(), book)).To(MatchError(ContainSubstring("spec.authors[1].role: Unsupported value")))

	lent := &v1.Book{ObjectMeta: named("lent"), Spec: v1.BookSpec{Title: "Eden", Copies: new(int32(2))}}
	g.Expect(books.Create(t.Context(), lent)).To(Succeed())
	lent.Status.Loaned = 3
	g.Expect(books.Status().Update(t.Context(), lent)).To(MatchError(ContainSubstring("status.loaned: Invalid value: 3")))
	lent.Status.Loaned = 2
	g.Expect(books.Status().Update(t.Context(), lent)).To(Succeed())
	lent.Spec.Copies = new(int32(1))
	g.Expect(books.Update(t.Context(), lent)).To(MatchError(ContainSubstring("spec.copies: Invalid value: 1: 2 are out")))
}

func TestVersionsThatCannotBeServedAreRefused(t *testing.T) {
	t.Parallel()
	v3 := schema.GroupVersion{Group: v1.SchemeGroupVersion.Group, Version: "v3"}
	describe := func() *builder.Server { return example.Describe(builder.New("x")) }
	for problem, server := range map[string]*builder.Server{
		"names version library.example.com/v1 twice": describe().WithResource(v1.SchemeGroupVersion, "books", example.Books, v1.SchemeGroupVersion),
		"store in version library.example.com/v3":    describe().WithResource(v1.SchemeGroupVersion, "books", example.Books).WithStorageVersion(v3),
		"give further versions to the first call":    describe().WithResource(v1.SchemeGroupVersion, "books", example.Books).WithResource(v2.SchemeGroupVersion, "books", example.Books),
	} {
		t.Run(problem, func(t *testing.T) {
			_, err := server.ToServerOptions()
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(problem)))
		})
	}
}

func TestAKindThatAVersionLacksIsNotServedThere(t *testing.T) {
	g := buildertest.Parallel(t)
	options := require.Value(example.Describe(builder.New("x")).WithBearerToken(buildertest.Token, buildertest.Admin).
		WithResource(v2.SchemeGroupVersion, "loanrequests", example.LoanRequests, v1.SchemeGroupVersion).ToServerOptions())(t)
	_, err := options.Start(t.Context())
	g.Expect(err).To(MatchError(ContainSubstring(`no kind "LoanRequest" is registered for version "library.example.com/v1"`)))
}
