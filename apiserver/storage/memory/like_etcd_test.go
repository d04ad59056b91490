// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
)

// newClient connects to a storage of this process, or to an etcd.
func newClient(t *testing.T, endpoint string, options ...grpc.DialOption) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialOptions: options, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

func clientOf(t *testing.T, server *Server) *clientv3.Client {
	t.Helper()
	return newClient(t, server.Endpoint(), dialing(server))
}

func startServer(t *testing.T, options ...Option) *Server {
	t.Helper()
	server := Start(options...)
	t.Cleanup(server.Stop)
	return server
}

// An operation asks a storage something and returns the answer, or the error, as text.
type operation struct {
	name string
	do   func(ctx context.Context, client *clientv3.Client) string
}

// TestAnswersLikeEtcd asks both the same random questions. Every round has a seed of its own, which is printed when it
// fails.
func TestAnswersLikeEtcd(t *testing.T) {
	t.Parallel()
	genuine, err := etcd.Start(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := genuine.Stop(); err != nil {
			t.Error(err)
		}
	})
	theirs, err := genuine.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = theirs.Close() }) // it was only asked
	ours := clientOf(t, startServer(t))
	schedule := &schedule{revision: 1}
	first := rand.Uint64()
	const rounds, operations = 10, 100
	for round := range uint64(rounds) {
		seed := first + round
		schedule.random = rand.New(rand.NewPCG(seed, 0))
		for step := range operations {
			operation := schedule.next()
			want, got := operation.do(t.Context(), theirs), operation.do(t.Context(), ours)
			if got != want {
				t.Fatalf("seed %d, round %d, step %d: %s\netcd: %s\nours: %s", first, round, step, operation.name, want, got)
			}
			status, err := ours.Get(t.Context(), "revision", clientv3.WithCountOnly())
			if err != nil {
				t.Fatal(err)
			}
			schedule.revision = status.Header.GetRevision()
		}
	}
	NewWithT(t).Expect(schedule.revision).To(BeNumerically(">", rounds*operations/4), "the schedule writes")
}

// schedule makes random operations on few keys, so that they meet.
type schedule struct {
	random    *rand.Rand
	revision  int64
	compacted int64
}

func (s *schedule) key() string {
	return fmt.Sprintf("/registry/%c/%d", 'a'+rune(s.random.IntN(3)), s.random.IntN(6))
}

func (s *schedule) prefix() string {
	return []string{"/registry/", "/registry/a/", "/registry/b/", "/registry/c/3", "/none/", ""}[s.random.IntN(6)]
}

// anyRevision is most often a readable revision, and sometimes a compacted or a future revision.
func (s *schedule) anyRevision() int64 {
	return max(s.revision-int64(s.random.IntN(30))+2, 1)
}

func (s *schedule) next() operation {
	switch kind := s.random.IntN(30); {
	case kind < 8:
		return s.put()
	case kind < 11:
		return s.delete()
	case kind < 17:
		return s.transact()
	case kind < 23:
		return s.list()
	case kind < 25:
		return s.stream()
	case kind < 27:
		return s.pages()
	case kind < 28:
		return s.watch() // rarely: etcd sends events ten times a second
	default:
		return s.compact()
	}
}

func (s *schedule) put() operation {
	key, value, before := s.key(), fmt.Sprint(s.random.IntN(100)), s.random.IntN(2) == 0
	var options []clientv3.OpOption
	if before {
		options = append(options, clientv3.WithPrevKV())
	}
	if s.random.IntN(10) == 0 {
		options = append(options, clientv3.WithLease(4711)) // nobody granted it
	}
	return operation{"put " + key, func(ctx context.Context, client *clientv3.Client) string {
		response, err := client.Put(ctx, key, value, options...)
		return answer((*etcdserverpb.PutResponse)(response), err)
	}}
}

func (s *schedule) delete() operation {
	key, options := s.key(), []clientv3.OpOption{clientv3.WithPrevKV()}
	if s.random.IntN(3) == 0 {
		key, options = s.prefix(), append(options, clientv3.WithPrefix())
	}
	return operation{"delete " + key, func(ctx context.Context, client *clientv3.Client) string {
		response, err := client.Delete(ctx, key, options...)
		return answer((*etcdserverpb.DeleteRangeResponse)(response), err)
	}}
}

func (s *schedule) transact() operation {
	key, other, operator := s.key(), s.key(), []string{"=", "!=", ">", "<"}[s.random.IntN(4)]
	compare := []clientv3.Cmp{
		clientv3.Compare(clientv3.ModRevision(key), operator, s.anyRevision()),
		clientv3.Compare(clientv3.Version(key), operator, s.random.IntN(4)),
		clientv3.Compare(clientv3.CreateRevision(key), operator, s.anyRevision()),
		clientv3.Compare(clientv3.Value(key), operator, fmt.Sprint(s.random.IntN(100))),
		clientv3.Compare(clientv3.ModRevision(key), "=", 0),
	}[s.random.IntN(5)]
	then := [][]clientv3.Op{
		{clientv3.OpPut(key, "then", clientv3.WithPrevKV())},
		{clientv3.OpDelete(key)},
		{clientv3.OpPut(key, "1"), clientv3.OpPut(other, "2")},
		{clientv3.OpPut(key, "1"), clientv3.OpDelete(other)},
		{clientv3.OpDelete("/registry/a/", clientv3.WithPrefix(), clientv3.WithPrevKV())},
		{clientv3.OpPut(key, "1"), clientv3.OpDelete("/registry/b/", clientv3.WithPrefix())},
		nil,
	}[s.random.IntN(7)]
	otherwise := []clientv3.Op{clientv3.OpGet(key), clientv3.OpGet("/registry/", clientv3.WithPrefix(), clientv3.WithRev(s.anyRevision()))}
	otherwise = otherwise[:s.random.IntN(3)]
	return operation{"txn " + key, func(ctx context.Context, client *clientv3.Client) string {
		response, err := client.Txn(ctx).If(compare).Then(then...).Else(otherwise...).Commit()
		return answer((*etcdserverpb.TxnResponse)(response), err)
	}}
}

