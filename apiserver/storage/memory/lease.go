// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// maxTTL is the longest life of a lease, in seconds, as in etcd.
const maxTTL = 9_000_000_000

// lease limits the lifetime of keys.
type lease struct {
	seconds int64
	expires time.Time
	keys    map[string]struct{}
}

func (s *store) grant(id, seconds int64) (*pb.LeaseGrantResponse, error) {
	if seconds > maxTTL {
		return nil, rpctypes.ErrGRPCLeaseTTLTooLarge
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for id == 0 || s.leases[id] != nil {
		if id != 0 {
			return nil, rpctypes.ErrGRPCLeaseExist
		}
		if random := rand.Int64(); s.leases[random] == nil { //nolint:gosec // an ID is no secret
			id = random
		}
	}
	seconds = max(seconds, 1)
	s.leases[id] = &lease{seconds: seconds, expires: s.clock.Now().Add(time.Duration(seconds) * time.Second), keys: map[string]struct{}{}}
	s.expectLeases()
	return &pb.LeaseGrantResponse{Header: s.header(), ID: id, TTL: seconds}, nil
}

// revoke ends a lease, and deletes its keys in one revision.
func (s *store) revoke(id int64) (*pb.LeaseRevokeResponse, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.revokeWriting(id)
}

func (s *store) revokeWriting(id int64) (*pb.LeaseRevokeResponse, error) {
	ended := s.leases[id]
	if ended == nil {
		return nil, rpctypes.ErrGRPCLeaseNotFound
	}
	changes := make([]*mvccpb.KeyValue, 0, len(ended.keys))
	for key := range ended.keys {
		changes = append(changes, &mvccpb.KeyValue{Key: []byte(key)})
	}
	slices.SortFunc(changes, func(a, b *mvccpb.KeyValue) int { return slices.Compare(a.GetKey(), b.GetKey()) })
	if err := s.commit(changes); err != nil {
		return nil, notStored(err)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.leases, id)
	s.expectLeases()
	return &pb.LeaseRevokeResponse{Header: s.header()}, nil
}

// renew restarts the time to live of a lease. It returns 0 for a lease that does not exist.
func (s *store) renew(id int64) *pb.LeaseKeepAliveResponse {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	answer := &pb.LeaseKeepAliveResponse{Header: s.header(), ID: id}
	if renewed := s.leases[id]; renewed != nil {
		renewed.expires = s.clock.Now().Add(time.Duration(renewed.seconds) * time.Second)
		answer.TTL = renewed.seconds
	}
	return answer
}

// expire ends every lease whose time is over, until ctx is done.
func (s *store) expire(ctx context.Context) {
	for {
		next := s.endLeases()
		var timeout <-chan time.Time
		stop := func() bool { return true }
		if !next.IsZero() {
			timer := s.clock.NewTimer(next.Sub(s.clock.Now()))
			timeout, stop = timer.C(), timer.Stop
		}
		select {
		case <-ctx.Done():
			stop()
			return
		case <-s.leasesChanged:
		case <-timeout:
		}
		stop()
	}
}

// endLeases ends every expired lease, and returns when the next lease expires, or zero for never.
func (s *store) endLeases() (next time.Time) {
	s.writing.Lock()
	defer s.writing.Unlock()
	now := s.clock.Now()
	for id, lease := range s.leases {
		if !lease.expires.After(now) {
			if _, err := s.revokeWriting(id); err == nil {
				continue
			}
			lease.expires = now.Add(time.Second) // the journal refused the change: try again later
		}
		if next.IsZero() || lease.expires.Before(next) {
			next = lease.expires
		}
	}
	return next
}

func (s *store) expectLeases() {
	select {
	case s.leasesChanged <- struct{}{}:
	default:
	}
}
