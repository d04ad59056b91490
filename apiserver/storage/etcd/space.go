// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/storage/mvcc"
)

const (
	// DefaultQuota is the maximum size of all objects, in bytes.
	DefaultQuota = 4 << 30

	// reserve is the least that the database can exceed the quota by, in bytes. It is for the writes that end a deletion, and for
	// old versions that are not dropped yet.
	reserve = 64 << 20
	// slack is how much the database grows before old versions are dropped, in bytes. A larger database doubles.
	slack = 16 << 20
	// recent is how long old versions are kept although the database grows fast.
	recent = 10 * time.Second

	// settlingCommits is after how many commits the pages that a compaction freed are counted. Reads may keep them for a while.
	settlingCommits = 3

	spaceInterval           = 100 * time.Millisecond
	blockedInterval         = time.Second // between attempts to free space while writes are refused
	defragmentationInterval = 2 * time.Second
)

// hardQuota is the size of the file at which etcd itself refuses writes, deletions excepted.
func hardQuota(quota int64) int64 { return quota + max(quota/16, reserve) }

// FullError means that the stored objects have reached the quota, so that new ones are refused.
type FullError struct {
	// Used and Quota are sizes in bytes.
	Used, Quota int64
}

// Error says what is full, and what frees it.
func (e *FullError) Error() string {
	return fmt.Sprintf("the database is full: objects use %d of %d MiB: delete images or builds; space is freed within seconds", e.Used>>20, e.Quota>>20)
}

// space keeps the database small. It drops old versions when they use as much as the objects, defragments the file when a third of
// it is free, and disarms the alarm with which etcd refuses writes.
type space struct {
	etcd  *etcdserver.EtcdServer
	quota int64

	kept         int64     // the least that was in use since the last compaction, in bytes
	uncounted    int       // commits until the pages that the last compaction freed are counted
	compacted    time.Time // when the last compaction was tried
	defragmented time.Time // when the last defragmentation was tried
	samples      []sample  // oldest first: the first is as old as recent, once there is one

	mutex   sync.Mutex
	full    *FullError
	changed chan struct{} // closed when full changes
}

// sample is the revision at a time.
type sample struct {
	at       time.Time
	revision int64
}

func newSpace(etcd *etcdserver.EtcdServer, quota int64) *space {
	return &space{etcd: etcd, quota: quota, changed: make(chan struct{})}
}

// keep checks the database until ctx is done.
func (s *space) keep(ctx context.Context) {
	ticker := time.NewTicker(spaceInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			s.remember(now)
			s.check(ctx, now, s.oldRevision(now))
		}
	}
}

// remember samples the revision once a second.
func (s *space) remember(now time.Time) {
	if n := len(s.samples); n > 0 && now.Sub(s.samples[n-1].at) < time.Second {
		return
	}
	s.samples = append(s.samples, sample{now, s.etcd.KV().Rev()})
	for len(s.samples) > 1 && now.Sub(s.samples[1].at) >= recent {
		s.samples = s.samples[1:]
	}
}

// oldRevision is a revision that is at least as old as recent, or 0.
func (s *space) oldRevision(now time.Time) int64 {
	if len(s.samples) > 0 && now.Sub(s.samples[0].at) >= recent {
		return s.samples[0].revision
	}
	return 0
}

// check frees what it can, if there is a reason to. It drops the versions before a revision and, if space is scarce, all old
// versions. It reports no failure: etcd stops then, or the next check succeeds.
func (s *space) check(ctx context.Context, now time.Time, revision int64) {
	if s.uncounted > 0 {
		s.uncounted--
		s.commit()
	}
	alarms, used := s.alarms(), s.etcd.Backend().SizeInUse()
	s.kept = min(s.kept, used) // versions also expire
	blocked := len(alarms) > 0 || s.Full() != nil
	scarce := blocked || used > s.scarceFrom()
	if scarce {
		revision = s.etcd.KV().Rev()
	}
	if used > s.limit() || blocked && now.Sub(s.compacted) >= blockedInterval {
		s.compacted = now
		if err := s.compact(ctx, revision); err != nil {
			return
		}
		s.kept = s.etcd.Backend().SizeInUse()
	}
	s.defragment(now, len(alarms) > 0)
	s.disarm(ctx, alarms)
	switch {
	case scarce && s.kept >= s.quota || len(s.alarms()) > 0:
		s.setFull(&FullError{Used: s.kept, Quota: s.quota})
	case s.kept < s.quota-s.quota/32: // the next few writes must not fill it again
		s.setFull(nil)
	}
}

