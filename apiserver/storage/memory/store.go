// SPDX-License-Identifier: Apache-2.0

package memory

import (
	"math"
	"slices"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"k8s.io/utils/clock"
	"k8s.io/utils/third_party/forked/golang/btree"
)

// store keeps the versions of keys since the last compaction, and the order in which they came.
//
// A stored version never changes, so responses share it. A deletion is a version whose field Version is 0.
type store struct {
	clock   clock.WithTicker
	journal Journal

	// writing is held for a whole write, and mutex only while the write becomes visible, so that reads do not wait for the
	// journal. The fields that mutex guards are changed only with both held, so the holder of writing may read them without
	// mutex.
	writing sync.Mutex
	mutex   sync.RWMutex

	keys     *btree.BTree[*history]
	log      []event // by revision
	revision int64
	// compacted is the oldest revision that can be read, oldestEvent the oldest that can be watched from.
	compacted, oldestEvent int64
	bytes                  int64
	watchers               map[*watcher]struct{}
	leases                 map[int64]*lease
	// leasesChanged wakes up the goroutine that waits for the next lease to expire.
	leasesChanged chan struct{}
}

// history are the versions of a key since the last compaction, oldest first.
type history struct {
	key      string
	versions []*mvccpb.KeyValue
}

// event is a version and the version that it replaced, which is nil if there was none.
type event struct {
	current, previous *mvccpb.KeyValue
}

// treeDegree is the degree of etcd's own index.
const treeDegree = 32

func newStore(clock clock.WithTicker, journal Journal, content Content) *store {
	s := &store{
		clock:         clock,
		journal:       journal,
		keys:          btree.New(treeDegree, func(a, b *history) bool { return a.key < b.key }),
		revision:      max(content.Revision, 1), // as an empty etcd
		watchers:      map[*watcher]struct{}{},
		leases:        map[int64]*lease{},
		leasesChanged: make(chan struct{}, 1),
	}
	if content.Revision > 0 {
		// A revision without events, so that a watch can begin at the current revision, as k8s.io/apiserver's compactor does.
		s.compacted, s.oldestEvent = s.revision, s.revision+1
		s.revision++
	}
	for _, version := range content.Keys {
		s.keys.ReplaceOrInsert(&history{key: string(version.GetKey()), versions: []*mvccpb.KeyValue{version}})
		s.bytes += size(version)
	}
	return s
}

// at returns the version of a key at a revision, or nil if it did not exist then.
func (h *history) at(revision int64) *mvccpb.KeyValue {
	for _, version := range slices.Backward(h.versions) {
		if version.GetModRevision() <= revision {
			if deleted(version) {
				return nil
			}
			return version
		}
	}
	return nil
}

func deleted(version *mvccpb.KeyValue) bool { return version.GetVersion() == 0 }

func size(version *mvccpb.KeyValue) int64 {
	return int64(len(version.GetKey()) + len(version.GetValue()))
}

// current returns the current version of a key, or nil.
func (s *store) current(key []byte) *mvccpb.KeyValue {
	if found, ok := s.keys.Get(&history{key: string(key)}); ok {
		return found.at(math.MaxInt64)
	}
	return nil
}

// ascend calls visit for the keys of [key, end), in order, until visit returns false. An empty end means only the key itself,
// and the end "\x00" means all following keys.
func (s *store) ascend(key, end []byte, visit func(*history) bool) {
	first := &history{key: string(key)}
	switch {
	case len(end) == 0:
		if found, ok := s.keys.Get(first); ok {
			visit(found)
		}
	case openEnd(end):
		s.keys.AscendGreaterOrEqual(first, visit)
	default:
		s.keys.AscendRange(first, &history{key: string(end)}, visit)
	}
}

// openEnd reports whether a range has no end.
func openEnd(end []byte) bool { return len(end) == 1 && end[0] == 0 }

// commit stores changes as one revision: first in the journal, then visible for all readers. The caller holds writing.
func (s *store) commit(changes []*mvccpb.KeyValue) error {
	if len(changes) == 0 {
		return nil
	}
	revision := s.revision + 1
	events := make([]event, len(changes))
	for i, change := range changes {
		previous := s.current(change.GetKey())
		events[i] = event{current: change, previous: previous}
		change.ModRevision = revision
		switch {
		case change.GetVersion() == 0:
		case previous == nil:
			change.CreateRevision, change.Version = revision, 1
		default:
			change.CreateRevision, change.Version = previous.GetCreateRevision(), previous.GetVersion()+1
		}
	}
	if s.journal != nil {
		if err := s.journal.Commit(revision, changes); err != nil {
			return err
		}
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.revision = revision
	for _, event := range events {
		s.apply(event)
	}
	s.notify(events)
	return nil
}

// apply adds a version to its key, to the log and to its lease.
func (s *store) apply(event event) {
	version := event.current
	found, ok := s.keys.Get(&history{key: string(version.GetKey())})
	if !ok {
		found = &history{key: string(version.GetKey())}
		s.keys.ReplaceOrInsert(found)
	}
	found.versions = append(found.versions, version)
	s.log = append(s.log, event)
	s.bytes += size(version)
	if previous := s.leases[event.previous.GetLease()]; previous != nil {
		delete(previous.keys, found.key)
	}
	if attached := s.leases[version.GetLease()]; attached != nil {
		attached.keys[found.key] = struct{}{}
	}
}
