// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/example"
	hub "goldsmith.dev/goldsmith/apiserver/example/library"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// national is a strategy of books that are in no namespace, in contrast to their type.
type national struct {
	resources.DefaultStrategy
}

func (national) NamespaceScoped() bool { return false }

func TestAStatusHasTheScopeOfItsResource(t *testing.T) {
	g := parallel(t)
	provide := func(scope *resources.Scope) (resources.Storages, error) {
		store, err := resources.NewStore(scope, resources.Resource{
			New:      func() runtime.Object { return &hub.Book{} },
			NewList:  func() runtime.Object { return &hub.BookList{} },
			Resource: hub.Resource("books"),
			Singular: "book",
			Strategy: national{resources.NewDefaultStrategy(scope.Scheme, v2.SchemeGroupVersion)},
		})
		if err != nil {
			return nil, err
		}
		return resources.Storages{"": store, "status": store.Status(nil)}, nil
	}
	running, _ := start(t, example.Describe(builder.New("national")).WithBearerToken(token, admin).
		WithResource(v2.SchemeGroupVersion, "books", provide).WithStorage(builder.Memory()))
	books := connect(running)
	book := &v2.Book{ObjectMeta: metav1.ObjectMeta{Name: "solaris"}, Spec: v2.BookSpec{Title: "Solaris"}}
	g.Expect(books.Create(t.Context(), book)).To(Succeed())
	book.Status.Loaned = 1
	book.Spec.Title = "of nobody's business"
	g.Expect(books.Status().Update(t.Context(), book)).To(Succeed())
	g.Expect(book.Status.Loaned).To(BeEquivalentTo(1))
	g.Expect(book.Spec.Title).To(Equal("Solaris"))
}
