// SPDX-License-Identifier: Apache-2.0

// Package locks has locks by name, for rules about several objects that a single write cannot enforce: lock, check, write,
// unlock. A write that cannot break the rule needs no lock.
//
// It must never keep a lock longer than its holder: the lock of a server that is lost expires.
package locks

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/storage/storagebackend"

	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// lockPatience is how long a request waits for a lock.
const lockPatience = 5 * time.Second

// Lock is a held lock.
type Lock struct {
	lost    <-chan struct{}
	release func()
}

// Lost is closed when the lock is lost while it is held, for example because the storage has not heard from this server for a
// while. The holder must then stop its writes. It is nil if the lock cannot be lost.
func (l *Lock) Lost() <-chan struct{} { return l.lost }

// Unlock gives the lock back. It is called once.
func (l *Lock) Unlock() { l.release() }

// Locks are the locks of a server.
type Locks struct {
	own    localLocks
	shared *sharedLocks // nil if no other server uses the storage
}

// New returns locks that all servers with the same etcd and prefix share. Without a storage, they are those of one server.
func New(storage *storagebackend.Config) *Locks {
	if storage == nil {
		return &Locks{}
	}
	return &Locks{shared: &sharedLocks{storage: *storage}}
}

// Lock takes the lock of a name. If the lock is not free within 5 seconds, the error has status 503 and Retry-After.
func (l *Locks) Lock(ctx context.Context, name string) (*Lock, error) {
	patient, cancel := context.WithTimeoutCause(ctx, lockPatience, fmt.Errorf("the lock was not free within %s", lockPatience))
	defer cancel()
	// Requests of this server wait here, so that only one of them at a time waits in the storage for other servers.
	lock, err := l.own.lock(patient, name)
	if err != nil {
		return nil, busy(name, err)
	}
	if l.shared == nil {
		return lock, nil
	}
	shared, err := l.shared.lock(patient, name)
	if err != nil {
		lock.Unlock()
		return nil, busy(name, err)
	}
	return &Lock{lost: shared.lost, release: func() {
		shared.Unlock()
		lock.Unlock()
	}}, nil
}

// busy returns the error of a lock that is not free.
func busy(name string, err error) error {
	return requesterrors.Unavailable(fmt.Sprintf("take the lock %q: %v; try again", name, err), metav1.StatusDetails{RetryAfterSeconds: 1})
}

// localLocks are locks of this process. The zero value has none.
type localLocks struct {
	mutex sync.Mutex
	names map[string]*localLock // the locks that are held or waited for
}

type localLock struct {
	held  chan struct{} // holds one element while the lock is held
	users int           // how many requests hold the lock or wait for it
}

func (l *localLocks) lock(ctx context.Context, name string) (*Lock, error) {
	lock := l.use(name)
	select {
	case lock.held <- struct{}{}:
	case <-ctx.Done():
		l.leave(name, lock)
		return nil, context.Cause(ctx)
	}
	return &Lock{release: func() {
		<-lock.held
		l.leave(name, lock)
	}}, nil
}

func (l *localLocks) use(name string) *localLock {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	lock, known := l.names[name]
	if !known {
		lock = &localLock{held: make(chan struct{}, 1)}
		if l.names == nil {
			l.names = map[string]*localLock{}
		}
		l.names[name] = lock
	}
	lock.users++
	return lock
}

func (l *localLocks) leave(name string, lock *localLock) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if lock.users--; lock.users == 0 {
		delete(l.names, name)
	}
}
