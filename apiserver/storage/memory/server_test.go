// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	clocktesting "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// patience is how long the tests wait for an expected event.
const patience = time.Minute

func clientOf(t *testing.T, server *Server) *clientv3.Client {
	t.Helper()
	dial := func(ctx context.Context, address string) (net.Conn, error) { return server.Dial(ctx, "tcp", address) }
	client := require.Value(clientv3.New(clientv3.Config{
		Endpoints: []string{server.Endpoint()}, DialOptions: []grpc.DialOption{grpc.WithContextDialer(dial)}, Logger: zap.NewNop(),
	}))(t)
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

func startServer(t *testing.T, options ...Option) *Server {
	t.Helper()
	server := Start(options...)
	t.Cleanup(server.Stop)
	return server
}

func TestKeysLiveAsLongAsTheirLease(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	client := clientOf(t, startServer(t, WithClock(clock)))
	brief := require.Value(client.Grant(t.Context(), 10))(t)
	long := require.Value(client.Grant(t.Context(), 20))(t)
	g.Expect(errorOf(client.Grant(t.Context(), 10_000_000_000))).To(MatchError(rpctypes.ErrLeaseTTLTooLarge))
	for key, lease := range map[string]clientv3.LeaseID{"a": brief.ID, "b": brief.ID, "moved": brief.ID, "long": long.ID} {
		g.Expect(client.Put(t.Context(), key, "", clientv3.WithLease(lease))).Error().NotTo(HaveOccurred())
	}
	last := require.Value(client.Put(t.Context(), "moved", "", clientv3.WithLease(long.ID)))(t)
	events := client.Watch(t.Context(), "", clientv3.WithPrefix(), clientv3.WithRev(last.Header.GetRevision()+1))

	g.Eventually(clock.HasWaiters).WithTimeout(patience).Should(BeTrue())
	clock.Step(11 * time.Second)
	var ended clientv3.WatchResponse
	g.Eventually(events).WithTimeout(patience).Should(Receive(&ended))
	g.Expect(ended.Events).To(HaveLen(2), "in one revision")
	for i, key := range []string{"a", "b"} {
		g.Expect(ended.Events[i].Type).To(Equal(mvccpb.Event_DELETE))
		g.Expect(string(ended.Events[i].Kv.GetKey())).To(Equal(key))
		g.Expect(ended.Events[i].Kv.GetModRevision()).To(Equal(last.Header.GetRevision() + 1))
	}
	g.Expect(require.Value(client.Get(t.Context(), "", clientv3.WithPrefix()))(t).Kvs).To(HaveLen(2))

	g.Expect(require.Value(client.KeepAliveOnce(t.Context(), long.ID))(t).TTL).To(BeEquivalentTo(20))
	clock.Step(15 * time.Second)
	g.Expect(errorOf(client.Revoke(t.Context(), brief.ID))).To(MatchError(rpctypes.ErrLeaseNotFound))
	g.Expect(require.Value(client.Get(t.Context(), "", clientv3.WithPrefix()))(t).Kvs).To(HaveLen(2), "a renewed lease lives longer")
	g.Expect(client.Revoke(t.Context(), long.ID)).Error().NotTo(HaveOccurred())
	g.Expect(require.Value(client.Get(t.Context(), "", clientv3.WithPrefix()))(t).Kvs).To(BeEmpty())
}

func TestAWatchCanBeginLater(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	client := clientOf(t, startServer(t))
	events := client.Watch(t.Context(), "k", clientv3.WithPrefix(), clientv3.WithRev(4), clientv3.WithCreatedNotify())
	g.Expect((<-events).Created).To(BeTrue())
	for revision := 2; revision <= 4; revision++ {
		g.Expect(client.Put(t.Context(), "k", fmt.Sprint(revision))).Error().NotTo(HaveOccurred())
	}
	g.Expect(string((<-events).Events[0].Kv.GetValue())).To(Equal("4"))
}

// TestAWatchThatLagsIsToldOfTheCompaction has a client that does not read: it costs nothing, and learns what it missed.
func TestAWatchThatLagsIsToldOfTheCompaction(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	server := startServer(t)
	client := clientOf(t, server)
	put := require.Value(client.Put(t.Context(), "k", ""))(t)
	lagging := &watcher{key: []byte("k"), start: put.Header.GetRevision(), wake: make(chan struct{}, 1)}
	g.Expect(server.store.watch(lagging)).Error().NotTo(HaveOccurred())
	next := require.Value(client.Put(t.Context(), "k", ""))(t)
	g.Expect(client.Compact(t.Context(), next.Header.GetRevision())).Error().NotTo(HaveOccurred())
	_, found := server.store.collect(map[int64]*watcher{0: lagging})
	g.Expect(found[0].compacted).To(Equal(next.Header.GetRevision()))
}

// TestAnIdleWatchIsToldTheRevision is about those who asked for it and hear nothing else.
func TestAnIdleWatchIsToldTheRevision(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	client := clientOf(t, startServer(t, WithClock(clock)))
	g.Expect(client.Put(t.Context(), "other", "")).Error().NotTo(HaveOccurred())
	events := client.Watch(t.Context(), "k", clientv3.WithProgressNotify(), clientv3.WithCreatedNotify())
	g.Expect((<-events).Created).To(BeTrue())
	last := require.Value(client.Put(t.Context(), "other", ""))(t)
	clock.Step(progressInterval)
	told := <-events
	g.Expect(told.IsProgressNotify()).To(BeTrue())
	g.Expect(told.Header.GetRevision()).To(Equal(last.Header.GetRevision()))
}

func TestManyEventsComeInOrder(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	client := clientOf(t, startServer(t))
	const writes = 5*batch + 7
	for i := range writes {
		g.Expect(client.Put(t.Context(), fmt.Sprint("k", i%3), "")).Error().NotTo(HaveOccurred())
	}
	revision, responses := int64(1), 0
	for response := range client.Watch(t.Context(), "k", clientv3.WithPrefix(), clientv3.WithRev(1)) {
		responses++
		for _, event := range response.Events {
			revision++
			g.Expect(event.Kv.GetModRevision()).To(Equal(revision))
		}
		if revision == writes+1 {
			break
		}
	}
	g.Expect(responses).To(Equal(writes/batch + 1))
}

func TestWhatIsTooLargeOrUnknownIsRefused(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	client := clientOf(t, startServer(t))
	g.Expect(errorOf(client.Put(t.Context(), "k", strings.Repeat("x", maxRequest)))).To(MatchError(rpctypes.ErrRequestTooLarge))
	g.Expect(client.Put(t.Context(), "k", strings.Repeat("x", maxRequest-100))).Error().NotTo(HaveOccurred())
	g.Expect(errorOf(client.Put(t.Context(), "", ""))).To(MatchError(rpctypes.ErrEmptyKey))
	for name, ask := range map[string]func() error{
		"a sorted range": func() error { return second(client.Get(t.Context(), "k", clientv3.WithLastRev()...)) },
		"a filtered watch": func() error {
			refused := <-client.Watch(t.Context(), "k", clientv3.WithFilterPut())
			return refused.Err()
		},
		"a nested transaction": func() error { return second(client.Txn(t.Context()).Then(clientv3.OpTxn(nil, nil, nil)).Commit()) },
		"several operations": func() error {
			return second(client.Txn(t.Context()).Then(clientv3.OpPut("k", ""), clientv3.OpGet("k")).Commit())
		},
		"a comparison of values": func() error {
			return second(client.Txn(t.Context()).If(clientv3.Compare(clientv3.Value("k"), "=", "")).Then(clientv3.OpPut("k", "")).Commit())
		},
		"a comparison of order": func() error {
			return second(client.Txn(t.Context()).If(clientv3.Compare(clientv3.ModRevision("k"), ">", 1)).Then(clientv3.OpPut("k", "")).Commit())
		},
		"a deletion of many":     func() error { return second(client.Delete(t.Context(), "k", clientv3.WithPrefix())) },
		"a cluster":              func() error { return second(client.MemberList(t.Context())) },
		"a put of the old value": func() error { return second(client.Put(t.Context(), "k", "", clientv3.WithIgnoreValue())) },
	} {
		g.Expect(status.Code(ask())).To(Equal(codes.Unimplemented), name)
	}
}

func second[T any](_ T, err error) error { return err }

func TestTheSizeIsThatOfWhatIsKept(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	server := startServer(t)
	client := clientOf(t, server)
	size := func() int64 {
		return require.Value(client.Status(t.Context(), server.Endpoint()))(t).DbSize
	}
	for range 10 {
		g.Expect(client.Put(t.Context(), "k", "123456789")).Error().NotTo(HaveOccurred())
	}
	g.Expect(size()).To(BeEquivalentTo(100))
	g.Expect(client.Compact(t.Context(), server.Revision())).Error().NotTo(HaveOccurred())
	g.Expect(size()).To(BeEquivalentTo(10))
	g.Expect(client.Delete(t.Context(), "k")).Error().NotTo(HaveOccurred())
	g.Expect(client.Compact(t.Context(), server.Revision())).Error().NotTo(HaveOccurred())
	g.Expect(size()).To(BeZero())
	g.Expect(server.store.keys.Len()).To(BeZero())
}

// refusing is a journal that is full.
type refusing struct{}

func (refusing) Commit(int64, []*mvccpb.KeyValue) error { return errors.New("the disk is full") }

func TestWhatTheJournalRefusesDidNotHappen(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	server := startServer(t, WithJournal(refusing{}, Content{Revision: 7}))
	client := clientOf(t, server)
	g.Expect(errorOf(client.Put(t.Context(), "k", ""))).To(MatchError(ContainSubstring("the disk is full")))
	got := require.Value(client.Get(t.Context(), "k"))(t)
	g.Expect(got.Kvs).To(BeEmpty())
	g.Expect(got.Header.GetRevision()).To(BeEquivalentTo(8), "the revision at which the server started")
}

// TestNothingIsLeftAfterTheEnd is in a bubble, which does not end before all of its goroutines have.
func TestNothingIsLeftAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := Start()
		connection := require.Value(server.Dial(context.Background(), "", strings.TrimPrefix(server.Endpoint(), "http://")))(t)
		server.Stop()
		if _, err := connection.Read(make([]byte, 1<<10)); err == nil {
			_, err = connection.Read(make([]byte, 1<<10))
			if err == nil {
				t.Error("the connection is still open")
			}
		}
		if _, err := server.Dial(context.Background(), "", "elsewhere"); err == nil {
			t.Error("an address that is not the server's")
		}
	})
}

// errorOf returns the error of a call that also returns a value.
func errorOf[T any](_ T, err error) error { return err }
