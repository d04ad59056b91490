// SPDX-License-Identifier: Apache-2.0

package builder_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clientv3 "go.etcd.io/etcd/client/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"goldsmith.dev/goldsmith/apiserver/builder"
	v1 "goldsmith.dev/goldsmith/apiserver/example/library/v1"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/e2e/require"
)

// scopeOn starts a server and returns what its resources may use of it.
func scopeOn(t *testing.T, backend builder.StorageBackend) *resources.Scope {
	t.Helper()
	var scope *resources.Scope
	start(t, library(backend).WithResource(v1.SchemeGroupVersion, "locks", func(of *resources.Scope) (resources.Storages, error) {
		scope = of
		return nil, nil
	}))
	return scope
}

// twoServers are two servers that share an etcd.
func twoServers(t *testing.T) (database *etcd.Server, scopes []*resources.Scope) {
	t.Helper()
	g := NewWithT(t)
	database = require.Value(etcd.Start(t.Context(), ""))(t)
	t.Cleanup(func() { g.Expect(database.Stop()).To(Succeed()) })
	backend := builder.ExternalEtcd(database.Transport())
	return database, []*resources.Scope{scopeOn(t, backend), scopeOn(t, backend)}
}

func TestALockIsHeldOnceOnAllServersOfAStorage(t *testing.T) {
	t.Parallel()
	_, shared := twoServers(t)
	own := scopeOn(t, builder.Memory())
	for name, scopes := range map[string][]*resources.Scope{"an etcd of two servers": shared, "the memory of one": {own, own}} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var (
				wait  sync.WaitGroup
				count int // with the race detector, a second holder at the same time is found too
			)
			for i := range 20 {
				wait.Go(func() {
					lock, err := scopes[i%2].Lock(ctx, "books/a")
					for apierrors.IsServiceUnavailable(err) && ctx.Err() == nil { // on a busy machine 20 do not all get it in time
						lock, err = scopes[i%2].Lock(ctx, "books/a")
					}
					if err != nil {
						t.Error(err)
						return
					}
					count++
					lock.Unlock()
				})
			}
			wait.Wait()
			g.Expect(count).To(Equal(20))
		})
	}
}

func TestALockThatIsHeldIsA503(t *testing.T) {
	t.Parallel()
	_, shared := twoServers(t)
	own := scopeOn(t, builder.Memory())
	for name, scopes := range map[string][]*resources.Scope{"on another server": shared, "on this server": {own, own}} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			held := require.Value(scopes[0].Lock(t.Context(), "books/a"))(t)
			other, err := scopes[1].Lock(t.Context(), "books/b")
			g.Expect(err).NotTo(HaveOccurred(), "another lock")
			other.Unlock()

			briefly, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err = scopes[1].Lock(briefly, "books/a")
			g.Expect(apierrors.IsServiceUnavailable(err)).To(BeTrue(), "%v", err)
			g.Expect(err).To(MatchError(ContainSubstring(`take the lock "books/a"`)))
			seconds, retry := apierrors.SuggestsClientDelay(err)
			g.Expect(retry).To(BeTrue())
			g.Expect(seconds).To(Equal(1))

			held.Unlock()
			again, err := scopes[1].Lock(t.Context(), "books/a")
			g.Expect(err).NotTo(HaveOccurred(), "after it was given back, and after somebody gave up on it")
			again.Unlock()
		})
	}
}

func TestALockThatEtcdTookBackIsLost(t *testing.T) {
	g := parallel(t)
	database, shared := twoServers(t)
	lock := require.Value(shared[0].Lock(t.Context(), "books/a"))(t)
	defer lock.Unlock()
	g.Expect(lock.Lost()).NotTo(BeClosed())

	client := require.Value(database.Connect())(t)
	defer func() { g.Expect(client.Close()).To(Succeed()) }()
	all := require.Value(client.Get(t.Context(), "/registry", clientv3.WithPrefix()))(t)
	for _, pair := range all.Kvs {
		if strings.HasPrefix(string(pair.Key), "/registry/.locks/books/a/") {
			g.Expect(client.Revoke(t.Context(), clientv3.LeaseID(pair.Lease))).Error().NotTo(HaveOccurred())
		}
	}
	g.Eventually(lock.Lost()).WithTimeout(patience).Should(BeClosed())
}

func TestALockInAnEtcdThatIsGoneIsA503(t *testing.T) {
	g := parallel(t)
	database := require.Value(etcd.Start(t.Context(), ""))(t)
	scope := scopeOn(t, builder.ExternalEtcd(database.Transport()))
	g.Expect(database.Stop()).To(Succeed())
	briefly, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	g.Expect(errorOf(scope.Lock(briefly, "books/a"))).To(Satisfy(apierrors.IsServiceUnavailable))
}

func TestALockIsGivenBackWithoutAnEtcdThatIsGone(t *testing.T) {
	g := parallel(t)
	database := require.Value(etcd.Start(t.Context(), ""))(t)
	lock := require.Value(scopeOn(t, builder.ExternalEtcd(database.Transport())).Lock(t.Context(), "books/a"))(t)
	g.Expect(database.Stop()).To(Succeed())
	unlocked := make(chan struct{})
	go func() {
		defer close(unlocked)
		lock.Unlock()
	}()
	g.Eventually(unlocked).WithTimeout(6*time.Second).Should(BeClosed(), "its lease is 10 s")
}
