// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"k8s.io/apiserver/pkg/storage/storagebackend"

	"goldsmith.dev/goldsmith/apiserver/storage/etcd"
)

const (
	// sharedLockTTL is how long a lock outlives a lost server, in seconds.
	sharedLockTTL = 10
	// tidyPatience is how long unlocking may take. After that the lock expires.
	tidyPatience = time.Second
	// lockDirectory is below the prefix of the storage. No resource can have this name.
	lockDirectory = ".locks"
)

// sharedLocks are locks in an etcd, for all servers that use it with the same prefix.
//
// Each lock opens a connection of its own, because locks are rare.
type sharedLocks struct {
	storage storagebackend.Config
}

func (l *sharedLocks) lock(ctx context.Context, name string) (*Lock, error) {
	client, err := etcd.Connect(l.storage.Transport)
	if err != nil {
		return nil, err
	}
	disconnect := func() { _ = client.Close() } // the connection is for this lock only
	// The library's cleanup after the end of its context has no deadline.
	giveUp := time.AfterFunc(lockPatience+tidyPatience, disconnect)
	session, err := lockIn(ctx, client, path.Join(l.storage.Prefix, lockDirectory, name))
	giveUp.Stop()
	if err != nil {
		disconnect()
		return nil, fmt.Errorf("lock in etcd: %w", err)
	}
	return &Lock{lost: session.Done(), release: func() {
		// The holder has finished its work, and does not wait for an unavailable etcd.
		giveUp := time.AfterFunc(tidyPatience, disconnect)
		defer giveUp.Stop()
		// A lease that cannot be revoked expires, and the lock with it.
		_ = session.Close()
		disconnect()
	}}, nil
}

// lockIn returns the session that holds the lock. The lock ends with the session.
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

// causeOf returns the cause of the end of ctx, if that is the reason of the error.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
