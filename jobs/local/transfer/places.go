// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"sync"
)

const (
	// maxSources is how many sources are fetched at the same time. Each fetch needs memory of this process, up to 128 MiB for usual repositories.
	maxSources = 4
	// maxSourcesOfNamespace is how many of them are those of one namespace, so that its slow servers do not delay the builds of others.
	maxSourcesOfNamespace = 2
)

// places limit how many sources are fetched at the same time.
type places struct {
	mu    sync.Mutex
	taken map[string]int // by namespace
	all   int
	freed chan struct{} // closed when a place becomes free
}

// take waits for a place. The caller calls free in the end.
func (p *places) take(ctx context.Context, namespace string) (free func(), err error) {
	for {
		p.mu.Lock()
		if p.all < maxSources && p.taken[namespace] < maxSourcesOfNamespace {
			p.all++
			p.taken[namespace]++
			p.mu.Unlock()
			return func() { p.free(namespace) }, nil
		}
		freed := p.freed
		p.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *places) free(namespace string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if p.taken[namespace]--; p.taken[namespace] == 0 {
		delete(p.taken, namespace)
	}
	close(p.freed)
	p.freed = make(chan struct{})
}
