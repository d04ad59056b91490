// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Ledger is a queue whose builds come from a cache, which may be older than the stored objects. An admitted build holds its
// slot until a newer version of the build is known, or the build is released. So limits hold before the write that starts the
// build is done and the cache has it. A Ledger is not safe for concurrent use.
type Ledger struct {
	queue  *Queue
	builds map[Key]*record
}

// record is what the ledger knows of a build beyond its place in the queue.
type record struct {
	uid     types.UID
	version string // the newest one known
	held    bool   // admitted, and not known to be stored
	unsure  bool   // a write that starts it may still arrive after it seemed to fail
}

// NewLedger makes an empty ledger.
func NewLedger(limits Limits) *Ledger {
	return &Ledger{queue: New(limits), builds: map[Key]*record{}}
}

// SetNamespace sets the share of a namespace.
func (l *Ledger) SetNamespace(name string, share Share) { l.queue.SetNamespace(name, share) }

// Waiting is how many builds wait.
func (l *Ledger) Waiting() int { return l.queue.Waiting() }

// Observe takes a build from the cache, and reports whether that released a held slot. It must be called for each change of
// the cache, in their order.
func (l *Ledger) Observe(build *v1alpha1.ImageBuild) (settled bool) {
	key := keyOf(build)
	known := l.builds[key]
	if known != nil && newer(known.version, build.ResourceVersion) {
		return false
	}
	held := known != nil && known.held
	view, takesPart := FromBuild(build)
	switch {
	case !takesPart:
		delete(l.builds, key)
		l.queue.Remove(key)
		return held
	case known == nil:
		l.builds[key] = &record{uid: build.UID, version: build.ResourceVersion}
		l.queue.Set(view)
		return false
	}
	l.update(known, build, view)
	return held && !known.held
}

// ObserveAPI takes a build that was read from the API or written to it, and reports whether that released a held slot. It does
// nothing if the cache does not have the build yet, or has reported its deletion.
func (l *Ledger) ObserveAPI(build *v1alpha1.ImageBuild) (settled bool) {
	known := l.builds[keyOf(build)]
	if known == nil || known.uid != build.UID || !newer(build.ResourceVersion, known.version) {
		return false
	}
	held := known.held
	if view, takesPart := FromBuild(build); takesPart {
		l.update(known, build, view)
	} else {
		*known = record{uid: known.uid, version: build.ResourceVersion} // kept until the cache has the same version
		l.queue.Remove(keyOf(build))
	}
	return held
}

// update takes a version that is not older than the one known.
func (l *Ledger) update(known *record, build *v1alpha1.ImageBuild, view Build) {
	if known.uid == build.UID && known.version == build.ResourceVersion {
		return
	}
	// A write that starts the build from an older version will be refused.
	*known = record{uid: build.UID, version: build.ResourceVersion}
	l.queue.Set(view)
}

// Forget removes a build whose deletion the cache has reported.
func (l *Ledger) Forget(key Key, uid types.UID) {
	if known := l.builds[key]; known != nil && known.uid == uid {
		delete(l.builds, key)
		l.queue.Remove(key)
	}
}

// HasVersion reports whether the ledger has a build, in this or a newer version.
func (l *Ledger) HasVersion(key Key, uid types.UID, version string) bool {
	known := l.builds[key]
	return known != nil && known.uid == uid && !newer(version, known.version)
}

// Has reports whether the cache has a build.
func (l *Ledger) Has(key Key, uid types.UID) bool {
	known := l.builds[key]
	return known != nil && known.uid == uid
}

// Admit admits all builds that can be admitted now, in their order, and returns them. Each holds its slot.
func (l *Ledger) Admit(now time.Time) (admitted []Key) {
	for {
		key, ok := l.queue.Next(now)
		if !ok {
			return admitted
		}
		l.set(key, Active)
		l.builds[key].held = true
		admitted = append(admitted, key)
	}
}

// Admission returns whether a build was admitted and, if not, what it waits for.
func (l *Ledger) Admission(key Key) (admitted bool, why string) {
	build, ok := l.queue.Find(key)
	if ok && build.State == Active {
		return true, ""
	}
	return false, l.queue.Why(key)
}

// MarkUncertain notes that a write which seemed to fail may have started a build: it holds its slot until a newer version of it
// is known.
func (l *Ledger) MarkUncertain(key Key) {
	if known := l.builds[key]; known != nil && known.held {
		known.unsure = true
	}
}

// Release takes the slot from a build that was not started and is not about to be. The build is skipped until Wake is called.
func (l *Ledger) Release(key Key) {
	known := l.builds[key]
	if known == nil || !known.held || known.unsure {
		return
	}
	known.held = false
	l.set(key, Resting)
}

// Resume lets a released build wait for its admission again.
func (l *Ledger) Resume(key Key) {
	if build, ok := l.queue.Find(key); ok && build.State == Resting {
		l.set(key, Waiting)
	}
}

func (l *Ledger) set(key Key, state State) {
	build, _ := l.queue.Find(key) // it was found there
	build.State = state
	l.queue.Set(build)
}

func keyOf(build *v1alpha1.ImageBuild) Key {
	return Key{Namespace: build.Namespace, Name: build.Name}
}

// newer reports whether one version is known to be newer than another.
func newer(version, than string) bool {
	order, err := resourceversion.CompareResourceVersion(version, than)
	return err == nil && order > 0
}
