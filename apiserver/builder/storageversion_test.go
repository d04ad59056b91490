// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	clientv3 "go.etcd.io/etcd/client/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apiserver/builder"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	v2 "goldsmith.dev/goldsmith/apiserver/example/library/v2"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
)

// shelfSize is how many books there are while the storage version moves: several pages of the migration. Those beyond the
// popular ones nobody touches but the migration.
const shelfSize, popular = 25, 20

func bookOf(i int) *v2.Book {
	book := theCyberiad()
	book.Name = fmt.Sprintf("book-%02d", i)
	return book
}

// The storage version moves as docs/api-versions.md describes: the old and the new server run side by side, the old
// server stops, and every object is written again. Meanwhile clients read, write and watch books through every server,
// in both versions.
func TestTheStorageVersionMovesUnderRunningServers(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	database, err := etcd.Start(t.Context(), "")
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { g.Expect(database.Stop()).To(Succeed()) })
	inFirst, inSecond := v1.SchemeGroupVersion.String(), v2.SchemeGroupVersion.String()
	stored := func() sets.Set[string] { return storedVersions(t, database) }

	old, stopOld := start(t, library(builder.ExternalEtcd(database.Transport())).WithStorageVersion(v1.SchemeGroupVersion))
	throughOld := connect(old)
	for i := range shelfSize {
		g.Expect(throughOld.Create(t.Context(), bookOf(i))).To(Succeed())
	}
	g.Expect(stored()).To(Equal(sets.New(inFirst)), "what the old server wrote")

	current, _ := start(t, library(builder.ExternalEtcd(database.Transport())).WithStorageVersion(v2.SchemeGroupVersion))
	throughNew := connect(current)
	g.Expect(storageVersionHash(t, current)).NotTo(Equal(storageVersionHash(t, old)), "by which a migrator knows that there is work")
	observers := []*observer{observe(t, throughOld, &v1.BookList{}), observe(t, throughNew, &v1.BookList{}), observe(t, throughNew, &v2.BookList{})}
	atOld, atNew := employ(t, throughOld), employ(t, throughNew)
	atOld.expectWork(g)
	atNew.expectWork(g)
	g.Eventually(stored).WithTimeout(patience).Should(Equal(sets.New(inFirst, inSecond)), "each writes its own")

	g.Expect(atOld.leave()).To(Succeed(), "the old server failed")
	stopOld()
	migrate(t, throughNew)
	g.Expect(stored()).To(Equal(sets.New(inSecond)), "what is left after the migration")
	atNew.expectWork(g)
	g.Expect(atNew.leave()).To(Succeed(), "the new server failed")

	books := &v2.BookList{}
	g.Expect(throughNew.List(t.Context(), books)).To(Succeed())
	g.Expect(books.Items).To(HaveLen(shelfSize))
	generations := map[string]int64{}
	for _, book := range books.Items {
		g.Expect(book.Spec.Authors).To(Equal([]v2.Author{{Name: "Lem", Role: v2.RoleAuthor}, {Name: "Kandel", Role: v2.RoleTranslator}}))
		generations[book.Name] = book.Generation
	}
	for _, observer := range observers[1:] {
		g.Eventually(observer.seen).WithTimeout(patience).Should(Equal(generations))
	}
	for _, observer := range observers {
		g.Expect(observer.missed()).To(BeEmpty())
	}
}

// storedVersions returns the versions in which books are in the database.
func storedVersions(t *testing.T, server *etcd.Server) sets.Set[string] {
	t.Helper()
	g := NewWithT(t)
	database, err := server.Connect()
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { g.Expect(database.Close()).To(Succeed()) }()
	all, err := database.Get(t.Context(), "/registry/library.example.com/books/", clientv3.WithPrefix())
	g.Expect(err).NotTo(HaveOccurred())
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
	resources, err := external(t, running, token).Discovery().ServerResourcesForGroupVersion(v1.SchemeGroupVersion.String())
	g.Expect(err).NotTo(HaveOccurred())
	for _, resource := range resources.APIResources {
		if resource.Name == "books" {
			g.Expect(resource.StorageVersionHash).NotTo(BeEmpty())
			return resource.StorageVersionHash
		}
	}
	t.Fatal("there are no books")
	return ""
}

// migrate writes every book as it is, page by page, as kube-storage-version-migrator does. A conflicting write of another
// client has migrated the book, or migrate tries the book again.
func migrate(t *testing.T, books client.Client) {
	t.Helper()
	g := NewWithT(t)
	page := &v2.BookList{}
	for more := true; more; more = page.Continue != "" {
		g.Expect(books.List(t.Context(), page, client.Limit(10), client.Continue(page.Continue))).To(Succeed())
		for _, book := range page.Items {
			err := books.Update(t.Context(), &book)
			for apierrors.IsConflict(err) {
				g.Expect(books.Get(t.Context(), key(book.Name), &book)).To(Succeed())
				err = books.Update(t.Context(), &book)
			}
			g.Expect(err).NotTo(HaveOccurred())
		}
	}
}

// A librarian reads and changes one popular book after the other, first in one version and then in the other.
type librarian struct {
	books   client.Client
	changes atomic.Int64
	stop    context.CancelFunc
	ended   chan error
}

func employ(t *testing.T, books client.Client) *librarian {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &librarian{books: books, stop: cancel, ended: make(chan error, 1)}
	go func() { l.ended <- l.work(ctx) }()
	return l
}

func (l *librarian) work(ctx context.Context) error {
	for i := 0; ctx.Err() == nil; i++ {
		change := changeFirst
		if i/popular%2 == 1 {
			change = changeSecond
		}
		name := bookOf(i % popular).Name
		err := change(ctx, l.books, name)
		for apierrors.IsConflict(err) {
			err = change(ctx, l.books, name)
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("change %s: %w", name, err)
		}
		l.changes.Add(1)
	}
	return nil
}

// expectWork waits until each popular book was changed in both versions, once more.
func (l *librarian) expectWork(g Gomega) {
	const round = 2 * popular
	g.Eventually(l.changes.Load).WithTimeout(patience).Should(BeNumerically(">=", l.changes.Load()+round))
}

// leave ends the work and reports its errors.
func (l *librarian) leave() error {
	l.stop()
	return <-l.ended
}

func changeFirst(ctx context.Context, books client.Client, name string) error {
	book := &v1.Book{}
	if err := books.Get(ctx, key(name), book); err != nil {
		return err
	}
	*book.Spec.LoanDays = *book.Spec.LoanDays%365 + 1
	return books.Update(ctx, book)
}

func changeSecond(ctx context.Context, books client.Client, name string) error {
	book := &v2.Book{}
	if err := books.Get(ctx, key(name), book); err != nil {
		return err
	}
	*book.Spec.LoanDays = *book.Spec.LoanDays%365 + 1
	return books.Update(ctx, book)
}