func (s *schedule) list() operation {
	prefix := s.prefix()
	options := []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithLimit(int64(s.random.IntN(4)))}
	if s.random.IntN(2) == 0 {
		options = append(options, clientv3.WithRev(s.anyRevision()))
	}
	switch s.random.IntN(4) {
	case 0:
		options = append(options, clientv3.WithCountOnly())
	case 1:
		options = append(options, clientv3.WithKeysOnly())
	}
	return operation{"list " + prefix, func(ctx context.Context, client *clientv3.Client) string {
		response, err := client.Get(ctx, prefix, options...)
		return answer((*etcdserverpb.RangeResponse)(response), err)
	}}
}

func (s *schedule) stream() operation {
	prefix, options := s.prefix(), []clientv3.OpOption{clientv3.WithPrefix()}
	if s.random.IntN(2) == 0 {
		options = append(options, clientv3.WithRev(s.anyRevision()))
	}
	return operation{"stream " + prefix, func(ctx context.Context, client *clientv3.Client) string {
		responses, err := client.GetStream(ctx, prefix, options...)
		if err != nil {
			return err.Error()
		}
		whole := &etcdserverpb.RangeResponse{}
		for response := range responses {
			if err := response.Err(); err != nil {
				return err.Error()
			}
			proto.Merge(whole, response.RangeResponse)
		}
		return answer(whole, nil)
	}}
}

// pages lists in pages at one revision, as a continue token does.
func (s *schedule) pages() operation {
	limit, revision := int64(1+s.random.IntN(4)), s.anyRevision()
	return operation{"pages", func(ctx context.Context, client *clientv3.Client) string {
		text, key, end := "", "/registry/", clientv3.GetPrefixRangeEnd("/registry/")
		for {
			response, err := client.Get(ctx, key, clientv3.WithRange(end), clientv3.WithLimit(limit), clientv3.WithRev(revision))
			text += answer((*etcdserverpb.RangeResponse)(response), err)
			if err != nil || !response.More {
				return text
			}
			key = string(response.Kvs[len(response.Kvs)-1].GetKey()) + "\x00"
		}
	}}
}

// watch reads what happened since a revision until now, of which the progress notification is the end.
func (s *schedule) watch() operation {
	prefix, revision := s.prefix(), min(s.anyRevision(), s.revision)
	options := []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithRev(revision), clientv3.WithPrevKV()}
	compacted := s.compacted
	return operation{fmt.Sprintf("watch %s from %d", prefix, revision), func(ctx context.Context, client *clientv3.Client) string {
		return watched(ctx, client, prefix, compacted, options)
	}}
}

func watched(ctx context.Context, client *clientv3.Client, prefix string, compacted int64, options []clientv3.OpOption) string {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), time.Minute)
	defer cancel()
	text := ""
	responses := client.Watch(ctx, prefix, options...)
	again := time.NewTicker(5 * time.Millisecond) // etcd does not answer before it has sent everything
	defer again.Stop()
	for {
		var response clientv3.WatchResponse
		select {
		case <-again.C:
			if err := client.RequestProgress(ctx); err != nil {
				return err.Error()
			}
			continue
		case response = <-responses:
		}
		if err := response.Err(); err != nil || ctx.Err() != nil {
			return text + fmt.Sprintf("%v at %d %v", err, response.CompactRevision, ctx.Err())
		}
		if response.IsProgressNotify() {
			return text + fmt.Sprintf("progress %d", response.Header.GetRevision())
		}
		for _, event := range response.Events {
			shown := proto.CloneOf(event)
			if shown.GetKv().GetModRevision() == compacted {
				shown.PrevKv = nil // etcd has forgotten it
			}
			text += answer(shown, nil)
		}
	}
}

func (s *schedule) compact() operation {
	revision := s.anyRevision()
	if revision <= s.revision {
		s.compacted = max(s.compacted, revision)
	}
	return operation{fmt.Sprintf("compact %d", revision), func(ctx context.Context, client *clientv3.Client) string {
		response, err := client.Compact(ctx, revision, clientv3.WithCompactPhysical())
		return answer((*etcdserverpb.CompactionResponse)(response), err)
	}}
}

// answer is a response as text, without what names the server.
func answer(response proto.Message, err error) string {
	if err != nil {
		return err.Error()
	}
	shown := proto.Clone(response)
	if answered, ok := shown.(interface {
		GetHeader() *etcdserverpb.ResponseHeader
	}); ok && answered.GetHeader() != nil {
		header := answered.GetHeader()
		header.ClusterId, header.MemberId, header.RaftTerm = 0, 0, 0
	}
	return prototext.MarshalOptions{}.Format(shown) + "\n"
}

func dialing(server *Server) grpc.DialOption {
	return grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
		return server.Dial(ctx, "tcp", address)
	})
}
