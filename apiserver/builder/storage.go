// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"errors"
	"fmt"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/server/egressselector"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
	"goldsmith.dev/goldsmith/apiserver/storage/files"
	"goldsmith.dev/goldsmith/apiserver/storage/memory"
)

// StorageBackend is where a server keeps its objects: something that speaks the etcd v3 protocol.
type StorageBackend interface {
	// Start brings the backend up and writes into config how to reach it. The returned function stops it; the server
	// calls it after its own last request. A backend that is already in use is an error, not a wait.
	Start(ctx context.Context, config *storagebackend.Config) (stop func() error, err error)
}

// ExternalEtcd stores objects in a running etcd cluster. Its servers are URLs; without any, the server's command takes
// them (and the certificates) from its etcd flags.
func ExternalEtcd(servers ...string) StorageBackend {
	return externalEtcd{servers: servers}
}

// EmbeddedEtcd stores objects in an etcd inside this process, which keeps its data in a directory. The directory
// belongs to one server at a time.
func EmbeddedEtcd(directory string, options ...etcd.Option) StorageBackend {
	return embeddedEtcd{directory: directory, options: options}
}

// Memory stores objects in the memory of this process, without an etcd, and forgets them when the server stops.
func Memory(options ...memory.Option) StorageBackend {
	return inProcess{options: options}
}

// Files stores objects in the files of a directory, where people can read and edit them: see package files. The directory
// belongs to one server at a time.
func Files(directory string, options ...files.Option) StorageBackend {
	return &inFiles{directory: directory, options: options}
}

// readable is a storage in which objects have to be JSON.
type readable interface {
	Readable()
}

// attachable is a storage that uses the API which is above it.
type attachable interface {
	// Attach is called once the server is ready, and returns when ctx is done, at the latest. Lines for people go to report.
	Attach(ctx context.Context, loopback *restclient.Config, report func(string))
}

type externalEtcd struct {
	servers []string
}

// Start has nothing to do: the servers are in the options already, where flags can change them.
func (b externalEtcd) Start(context.Context, *storagebackend.Config) (func() error, error) {
	return func() error { return nil }, nil
}

type embeddedEtcd struct {
	directory string
	options   []etcd.Option
}

// Start starts the etcd, and has the server use it.
func (b embeddedEtcd) Start(ctx context.Context, config *storagebackend.Config) (func() error, error) {
	if b.directory == "" {
		return nil, errors.New("an embedded etcd needs a directory")
	}
	server, err := etcd.Start(ctx, b.directory, b.options...)
	if err != nil {
		return nil, err
	}
	config.Transport.ServerList = []string{server.Endpoint()}
	config.CompactionInterval = min(config.CompactionInterval, server.CompactionInterval())
	return server.Stop, nil
}

type inProcess struct {
	options []memory.Option
}

// Start starts the storage, and has the server use it.
func (b inProcess) Start(_ context.Context, config *storagebackend.Config) (func() error, error) {
	server := memory.Start(b.options...)
	useInProcess(config, server)
	return func() error {
		server.Stop()
		return nil
	}, nil
}

type inFiles struct {
	directory string
	options   []files.Option
	running   *files.Directory
}

// Start takes the directory, and has the server use it.
func (b *inFiles) Start(_ context.Context, config *storagebackend.Config) (func() error, error) {
	running, err := files.Start(b.directory, b.options...)
	if err != nil {
		return nil, err
	}
	b.running = running
	useInProcess(config, running.Server())
	return running.Stop, nil
}

// Readable has objects stored as JSON.
func (b *inFiles) Readable() {}

// Attach takes edits of the files to the API.
func (b *inFiles) Attach(ctx context.Context, loopback *restclient.Config, report func(string)) {
	b.running.Attach(ctx, loopback, report)
}

// useInProcess has the server reach its storage without a network.
func useInProcess(config *storagebackend.Config, server *memory.Server) {
	config.Transport.ServerList = []string{server.Endpoint()}
	config.Transport.EgressLookup = func(egressselector.NetworkContext) (utilnet.DialFunc, error) { return server.Dial, nil }
	config.CompactionInterval = min(config.CompactionInterval, server.CompactionInterval())
}

// startStorage brings the storage backend up. A server without one has nothing to stop either.
func (o *Options) startStorage(ctx context.Context) (stop func() error, err error) {
	if o.server.storage == nil {
		return func() error { return nil }, nil
	}
	return o.server.storage.Start(ctx, &o.Recommended.Etcd.StorageConfig)
}

// attach gives the storage the API that is above it, if it wants that, as soon as it is ready. The returned function ends
// that, and then stops the storage.
func (o *Options) attach(ctx context.Context, running *Running, stop func() error) func() error {
	storage, ok := o.server.storage.(attachable)
	if !ok {
		return stop
	}
	ctx, cancel := context.WithCancel(ctx)
	detached := make(chan struct{})
	go func() {
		defer close(detached)
		if running.WaitReady(ctx) != nil {
			return
		}
		storage.Attach(ctx, running.ClientConfig(), func(line string) {
			// A log that cannot be written has nowhere to say so.
			_, _ = fmt.Fprintf(o.server.out, "%s: %s\n", o.server.name, line)
		})
	}()
	return func() error {
		cancel()
		<-detached
		return stop()
	}
}
