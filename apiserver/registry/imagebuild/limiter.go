// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"weak"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/utils/lru"

	"goldsmith.dev/goldsmith/apiserver/filters"
	"goldsmith.dev/goldsmith/jobs/advisories"
)

const (
	// maxReaders is the maximum number of requests at the same time that read locks, maxReadersOfNamespace that in one namespace, and maxReadersOfUser that
	// of one user, so that all leave some to others. All but one of them wait, or their clients read the answers.
	maxReaders            = 16
	maxReadersOfNamespace = 8
	maxReadersOfUser      = 4
	// readersRetryAfter is when a client asks again after 429, in seconds.
	readersRetryAfter = 2
	// maxReadBytes is the maximum size of the locks that one request reads.
	maxReadBytes = 32 << 20
	// maxKept is about how many bytes of locks and vulnerabilities are kept for later requests.
	maxKept = 64 << 20
)

// limiter limits requests that read locks, which need much memory and time: one at a time reads locks and matches advisories. It keeps what they have
// read, so that equal requests that wait are answered without work. It is safe for concurrent use.
type limiter struct {
	turn chan struct{} // has one place

	mu       sync.Mutex // guards all below
	readers  map[share]int
	kept     *lru.Cache
	size     int
	matched  []weak.Pointer[advisories.Set] // the advisories of all vulnerabilities that are kept
	revision int                            // of matched
}

func newLimiter() *limiter {
	l := &limiter{turn: make(chan struct{}, 1), readers: map[share]int{}}
	l.kept = lru.NewWithEvictionFunc(1<<20, func(_ lru.Key, value any) { l.size -= value.(*keptAnswer).size }) //nolint:forcetypeassert // has no others
	return l
}

// keptAnswer is a lock, or vulnerabilities, and about how many bytes it has.
type keptAnswer struct {
	value any
	size  int
}

// share is whose requests are counted, and how many of them there may be.
type share struct {
	of   string
	most int
}

// admit admits a request, which calls leave once its client has the answer. It answers 429 if there are too many.
func (l *limiter) admit(ctx context.Context) (leave func(), _ error) {
	shares := []share{{"the server", maxReaders}, {"namespace " + apirequest.NamespaceValue(ctx), maxReadersOfNamespace}}
	if owner := filters.OwnerOf(ctx); owner != "" {
		shares = append(shares, share{"user " + owner, maxReadersOfUser})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, share := range shares {
		if l.readers[share] >= share.most {
			return nil, apierrors.NewTooManyRequests(fmt.Sprintf("%s has %d requests for packages and vulnerabilities at the same time: ask again later",
				share.of, share.most), readersRetryAfter)
		}
	}
	for _, share := range shares {
		l.readers[share]++
	}
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, share := range shares {
			if l.readers[share]--; l.readers[share] == 0 {
				delete(l.readers, share)
			}
		}
	}), nil
}

// serve admits a request until its end, when the client has read the answer, and calls work while no other request works.
func (l *limiter) serve(ctx context.Context, work func() error) error {
	leave, err := l.admit(ctx)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, leave)
	return l.alone(ctx, work)
}

// alone calls work while no other request works.
func (l *limiter) alone(ctx context.Context, work func() error) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return work()
}

// remember returns the value with a key: what is kept or, else, what get returns with its size, which it keeps. Kept values are shared, and never changed.
func remember[T any](l *limiter, key string, get func() (value T, size int, err error)) (T, error) {
	l.mu.Lock()
	found, ok := l.kept.Get(key)
	l.mu.Unlock()
	if ok {
		return found.(*keptAnswer).value.(T), nil //nolint:forcetypeassert // a key has values of one type
	}
	value, size, err := get()
	if err != nil || size > maxKept {
		return value, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept.Remove(key)
	l.kept.Add(key, &keptAnswer{value, size})
	for l.size += size; l.size > maxKept; {
		l.kept.RemoveOldest()
	}
	return value, nil
}

// revisionOf returns a number that tells advisories apart from those of earlier requests.
func (l *limiter) revisionOf(sets []*advisories.Set) int {
	current := make([]weak.Pointer[advisories.Set], len(sets))
	for i, set := range sets {
		current[i] = weak.Make(set)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(current, l.matched) {
		l.matched = current
		l.revision++
	}
	return l.revision
}
