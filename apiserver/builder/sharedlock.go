// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.uber.org/zap"
	"k8s.io/apiserver/pkg/storage/storagebackend"
)

const (
	// sharedLockTTL is how long a lock outlives a server that is gone, in seconds.
	sharedLockTTL = 10
	// tidyPatience is how long a lock is given back. Then it expires.
	tidyPatience = time.Second
	// lockDirectory is below the prefix of the storage. No resource can have that name.
	lockDirectory = ".locks"
)

// sharedLocks are locks in an etcd, for all servers that use it with the same prefix.
//
// Each lock has a connection of its own: locks are for rare writes, and so nothing has to be kept open or closed.
type sharedLocks struct {
	storage storagebackend.Config
}

// sharedLocks returns the locks in the server's storage, or nil if the storage is this server's alone, as every one in
// this process is.
func (o *Options) sharedLocks() *sharedLocks {
	if _, external := o.server.storage.(externalEtcd); !external {
		return nil
	}
	return &sharedLocks{storage: o.Recommended.Etcd.StorageConfig}
}

func (l *sharedLocks) lock(ctx context.Context, name string) (*Lock, error) {
	client, disconnect, err := l.connect()
	if err != nil {
		return nil, err
	}
	// What the library does once its context is done has no deadline of its own.
	giveUp := time.AfterFunc(lockPatience+tidyPatience, disconnect)
	session, err := lockIn(ctx, client, path.Join(l.storage.Prefix, lockDirectory, name))
	giveUp.Stop()
	if err != nil {
		disconnect()
		return nil, fmt.Errorf("lock in etcd: %w", err)
	}
	return &Lock{lost: session.Done(), release: func() {
		// Whoever unlocks is done with its work, and does not wait for an etcd that is gone.
		giveUp := time.AfterFunc(tidyPatience, disconnect)
		defer giveUp.Stop()
		// A lease that cannot be revoked expires, and the lock with it.
		_ = session.Close()
		disconnect()
	}}, nil
}

// lockIn returns the session that holds the lock: the lock ends with it.
func lockIn(ctx context.Context, client *clientv3.Client, key string) (*concurrency.Session, error) {
	lease, err := client.Grant(ctx, sharedLockTTL)
	if err != nil {
		return nil, causeOf(ctx, err)
	}
	session, err := concurrency.NewSession(client, concurrency.WithLease(lease.ID), concurrency.WithTTL(sharedLockTTL))
	if err != nil {
		return nil, err
	}
	if err := concurrency.NewMutex(session, key).Lock(ctx); err != nil {
		return nil, errors.Join(causeOf(ctx, err), session.Close())
	}
	return session, nil
}

// causeOf returns why ctx ended, if that is why something failed.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// connect opens a connection as the storage's own are. The certificates are read anew each time.
func (l *sharedLocks) connect() (*clientv3.Client, func(), error) {
	transport := l.storage.Transport
	var secured *tls.Config
	if transport.TrustedCAFile != "" || transport.CertFile != "" {
		var err error
		if secured, err = clientTLS(transport); err != nil {
			return nil, nil, err
		}
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: transport.ServerList, TLS: secured, Logger: zap.NewNop()})
	if err != nil {
		return nil, nil, fmt.Errorf("connect to etcd: %w", err)
	}
	return client, func() {
		_ = client.Close() // it ends with what it was opened for
	}, nil
}
