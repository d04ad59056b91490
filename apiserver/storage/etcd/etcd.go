// SPDX-License-Identifier: Apache-2.0

// Package etcd runs one etcd member inside this process, for one API server on one machine.
//
// It never listens where another user can reach it: clients connect through a unix socket in a directory of mode 0700,
// and there is no peer listener at all, because a single member has no peers. (A peer URL with a unix path would bind
// an abstract socket, which has no permissions.) A process of the same user that cannot read the data directory cannot use
// etcd either: clients need the certificate in the data directory.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

const (
	// DefaultCompactionInterval is the time for which old versions of objects are kept.
	DefaultCompactionInterval = 5 * time.Minute

	memberName = "local"
	// peerAddress names the only member. Nothing listens there and nothing connects to it.
	peerAddress = "127.0.0.1:2380"
	peerURL     = "http://" + peerAddress
	// scheme is etcd's name for TLS over a unix socket.
	scheme = "unixs"
	// segmentBytes is the size of a file of the write-ahead log. etcd allocates two of them in advance, so its default of 64 MB
	// would be most of a small data directory. With segments of 1 MiB, small writes take a third longer.
	segmentBytes = 4 << 20
	// maxSegments is how many segments etcd keeps, if it needs no more of them: those since the last snapshot.
	maxSegments = 1
	// snapshotWrites is after how many writes etcd no longer needs the older segments. With objects of the maximum size, 1.5
	// MiB, the log has at most 750 MiB.
	snapshotWrites = 500
	// startTimeout bounds the replay of the write-ahead log.
	startTimeout = time.Minute
)

// ErrInUse means that another process (or another server of this process) uses the data directory.
var ErrInUse = errors.New("the data directory is in use by another process")

// Option adjusts an embedded etcd.
type Option func(*settings)

type settings struct {
	compactionInterval time.Duration
	socketDirectory    string
	quota              int64
}

// WithCompactionInterval sets the time for which old versions are kept, 5 minutes by default. Old versions that use more space
// than the objects, and more than 16 MiB, are dropped after 10 seconds, and at once if the database is nearly full. A client that
// resumes from an older resourceVersion gets 410 Gone.
func WithCompactionInterval(interval time.Duration) Option {
	return func(s *settings) { s.compactionInterval = interval }
}

// WithSocketDirectory sets the directory of the client socket, whose mode becomes 0700. By default it is a directory inside
// the data directory or, if the path would be too long for a socket, a temporary directory.
func WithSocketDirectory(directory string) Option {
	return func(s *settings) { s.socketDirectory = directory }
}

// WithQuota sets the size of all objects from which the database is full, in bytes. The default is DefaultQuota.
func WithQuota(bytes int64) Option {
	return func(s *settings) { s.quota = bytes }
}

// Server is a running etcd.
type Server struct {
	etcd     *embed.Etcd
	endings  *endings
	settings settings
	// directory is the data directory.
	directory string
	endpoint  string
	space     *space
	// stopSpace ends the checks of space.
	stopSpace func()
	cleanup   []func() error
}

// Start runs etcd on a data directory and returns once it accepts writes. Without a directory it uses a temporary one, does
// not sync it to disk, and removes it when it stops.
func Start(ctx context.Context, directory string, options ...Option) (_ *Server, err error) {
	server := &Server{settings: settings{compactionInterval: DefaultCompactionInterval, quota: DefaultQuota}}
	for _, option := range options {
		option(&server.settings)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, server.Stop())
		}
	}()

	removeLeft(time.Now())
	memory := directory == ""
	if memory {
		directory, err = server.temporaryDirectory()
	} else {
		err = server.claim(directory)
	}
	if err != nil {
		return nil, err
	}
	socket, err := server.socketPath(directory)
	if err != nil {
		return nil, err
	}
	client := url.URL{Scheme: scheme, Path: socket}
	server.directory, server.endpoint = directory, client.String()
	if err := createCertificate(directory); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(directory, endpointName), []byte(server.endpoint+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write the endpoint: %w", err)
	}

	config := server.config(directory, client, memory)
	if err := checkFiles(filepath.Join(config.Dir, "member")); err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	setSegmentSize()
	if err := server.run(config); err != nil {
		return nil, fmt.Errorf("start etcd in %s: %w", directory, err)
	}
	if err := server.waitReady(ctx, directory); err != nil {
		return nil, err
	}
	server.keepSpace(ctx)
	return server, nil
}