// scarceFrom is the size in use from which no old version is kept.
func (s *space) scarceFrom() int64 { return s.quota / 4 * 3 }

// limit is the size in use at which old versions are dropped.
func (s *space) limit() int64 {
	limit := s.kept + max(s.kept, slack)
	if limit > s.scarceFrom() {
		limit = max(s.scarceFrom(), s.kept+s.quota/32)
	}
	return limit
}

func (s *space) alarms() []*pb.AlarmMember {
	return slices.DeleteFunc(s.etcd.Alarms(), func(a *pb.AlarmMember) bool { return a.GetAlarm() != pb.AlarmType_NOSPACE })
}

// compact drops the versions that were replaced before a revision.
func (s *space) compact(ctx context.Context, revision int64) error {
	_, err := s.etcd.Compact(ctx, &pb.CompactionRequest{Revision: revision, Physical: true})
	if err != nil && !errors.Is(err, mvcc.ErrCompacted) {
		return err
	}
	s.commit()
	s.uncounted = settlingCommits
	return nil
}

// commit makes etcd count the pages that are free. A commit needs a write: this one changes nothing.
func (s *space) commit() {
	backend := s.etcd.Backend()
	backend.ForceCommit()
	write := backend.BatchTx()
	write.LockOutsideApply()
	if finished, found := mvcc.UnsafeReadFinishedCompact(write); found {
		mvcc.UnsafeSetFinishedCompact(write, finished)
	}
	write.Unlock()
	backend.ForceCommit()
}

// defragment writes the file anew if a third of it is free, or any of it after an alarm. Requests wait meanwhile. The copy needs
// space on the disk.
func (s *space) defragment(now time.Time, anyFree bool) {
	backend := s.etcd.Backend()
	size, used := backend.Size(), backend.SizeInUse()
	thirdFree := size >= slack && size >= used/2*3
	if !thirdFree && (!anyFree || size == used) || now.Sub(s.defragmented) < defragmentationInterval {
		return
	}
	s.defragmented = now
	var disk syscall.Statfs_t
	if err := syscall.Statfs(s.etcd.Cfg.DataDir, &disk); err == nil && int64(disk.Bavail)*disk.Bsize < used+slack { //nolint:gosec // a disk has fewer bytes
		return
	}
	_ = backend.Defrag() // after a failure, the file is as it was
}

// disarm ends the refusal of writes if the file is smaller than the quota of objects, so that etcd does not refuse them again at once.
func (s *space) disarm(ctx context.Context, alarms []*pb.AlarmMember) {
	if s.etcd.Backend().Size() >= hardQuota(s.quota)-reserve/2 {
		return
	}
	for _, alarm := range alarms {
		// An alarm that remains is seen by the next check.
		_, _ = s.etcd.Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: alarm.GetMemberID(), Alarm: alarm.GetAlarm()})
	}
}

// Full is the error of a full database, or nil.
func (s *space) Full() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.full == nil {
		return nil
	}
	return s.full
}

func (s *space) setFull(full *FullError) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if (full == nil) != (s.full == nil) {
		close(s.changed)
		s.changed = make(chan struct{})
	}
	s.full = full
}

// follow calls changed with the error of a full database when it becomes full, and with nil when it no longer is, until ctx is
// done. It is called at once for a database that is full already.
func (s *space) follow(ctx context.Context, changed func(error)) {
	for before := error(nil); ; {
		s.mutex.Lock()
		next := s.changed
		s.mutex.Unlock()
		if full := s.Full(); (full == nil) != (before == nil) {
			before = full
			changed(full)
		}
		select {
		case <-ctx.Done():
			return
		case <-next:
		}
	}
}
