// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"errors"
	"fmt"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/server/egressselector"
	"k8s.io/apiserver/pkg/storage/storagebackend"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/apiserver/storage/files"
	"goldsmith.dev/goldsmith/apiserver/storage/memory"
)

// StorageBackend is where a server stores its objects: a server of the etcd v3 protocol.
type StorageBackend interface {
	// Start starts the backend and writes its address into config. The returned function stops it, and the server calls it after its
	// last request. If another process uses the backend, Start fails and does not wait.
	Start(ctx context.Context, config *storagebackend.Config) (stop func() error, err error)
	// Shared reports whether other servers can use the storage at the same time. Only then are the locks of this server in the storage.
	Shared() bool
}

// ExternalEtcd stores objects in a running etcd cluster with the URLs and certificates of transport. The etcd flags of the server's
// command replace them. Other fields of transport have no effect.
func ExternalEtcd(transport storagebackend.TransportConfig) StorageBackend {
	return externalEtcd{transport: transport}
}

// EmbeddedEtcd stores objects in an etcd inside this process, with its data in a directory. Only one server at a time can use the
// directory.
func EmbeddedEtcd(directory string, options ...etcd.Option) StorageBackend {
	return &embeddedEtcd{directory: directory, options: options}
}

// Memory stores objects in the memory of this process, without an etcd. They are lost when the server stops.
func Memory(options ...memory.Option) StorageBackend {
	return inProcess{options: options}
}

// Files stores objects in the memory of this process, and each object in a file of a directory, which is read at the start: see package
// files. Only one server at a time can use the directory, and nobody else writes there.
func Files(directory string, options ...files.Option) StorageBackend {
	return inFiles{directory: directory, options: options}
}

// reporting is a storage that has something to tell while it runs.
type reporting interface {
	// Report is called once the server is ready, and returns when ctx is done, at the latest. report gets lines for people.
	Report(ctx context.Context, report func(string))
}

type externalEtcd struct {
	transport storagebackend.TransportConfig
}

// Start does nothing: the servers are in the options already, where flags can change them.
func (b externalEtcd) Start(context.Context, *storagebackend.Config) (func() error, error) {
	return func() error { return nil }, nil
}

// Shared is true: the servers of an API can have several replicas.
func (b externalEtcd) Shared() bool { return true }

type embeddedEtcd struct {
	directory string
	options   []etcd.Option
	running   *etcd.Server
}

// Start starts the etcd, and configures the server to use it.
func (b *embeddedEtcd) Start(ctx context.Context, config *storagebackend.Config) (func() error, error) {
	if b.directory == "" {
		return nil, errors.New("an embedded etcd needs a directory")
	}
	server, err := etcd.Start(ctx, b.directory, b.options...)
	if err != nil {
		return nil, err
	}
	b.running = server
	connectTo(&config.Transport, server.Transport())
	config.CompactionInterval = min(config.CompactionInterval, server.CompactionInterval())
	return server.Stop, nil
}

// Shared is false, because the directory has one server at a time.
func (b *embeddedEtcd) Shared() bool { return false }

// Full is the error of a full database, or nil.
func (b *embeddedEtcd) Full() error { return b.running.Full() }

// Report reports when the database becomes full, and when it no longer is.
func (b *embeddedEtcd) Report(ctx context.Context, report func(string)) {
	b.running.FollowFull(ctx, func(full error) {
		if full != nil {
			report(full.Error())
		} else {
			report("the database has space again and accepts writes")
		}
	})
}

// connectTo sets the URLs and certificates of an etcd.
func connectTo(config *storagebackend.TransportConfig, of storagebackend.TransportConfig) {
	config.ServerList, config.CertFile, config.KeyFile, config.TrustedCAFile = of.ServerList, of.CertFile, of.KeyFile, of.TrustedCAFile
}

type inProcess struct {
	options []memory.Option
}

// Start starts the storage, and configures the server to use it.
func (b inProcess) Start(_ context.Context, config *storagebackend.Config) (func() error, error) {
	server := memory.Start(b.options...)
	useInProcess(config, server)
	return func() error {
		server.Stop()
		return nil
	}, nil
}

// Shared is false.
func (b inProcess) Shared() bool { return false }

type inFiles struct {
	directory string
	options   []files.Option
}

// Start takes the directory, and configures the server to use it.
func (b inFiles) Start(_ context.Context, config *storagebackend.Config) (func() error, error) {
	running, err := files.Start(b.directory, b.options...)
	if err != nil {
		return nil, err
	}
	useInProcess(config, running.Server())
	return running.Stop, nil
}

// Shared is false, because the directory has one server at a time.
func (b inFiles) Shared() bool { return false }

// useInProcess connects the server to its storage without a network.
func useInProcess(config *storagebackend.Config, server *memory.Server) {
	config.Transport.ServerList = []string{server.Endpoint()}
	config.Transport.EgressLookup = func(egressselector.NetworkContext) (utilnet.DialFunc, error) { return server.Dial, nil }
	config.CompactionInterval = min(config.CompactionInterval, server.CompactionInterval())
}

// startStorage starts the storage backend, if there is one.
func (o *Options) startStorage(ctx context.Context) (stop func() error, err error) {
	if o.server.storage == nil {
		return func() error { return nil }, nil
	}
	return o.server.storage.Start(ctx, &o.Recommended.Etcd.StorageConfig)
}

// sharedStorage returns the storage if other servers can use it too.
func (o *Options) sharedStorage() *storagebackend.Config {
	if o.server.storage == nil || !o.server.storage.Shared() {
		return nil
	}
	return &o.Recommended.Etcd.StorageConfig
}

// follow lets a storage report once the server is ready. The returned function ends this, and then stops the storage.
func (o *Options) follow(ctx context.Context, running *Running, stop func() error) func() error {
	storage, ok := o.server.storage.(reporting)
	if !ok {
		return stop
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if running.WaitReady(ctx) != nil {
			return
		}
		storage.Report(ctx, func(line string) {
			// A failure to write the log cannot be reported anywhere.
			_, _ = fmt.Fprintf(o.server.out, "%s: %s\n", o.server.name, line)
		})
	}()
	return func() error {
		cancel()
		<-ended
		return stop()
	}
}