// setSegmentSize sets a variable of etcd's package once, because running servers of this process read it. A directory can have
// segments of several sizes.
var setSegmentSize = sync.OnceFunc(func() { wal.SegmentSizeBytes = segmentBytes })

// Endpoint is the URL that clients connect to, with the certificate of Transport.
func (s *Server) Endpoint() string { return s.endpoint }

// Full returns a FullError while the stored objects have reached the quota. Then clients must not write, except to delete.
func (s *Server) Full() error { return s.space.Full() }

// FollowFull calls changed with the error when the database becomes full, and with nil when it no longer is, until ctx is done.
// For a database that is full already, it calls changed at once.
func (s *Server) FollowFull(ctx context.Context, changed func(full error)) {
	s.space.follow(ctx, changed)
}

// CompactionInterval is the time for which old versions are kept.
func (s *Server) CompactionInterval() time.Duration { return s.settings.compactionInterval }

// Stop ends etcd, releases its data directory and removes temporary files. A second call does nothing.
func (s *Server) Stop() error {
	if s.stopSpace != nil {
		s.stopSpace()
		s.stopSpace = nil
	}
	if s.etcd != nil {
		s.etcd.Close()
		s.etcd = nil
	}
	var failures []error
	for len(s.cleanup) > 0 {
		last := len(s.cleanup) - 1
		failures = append(failures, s.cleanup[last]())
		s.cleanup = s.cleanup[:last]
	}
	return errors.Join(failures...)
}

func (s *Server) config(directory string, client url.URL, memory bool) *embed.Config {
	config := embed.NewConfig()
	config.Name = memberName
	config.Dir = memberDirectory(directory)
	config.ListenPeerUrls = nil
	config.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: peerAddress}}
	config.InitialCluster = config.InitialClusterFromName(memberName)
	config.ListenClientUrls = []url.URL{client}
	config.AdvertiseClientUrls = []url.URL{client}
	config.ClientTLSInfo = tlsInfo(directory)
	// If HTTP and gRPC share a socket with TLS, etcd passes gRPC through its HTTP server: a tenth more allocations for a request.
	config.ListenClientHttpUrls = []url.URL{{Scheme: scheme, Path: filepath.Join(filepath.Dir(client.Path), httpSocketName)}}
	config.EnableGRPCGateway = false
	config.QuotaBackendBytes = hardQuota(s.settings.quota)
	config.AutoCompactionMode = embed.CompactorModePeriodic
	config.AutoCompactionRetention = s.settings.compactionInterval.String()
	config.UnsafeNoFsync = memory
	config.MaxWalFiles = maxSegments
	config.SnapshotCount = snapshotWrites
	// A single member needs no history for followers, so only a small part of the log has to stay in memory.
	config.SnapshotCatchUpEntries = 100
	return config
}

func (s *Server) waitReady(ctx context.Context, directory string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	select {
	case <-s.etcd.Server.ReadyNotify():
		s.endings.running.Store(true)
		return nil
	case cause := <-s.endings.started:
		s.etcd = nil // it cannot be closed
		return cannotStart(memberDirectory(directory), cause)
	case err := <-s.etcd.Err():
		return fmt.Errorf("etcd stopped while starting: %w", err)
	case <-ctx.Done():
		return fmt.Errorf("etcd did not get ready: %w", ctx.Err())
	}
}

// keepSpace frees what a former run left behind, and goes on until Stop.
func (s *Server) keepSpace(ctx context.Context) {
	s.space = newSpace(s.etcd.Server, s.settings.quota)
	s.space.check(ctx, time.Now(), s.etcd.Server.KV().Rev())
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.space.keep(ctx)
	}()
	s.stopSpace = func() {
		cancel()
		<-ended
	}
}
