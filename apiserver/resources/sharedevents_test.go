// SPDX-License-Identifier: Apache-2.0

package resources_test

import (
	"bytes"
	"io"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	"goldsmith.dev/goldsmith/apiserver/example"
	hub "goldsmith.dev/goldsmith/apiserver/example/library"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/e2e/require"
)

// Clients that do not read their watches cost one object and one encoding in all, also of events that came before the watch.
func TestWatchesShareObjectsAndEncodings(t *testing.T) {
	g := buildertest.Parallel(t)
	var store *resources.Store
	running, _ := buildertest.Start(t, example.Describe(builder.New("shared")).WithBearerToken(buildertest.Token, buildertest.Admin).
		WithResource(v2.SchemeGroupVersion, "books", func(scope *resources.Scope) (_ resources.Storages, err error) {
			store, err = resources.NewStore(scope, resources.Resource{
				New:      func() runtime.Object { return &hub.Book{} },
				NewList:  func() runtime.Object { return &hub.BookList{} },
				Resource: hub.Resource("books"),
				Singular: "book",
				Strategy: resources.NewDefaultStrategy(scope.Scheme, v2.SchemeGroupVersion),
			})
			return resources.Storages{"": store}, err
		}).WithStorage(builder.Memory()))
	books := buildertest.ConnectLibrary(running)
	book := &v2.Book{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "solaris"}, Spec: v2.BookSpec{Title: "Solaris"}}
	g.Expect(books.Create(t.Context(), book)).To(Succeed())

	encoded := 0
	encode := func(object runtime.Object, out io.Writer) error {
		encoded++
		_, err := io.WriteString(out, object.(*hub.Book).Spec.Title)
		return err
	}
	for _, version := range []string{"0", book.ResourceVersion} {
		encoded = 0
		var watches []watch.Interface
		for range 3 {
			books := require.Value(store.Watch(apirequest.WithNamespace(t.Context(), "default"), &internalversion.ListOptions{ResourceVersion: version}))(t)
			watches = append(watches, books)
		}
		if version != "0" { // a new event
			book.Spec.Title = "Eden"
			g.Expect(books.Update(t.Context(), book)).To(Succeed())
		}
		for _, watched := range watches {
			var event watch.Event
			g.Eventually(watched.ResultChan()).Should(Receive(&event))
			var out bytes.Buffer
			shared, ok := event.Object.(runtime.CacheableObject)
			g.Expect(ok).To(BeTrue(), "%T", event.Object)
			g.Expect(shared.CacheEncode("title", encode, &out)).To(Succeed())
			g.Expect(out.String()).To(Equal(book.Spec.Title))
		}
		g.Expect(encoded).To(Equal(1))
		for _, watched := range watches {
			watched.Stop()
			g.Eventually(watched.ResultChan()).Should(BeClosed())
		}
	}
}
