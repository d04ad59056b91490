// SPDX-License-Identifier: Apache-2.0

// Package memory is a storage for API servers in the memory of their process. It has the versions, watches, leases and
// compactions of etcd, and speaks its protocol, as far as k8s.io/apiserver uses it, so that everything above it is the
// same as with an etcd; everything else it answers with Unimplemented.
//
// It has no socket: a client connects through Server.Dial. What must outlive the process goes through a Journal.
package memory

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/test/bufconn"
	"k8s.io/utils/clock"
)

const (
	// DefaultCompactionInterval is how long old versions of objects are kept at least.
	DefaultCompactionInterval = 5 * time.Minute

	// maxRequest is the size in bytes of the largest request, and maxMessage of what is read of it, both as in etcd.
	maxRequest = 3 << 19
	maxMessage = maxRequest + 1<<19
	// connectionBuffer is how much of a connection can be under way, in bytes and in each direction.
	connectionBuffer = 32 << 10
	// minKeepalive is how often a client may ask whether the server is there, as in etcd.
	minKeepalive = 5 * time.Second
)

// Journal makes changes outlive the process.
type Journal interface {
	// Commit keeps what is about to become the given revision, in which every key occurs once. A change whose Version is
	// 0 is a deletion; one with a lease, or without an object, needs no keeping, but its revision does: no revision
	// may be given out twice. There is one call at a time, with rising revisions. After an error, the change is
	// refused and the revision is not used.
	Commit(revision int64, changes []*mvccpb.KeyValue) error
}

// Content is what a server begins with.
type Content struct {
	// Revision is the last one that was given out, 0 for a storage that never had any. History begins after it: who
	// watches from before has to list anew.
	Revision int64
	// Keys are the current versions.
	Keys []*mvccpb.KeyValue
}

// Option adjusts a server.
type Option func(*settings)

type settings struct {
	clock              clock.WithTicker
	compactionInterval time.Duration
	journal            Journal
	content            Content
}

// WithCompactionInterval sets how long old versions are kept at least, 5 minutes by default. The API server does the
// compacting. A client that resumes from an older resourceVersion is answered 410 Gone.
func WithCompactionInterval(interval time.Duration) Option {
	return func(s *settings) { s.compactionInterval = interval }
}

// WithClock sets the clock that leases go by, that of the system by default.
func WithClock(clock clock.WithTicker) Option {
	return func(s *settings) { s.clock = clock }
}

// WithJournal has the server begin with what a journal knows, and tell it every change.
func WithJournal(journal Journal, content Content) Option {
	return func(s *settings) { s.journal, s.content = journal, content }
}

// Server is a running storage.
type Server struct {
	settings settings
	name     string
	store    *store
	listener *bufconn.Listener
	grpc     *grpc.Server
	cancel   context.CancelFunc
	stopped  chan struct{} // one value from each of the two goroutines
}

// Start starts a storage, which runs until Stop.
func Start(options ...Option) *Server {
	s := &Server{
		settings: settings{clock: clock.RealClock{}, compactionInterval: DefaultCompactionInterval},
		name:     "memory-" + rand.Text(), // libraries know storages by their endpoint: no two may have the same
		listener: bufconn.Listen(connectionBuffer),
		stopped:  make(chan struct{}, 2),
	}
	for _, option := range options {
		option(&s.settings)
	}
	s.store = newStore(s.settings.clock, s.settings.journal, s.settings.content)
	s.grpc = grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minKeepalive}),
		grpc.UnaryInterceptor(refuseTooLarge),
		grpc.WaitForHandlers(true),
	)
	pb.RegisterKVServer(s.grpc, keyValues{store: s.store})
	pb.RegisterWatchServer(s.grpc, watches{store: s.store})
	pb.RegisterLeaseServer(s.grpc, leases{store: s.store})
	pb.RegisterMaintenanceServer(s.grpc, maintenance{store: s.store})
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	go func() {
		s.store.expire(ctx)
		s.stopped <- struct{}{}
	}()
	go func() {
		_ = s.grpc.Serve(s.listener) // ends with Stop, and the listener has no other way to fail
		s.stopped <- struct{}{}
	}()
	return s
}

// Endpoint is the name of the server. Only its own Dial understands it.
func (s *Server) Endpoint() string { return "http://" + s.name }

// CompactionInterval is how long old versions are kept at least.
func (s *Server) CompactionInterval() time.Duration { return s.settings.compactionInterval }

// Dial connects to the server, for clients of its Endpoint.
func (s *Server) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	if address != s.name {
		return nil, fmt.Errorf("%s is not %s", address, s.name)
	}
	connection, err := s.listener.DialContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.name, err)
	}
	return connection, nil
}

// Revision is the last one given out.
func (s *Server) Revision() int64 {
	s.store.mutex.RLock()
	defer s.store.mutex.RUnlock()
	return s.store.revision
}

// Stop ends all requests and watches, and forgets everything. It is called once.
func (s *Server) Stop() {
	s.cancel()
	s.grpc.Stop()
	for range cap(s.stopped) {
		<-s.stopped
	}
}
