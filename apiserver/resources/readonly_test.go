// SPDX-License-Identifier: Apache-2.0

package resources_test

import (
	"context"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	restclient "k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	hub "goldsmith.dev/goldsmith/apiserver/example/library"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/e2e/require"
)

// readOnly serves these books in both versions, except in a closed namespace.
func readOnly(books ...*hub.Book) *builder.Server {
	return buildertest.ComputedBooks(func(ctx context.Context) ([]*hub.Book, error) {
		if apirequest.NamespaceValue(ctx) == "closed" {
			return nil, apierrors.NewServiceUnavailable("closed")
		}
		return books, nil
	})
}

func TestMain(m *testing.M) { buildertest.Main(m) }

func TestAReadOnlyResourceIsReadAsAStoredOne(t *testing.T) {
	g := buildertest.Parallel(t)
	in := func(namespace, name string, labels map[string]string) *hub.Book {
		return &hub.Book{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}, Spec: hub.BookSpec{Title: name}}
	}
	running, _ := buildertest.Start(t, readOnly(in("two", "a", nil), in("one", "b", map[string]string{"new": "yes"}), in("one", "a", nil)))
	books := buildertest.ConnectLibrary(running)
	names := func(options ...client.ListOption) []string {
		list := &v1.BookList{}
		g.Expect(books.List(t.Context(), list, options...)).To(Succeed())
		var found []string
		for _, book := range list.Items {
			found = append(found, book.Namespace+"/"+book.Name)
		}
		return found
	}
	g.Expect(names()).To(Equal([]string{"one/a", "one/b", "two/a"}))
	g.Expect(names(client.InNamespace("one"))).To(Equal([]string{"one/a", "one/b"}))
	g.Expect(names(client.MatchingLabels{"new": "yes"})).To(Equal([]string{"one/b"}))
	g.Expect(names(client.MatchingFields{"metadata.name": "a"})).To(Equal([]string{"one/a", "two/a"}))
	g.Expect(names(client.InNamespace("three"))).To(BeEmpty())

	book := &v2.Book{}
	g.Expect(books.Get(t.Context(), client.ObjectKey{Namespace: "two", Name: "a"}, book)).To(Succeed())
	g.Expect(book.Spec.Title).To(Equal("a"))
	g.Expect(apierrors.IsNotFound(books.Get(t.Context(), client.ObjectKey{Namespace: "two", Name: "b"}, book))).To(BeTrue())
	err := books.List(t.Context(), &v2.BookList{}, client.InNamespace("closed"))
	g.Expect(apierrors.IsServiceUnavailable(err)).To(BeTrue(), "the status of an error reaches the client: %v", err)

	g.Expect(apierrors.IsMethodNotSupported(books.Create(t.Context(), book))).To(BeTrue())
	g.Expect(apierrors.IsMethodNotSupported(books.Delete(t.Context(), &v2.Book{ObjectMeta: metav1.ObjectMeta{Namespace: "one", Name: "a"}}))).To(BeTrue())
	table := &metav1.Table{}
	g.Expect(buildertest.ConnectOutside(t, running, buildertest.Token).Discovery().RESTClient().Get().AbsPath("/apis/library.example.com/v2/books").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(t.Context()).Into(table)).To(Succeed())
	g.Expect(table.Rows).To(HaveLen(3))
	g.Expect(table.ColumnDefinitions).To(ContainElement(HaveField("Name", "Created At")))
	resources := require.Value(buildertest.ConnectOutside(t, running, buildertest.Token).Discovery().ServerResourcesForGroupVersion("library.example.com/v1"))(t)
	g.Expect(resources.APIResources).To(ConsistOf(And(HaveField("Verbs", ConsistOf("get", "list")), HaveField("SingularName", "book"))))
}

func TestTheWarningsOfAStrategyReachTheClient(t *testing.T) {
	g := buildertest.Parallel(t)
	running, _ := buildertest.Start(t, buildertest.Library(builder.Memory()))
	warnings := &collectedWarnings{}
	config := running.ClientConfig()
	config.WarningHandlerWithContext = warnings
	books := require.Value(client.New(config, client.Options{Scheme: buildertest.ConnectLibrary(running).Scheme()}))(t)
	book := &v2.Book{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "anonymous"}, Spec: v2.BookSpec{Title: "Beowulf"}}
	g.Expect(books.Create(t.Context(), book)).To(Succeed())
	book.Spec.Location = "B 1"
	g.Expect(books.Update(t.Context(), book)).To(Succeed())
	book.Spec.Authors = []v2.Author{{Name: "somebody"}}
	g.Expect(books.Update(t.Context(), book)).To(Succeed())
	const text = "spec.authors: books are sorted by author, and this one has none"
	g.Expect(warnings.texts).To(Equal([]string{text, text}))
}

type collectedWarnings struct{ texts []string }

var _ restclient.WarningHandlerWithContext = &collectedWarnings{}

func (w *collectedWarnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _ string, text string) {
	w.texts = append(w.texts, text)
}
