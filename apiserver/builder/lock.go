// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// lockPatience is how long a lock is waited for.
const lockPatience = 5 * time.Second

// Lock is the exclusive right to something.
type Lock struct {
	lost    <-chan struct{}
	release func()
}

// Lost is closed when the lock is lost while it is held, as when the storage has not heard of this server for a while.
// Who still writes must stop. It is nil where a lock cannot be lost.
func (l *Lock) Lost() <-chan struct{} { return l.lost }

// Unlock gives the lock back. It is called once.
func (l *Lock) Unlock() { l.release() }

// Lock takes the lock of a name, which is one for all servers that share a storage. It is for a rule about several
// objects, which no single write can hold: take it, check, write, unlock. What cannot break the rule needs no lock.
// A lock that cannot be had within 5 seconds is an error with status 503 and Retry-After.
func (s *Scope) Lock(ctx context.Context, name string) (*Lock, error) {
	patient, cancel := context.WithTimeoutCause(ctx, lockPatience, fmt.Errorf("it was not free within %s", lockPatience))
	defer cancel()
	// Requests of this server wait here, so that in the storage one of them waits for those of other servers.
	lock, err := s.locks.lock(patient, name)
	if err != nil {
		return nil, busy(name, err)
	}
	if s.sharedLocks == nil {
		return lock, nil
	}
	shared, err := s.sharedLocks.lock(patient, name)
	if err != nil {
		lock.Unlock()
		return nil, busy(name, err)
	}
	return &Lock{lost: shared.lost, release: func() {
		shared.Unlock()
		lock.Unlock()
	}}, nil
}

// busy says that a lock cannot be had now.
func busy(name string, err error) error {
	return Unavailable(fmt.Sprintf("take the lock %q: %v; try again", name, err), metav1.StatusDetails{RetryAfterSeconds: 1})
}

// localLocks are locks of this process. The zero value has none.
type localLocks struct {
	mutex sync.Mutex
	names map[string]*localLock // those that somebody holds or waits for
}

type localLock struct {
	held  chan struct{} // holds one element while the lock is held
	users int           // who holds it or waits for it
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
