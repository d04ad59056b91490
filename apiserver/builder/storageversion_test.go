// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"encoding/json"
	"fmt"
	"testing"

	. "github.com/onsi/gomega"
	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/builder/buildertest"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/e2e/require"
)

// shelfSize is how many books there are while the storage version moves: several pages of the migration.
const shelfSize = 25

// The storage version moves as docs/api-stability.md describes: the old and the new server run side by side, the old server
// stops, and every object is written again.
func TestTheStorageVersionMovesUnderRunningServers(t *testing.T) {
	g := buildertest.Parallel(t)
	database := require.Value(etcd.Start(t.Context(), ""))(t)
	t.Cleanup(func() { g.Expect(database.Stop()).To(Succeed()) })
	inFirst, inSecond := v1.SchemeGroupVersion.String(), v2.SchemeGroupVersion.String()
	stored := func() sets.Set[string] { return storedVersions(t, database) }

	old, stopOld := buildertest.Start(t, buildertest.Library(builder.ExternalEtcd(database.Transport())).WithStorageVersion(v1.SchemeGroupVersion))
	throughOld := buildertest.ConnectLibrary(old)
	for i := range shelfSize {
		book := theCyberiad()
		book.Name = fmt.Sprintf("book-%02d", i)
		g.Expect(throughOld.Create(t.Context(), book)).To(Succeed())
	}
	g.Expect(stored()).To(Equal(sets.New(inFirst)), "what the old server wrote")

	current, _ := buildertest.Start(t, buildertest.Library(builder.ExternalEtcd(database.Transport())).WithStorageVersion(v2.SchemeGroupVersion))
	throughNew := buildertest.ConnectLibrary(current)
	g.Expect(storageVersionHash(t, current)).NotTo(Equal(storageVersionHash(t, old)), "by which a migrator knows that there is work")
	changed := &v1.Book{}
	g.Expect(throughNew.Get(t.Context(), key("book-00"), changed)).To(Succeed())
	changed.Spec.Shelf = "L 4"
	g.Expect(throughNew.Update(t.Context(), changed)).To(Succeed())
	g.Expect(stored()).To(Equal(sets.New(inFirst, inSecond)), "each writes its own")
	read := &v1.Book{}
	g.Expect(throughOld.Get(t.Context(), key("book-00"), read)).To(Succeed())
	g.Expect(read.Spec).To(Equal(changed.Spec))

	stopOld()
	migrate(t, throughNew)
	g.Expect(stored()).To(Equal(sets.New(inSecond)), "what is left after the migration")
	books := &v2.BookList{}
	g.Expect(throughNew.List(t.Context(), books)).To(Succeed())
	for _, book := range books.Items {
		g.Expect(book.Spec.Authors).To(Equal([]v2.Author{{Name: "Lem", Role: v2.RoleAuthor}, {Name: "Kandel", Role: v2.RoleTranslator}}))
		if book.Name == changed.Name {
			g.Expect(book.Generation).To(BeEquivalentTo(2))
		} else {
			g.Expect(book.Generation).To(BeEquivalentTo(1), "the migration changes nothing")
		}
	}
}

// storedVersions returns the versions in which books are in the database.
func storedVersions(t *testing.T, server *etcd.Server) sets.Set[string] {
	t.Helper()
	g := NewWithT(t)
	database := require.Value(server.Connect())(t)
	defer func() { g.Expect(database.Close()).To(Succeed()) }()
	all := require.Value(database.Get(t.Context(), "/registry/library.example.com/books/", clientv3.WithPrefix()))(t)
	g.Expect(all.Kvs).To(HaveLen(shelfSize))
	versions := sets.New[string]()
	for _, pair := range all.Kvs {
		var stored struct {
			APIVersion string `json:"apiVersion"`
		}
		g.Expect(json.Unmarshal(pair.Value, &stored)).To(Succeed())
		versions.Insert(stored.APIVersion)
	}
	return versions
}

// storageVersionHash is the storage version of books in discovery.
func storageVersionHash(t *testing.T, running *builder.Running) string {
	t.Helper()
	g := NewWithT(t)
	resources := require.Value(buildertest.ConnectOutside(t, running, buildertest.Token).Discovery().ServerResourcesForGroupVersion(v1.SchemeGroupVersion.String()))(t)
	for _, resource := range resources.APIResources {
		if resource.Name == "books" {
			g.Expect(resource.StorageVersionHash).NotTo(BeEmpty())
			return resource.StorageVersionHash
		}
	}
	t.Fatal("there are no books")
	return ""
}

// migrate writes every book as it is, page by page, as kube-storage-version-migrator does.
func migrate(t *testing.T, books client.Client) {
	t.Helper()
	g := NewWithT(t)
	page := &v2.BookList{}
	for more := true; more; more = page.Continue != "" {
		g.Expect(books.List(t.Context(), page, client.Limit(10), client.Continue(page.Continue))).To(Succeed())
		for _, book := range page.Items {
			g.Expect(books.Update(t.Context(), &book)).To(Succeed())
		}
	}
}
