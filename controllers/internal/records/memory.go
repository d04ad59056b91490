// SPDX-License-Identifier: Apache-2.0

package records

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	database "goldsmith.dev/goldsmith/records"
)

// maxGone is how many deleted objects are remembered while their deletion cannot be recorded. An object with its last state
// takes a few KiB. A deletion without the last state takes less and can be found by comparing, so these get only half of the
// room.
const maxGone = 10_000

// memory saves writes, and keeps deleted objects. The controller works without it: unknown objects are written again, and
// deletions are found by comparing.
type memory struct {
	lock sync.Mutex
	// store is the database while it is up; nil while it is not.
	store Store
	// outage is why the database is not up. It is nil until the first check.
	outage error
	// written is what was written last of each object.
	written map[types.UID]written
	// gone are objects whose deletion is to be recorded.
	gone map[request]deletion
}

// written is what was written last of an object.
type written struct {
	version   string
	outcome   database.Outcome // of an Image
	namespace types.UID
}

// deletion is when an object was deleted, and its last state.
type deletion struct {
	at   time.Time
	last client.Object // the last state, if it is not recorded yet
}

func newMemory() *memory {
	return &memory{written: map[types.UID]written{}, gone: map[request]deletion{}}
}

// database returns the database while it is up, or else the outage. Both are nil before the first check.
func (m *memory) database() (Store, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.store, m.outage
}

// markUp records that the database is up. It returns false if the database was up before.
func (m *memory) markUp(store Store) (changed bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	changed = m.store == nil
	m.store, m.outage = store, nil
	return changed
}

// markDown records an outage of the database. It returns whether the outage has just begun, and whether its reason is new.
func (m *memory) markDown(why error) (first, news bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	first = m.outage == nil
	news = first || m.outage.Error() != why.Error()
	m.store, m.outage = nil, why
	return first, news
}

// updateWritten changes what was written last of an object.
func (m *memory) updateWritten(uid types.UID, change func(*written)) {
	m.lock.Lock()
	defer m.lock.Unlock()
	last := m.written[uid]
	change(&last)
	m.written[uid] = last
}

// wroteVersion remembers the written version of an object.
func (m *memory) wroteVersion(uid types.UID, version string) {
	m.updateWritten(uid, func(last *written) { last.version = version })
}

// last returns what was written last of an object.
func (m *memory) last(uid types.UID) written {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.written[uid]
}

// forgetWritten drops what was written, because the database may have been replaced.
func (m *memory) forgetWritten() {
	m.lock.Lock()
	defer m.lock.Unlock()
	clear(m.written)
}

// addDeletion remembers a deleted object. It returns false if there are too many already.
func (m *memory) addDeletion(object request, end deletion) bool {
	m.lock.Lock()
	defer m.lock.Unlock()
	room := maxGone
	if end.last == nil {
		room /= 2
	}
	if _, known := m.gone[object]; !known && len(m.gone) >= room {
		return false
	}
	m.gone[object] = end
	return true
}

// deletionOf returns the deletion of an object, or the zero value if it is unknown.
func (m *memory) deletionOf(object request) deletion {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.gone[object]
}

// pendingDeletions are the objects whose deletion is to be recorded.
func (m *memory) pendingDeletions() []request {
	m.lock.Lock()
	defer m.lock.Unlock()
	var all []request
	for object := range m.gone {
		all = append(all, object)
	}
	return all
}

// forget drops an object whose deletion is recorded.
func (m *memory) forget(object request) {
	m.lock.Lock()
	defer m.lock.Unlock()
	delete(m.gone, object)
	delete(m.written, object.uid)
}
