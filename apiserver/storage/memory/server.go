// SPDX-License-Identifier: Apache-2.0

// Package memory is a storage for API servers in the memory of their process. It implements the part of etcd's protocol that
// k8s.io/apiserver uses, with versions, watches, leases and compactions, so that the API server is the same as with an etcd.
// It answers all other requests with Unimplemented.
//
// It has no socket: a client connects through Server.Dial. A Journal keeps the changes that must outlive the process.
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
	// DefaultCompactionInterval is the minimum time for which old versions of objects are kept.
	DefaultCompactionInterval = 5 * time.Minute

	// maxRequest is the maximum size of a request in bytes, and maxMessage the maximum that is read of it, both as in etcd.
	maxRequest = 3 << 19
	maxMessage = maxRequest + 1<<19
	// connectionBuffer is the size of a connection's buffer for each direction, in bytes.
	connectionBuffer = 32 << 10
	// minKeepalive is the minimum interval of a client's keepalive pings, as in etcd.
	minKeepalive = 5 * time.Second
)

// Journal stores changes that outlive the process.
type Journal interface {
	// Commit stores the changes of the given revision, in which every key occurs once. A change whose Version is 0 is a
	// deletion. A change with a lease need not be stored, but its revision must: no revision may be used
	// twice. There is one call at a time, with increasing revisions. After an error, the change is refused and the revision is
	// not used.
	Commit(revision int64, changes []*mvccpb.KeyValue) error
}

// Content is the initial content of a server.
type Content struct {
	// Revision is the last used revision, or 0 for a new storage. History begins after it, so a client with an older revision
	// has to list again.
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

// WithCompactionInterval sets the minimum time for which old versions are kept, 5 minutes by default. The API server requests
// compactions. A client that resumes from an older resourceVersion gets 410 Gone.
func WithCompactionInterval(interval time.Duration) Option {
	return func(s *settings) { s.compactionInterval = interval }
}

// WithClock sets the clock for leases. The default is the system's clock.
func WithClock(clock clock.WithTicker) Option {
	return func(s *settings) { s.clock = clock }
}

// WithJournal sets the journal of every change, and the content with which the server begins.
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
		name:     "memory-" + rand.Text(), // libraries identify storages by their endpoint, so it has to be unique
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

// Endpoint is the name of the server, which is valid only for its own Dial.
func (s *Server) Endpoint() string { return "http://" + s.name }

// CompactionInterval is the minimum time for which old versions are kept.
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

// Revision is the last used revision.
func (s *Server) Revision() int64 {
	s.store.mutex.RLock()
	defer s.store.mutex.RUnlock()
	return s.store.revision
}

// Stop ends all requests and watches, and drops all objects. It is called once.
func (s *Server) Stop() {
	s.cancel()
	s.grpc.Stop()
	for range cap(s.stopped) {
		<-s.stopped
	}
}
