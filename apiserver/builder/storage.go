// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"

	"k8s.io/apiserver/pkg/storage/storagebackend"

	"goldsmith.dev/goldsmith/apiserver/builder/etcd"
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

// MemoryEtcd stores objects in an etcd inside this process that forgets them when the server stops.
func MemoryEtcd(options ...etcd.Option) StorageBackend {
	return embeddedEtcd{options: options}
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
	server, err := etcd.Start(ctx, b.directory, b.options...)
	if err != nil {
		return nil, err
	}
	config.Transport.ServerList = []string{server.Endpoint()}
	config.CompactionInterval = min(config.CompactionInterval, server.CompactionInterval())
	return server.Stop, nil
}

// startStorage brings the storage backend up. A server without one has nothing to stop either.
func (o *Options) startStorage(ctx context.Context) (stop func() error, err error) {
	if o.server.storage == nil {
		return func() error { return nil }, nil
	}
	return o.server.storage.Start(ctx, &o.Recommended.Etcd.StorageConfig)
}
