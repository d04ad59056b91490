// SPDX-License-Identifier: Apache-2.0

package election

import (
	"context"
	"fmt"
	"sync/atomic"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// lock is a Lease that ends the manager once another process holds it. The elector of client-go requests a lost lease until
// the renew deadline, and the manager acts meanwhile: a process that was frozen would act beside its successor.
type lock struct {
	resourcelock.Interface
	held atomic.Bool
	// taken gets the identity of the process that took the lease from this process.
	taken chan string
}

var (
	_ resourcelock.Interface         = &lock{}
	_ manager.LeaderElectionRunnable = &lock{}
)

func newLock(lease resourcelock.Interface) *lock {
	return &lock{Interface: lease, taken: make(chan string, 1)}
}

// Create creates the Lease.
func (l *lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.observeWrite(record, l.Interface.Create(ctx, record))
}

// Update takes, renews or releases the lease.
func (l *lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.observeWrite(record, l.Interface.Update(ctx, record))
}

func (l *lock) observeWrite(record resourcelock.LeaderElectionRecord, err error) error {
	if err == nil {
		l.held.Store(record.HolderIdentity == l.Identity())
	}
	return err
}

// Get reads the Lease.
func (l *lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err == nil && l.held.Load() && record.HolderIdentity != l.Identity() {
		select {
		case l.taken <- record.HolderIdentity:
		default: // known already
		}
	}
	return record, raw, err
}

// Start returns an error once the lease is lost, or nil when ctx is done.
func (l *lock) Start(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case holder := <-l.taken:
		return fmt.Errorf("lease %s of this process expired, for example because the process was frozen, and %q holds it now: this process restarts", l.Describe(), holder)
	}
}

// NeedLeaderElection is false: Start waits for the end of the leadership.
func (*lock) NeedLeaderElection() bool { return false }
