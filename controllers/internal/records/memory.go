// SPDX-License-Identifier: Apache-2.0

package records

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	database "goldsmith.dev/goldsmith/records"
)

// maxGone is how many objects that are gone are remembered while that cannot be recorded. An object that is remembered as it was
// takes a few KiB. What is recorded but for its deletion takes less, can be found by comparing, and has half of the room.
const maxGone = 10_000

// memory saves writes and keeps what the API has no more. Everything works without it: what it does not know is written, and
// what is gone is found by comparing.
type memory struct {
	lock sync.Mutex
	// store is the database while it is up; nil while it is not.
	store Store
	// outage is why the database is not up; nil until it was looked at for the first time.
	outage error
	// written is what was written last of each object.
	written map[types.UID]string
	// outcomes are those that were written last, by Image.
	outcomes map[types.UID]database.Outcome
	// gone are objects whose deletion is to be recorded.
	gone map[request]deletion
}

// deletion is when an object was deleted, and what it was last.
type deletion struct {
	at   time.Time
	last client.Object // as it was last, if that is to be recorded
}

func newMemory() *memory {
	return &memory{written: map[types.UID]string{}, outcomes: map[types.UID]database.Outcome{}, gone: map[request]deletion{}}
}

// database returns the database while it is up, or why it is not: nil until that is known.
func (m *memory) database() (Store, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.store, m.outage
}

// up says that the database is there. It returns false if that was known.
func (m *memory) up(store Store) (changed bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	changed = m.store == nil
	m.store, m.outage = store, nil
	return changed
}

// down records an outage of the database. It returns whether the outage has just begun, and whether its reason is new.
func (m *memory) down(why error) (first, news bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	first = m.outage == nil
	news = first || m.outage.Error() != why.Error()
	m.store, m.outage = nil, why
	return first, news
}

// wrote remembers what was written of an object.
func (m *memory) wrote(uid types.UID, version string) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.written[uid] = version
}

// has reports whether that was written last of an object.
func (m *memory) has(uid types.UID, version string) bool {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.written[uid] == version
}

// cameTo remembers the outcome that was written of an Image.
func (m *memory) cameTo(uid types.UID, outcome database.Outcome) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.outcomes[uid] = outcome
}

// lastOutcome is the outcome that was written last of an Image.
func (m *memory) lastOutcome(uid types.UID) database.Outcome {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.outcomes[uid]
}

// forgetWritten drops what is known of the database: it may be another one now.
func (m *memory) forgetWritten() {
	m.lock.Lock()
	defer m.lock.Unlock()
	clear(m.written)
	clear(m.outcomes)
}

// addDeletion remembers an object that is deleted. It returns false if there are too many already.
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

// deletionOf returns what is known of the deletion of an object: the zero value for one that is not known to be deleted.
func (m *memory) deletionOf(object request) deletion {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.gone[object]
}

// allGone are the objects whose deletion is to be recorded.
func (m *memory) allGone() []request {
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
	delete(m.outcomes, object.uid)
}
