// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	clientv3 "go.etcd.io/etcd/client/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/storage/storagebackend"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/e2e/require"
)

// startEtcd starts an etcd and returns it with the locks of two servers that share it.
func startEtcd(t *testing.T) (database *etcd.Server, shared []*Locks) {
	t.Helper()
	database = require.Value(etcd.Start(t.Context(), ""))(t)
	t.Cleanup(func() { NewWithT(t).Expect(database.Stop()).To(Succeed()) })
	storage := &storagebackend.Config{Prefix: "/registry", Transport: database.Transport()}
	return database, []*Locks{New(storage), New(storage)}
}

func TestALockIsHeldOnceOnAllServersOfAStorage(t *testing.T) {
	t.Parallel()
	_, shared := startEtcd(t)
	own := New(nil)
	for name, locks := range map[string][]*Locks{"an etcd of two servers": shared, "the memory of one": {own, own}} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var (
				wait  sync.WaitGroup
				count int // with the race detector, a second holder at the same time is found too
			)
			for i := range 20 {
				wait.Go(func() {
					lock, err := locks[i%2].Lock(ctx, "books/a")
					for apierrors.IsServiceUnavailable(err) && ctx.Err() == nil { // on a busy machine 20 do not all get it in time
						lock, err = locks[i%2].Lock(ctx, "books/a")
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
	_, shared := startEtcd(t)
	own := New(nil)
	for name, locks := range map[string][]*Locks{"on another server": shared, "on this server": {own, own}} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			held := require.Value(locks[0].Lock(t.Context(), "books/a"))(t)
			other, err := locks[1].Lock(t.Context(), "books/b")
			g.Expect(err).NotTo(HaveOccurred(), "another lock")
			other.Unlock()

			briefly, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err = locks[1].Lock(briefly, "books/a")
			g.Expect(apierrors.IsServiceUnavailable(err)).To(BeTrue(), "%v", err)
			g.Expect(err).To(MatchError(ContainSubstring(`take the lock "books/a"`)))
			seconds, retry := apierrors.SuggestsClientDelay(err)
			g.Expect(retry).To(BeTrue())
			g.Expect(seconds).To(Equal(1))

			held.Unlock()
			again, err := locks[1].Lock(t.Context(), "books/a")
			g.Expect(err).NotTo(HaveOccurred(), "after it was given back, and after somebody gave up on it")
			again.Unlock()
		})
	}
}

func TestALockThatEtcdTookBackIsLost(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	database, shared := startEtcd(t)
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
	g.Eventually(lock.Lost()).WithTimeout(time.Minute).Should(BeClosed())
}

func TestALockInAnEtcdThatIsGoneIsA503(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	database, shared := startEtcd(t)
	g.Expect(database.Stop()).To(Succeed())
	briefly, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	g.Expect(shared[0].Lock(briefly, "books/a")).Error().To(Satisfy(apierrors.IsServiceUnavailable))
}

func TestALockIsGivenBackWithoutAnEtcdThatIsGone(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	database, shared := startEtcd(t)
	lock := require.Value(shared[0].Lock(t.Context(), "books/a"))(t)
	g.Expect(database.Stop()).To(Succeed())
	unlocked := make(chan struct{})
	go func() {
		defer close(unlocked)
		lock.Unlock()
	}()
	g.Eventually(unlocked).WithTimeout(6*time.Second).Should(BeClosed(), "its lease is 10 s")
}
