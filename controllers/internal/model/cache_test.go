// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"slices"
)

// deliver brings up to n changes of a kind into its cache.
func (p *process) deliver(kind, n int) {
	switch kind {
	case 0:
		deliver(&p.imageCache, n, p.imageNews)
	case 1:
		deliver(&p.buildCache, n, p.buildNews)
	case 2:
		deliver(&p.jobCache, n, p.jobNews)
	case 3:
		deliver(&p.podCache, n, p.podNews)
	}
	p.catchUp()
}

// catchUp opens the queue once the cache has each build that has not finished as it was stored when the process began.
func (p *process) catchUp() {
	if p.open {
		return
	}
	for _, build := range p.behind {
		if cached, ok := p.buildCache.get(build.Name); ok && cached.UID == build.UID && !olderVersion(cached.ResourceVersion, build.ResourceVersion) {
			continue
		}
		if live, ok := p.builds.get(build.Name); ok && live.UID == build.UID {
			return
		}
	}
	p.open = true
	p.admit("")
}

func deliver[T stored](c *cache[T], n int, handle func(change[T])) {
	for ; n > 0 && c.at < len(c.table.log); n-- {
		news := c.table.log[c.at]
		c.at++
		if !deliverable(c, &news) {
			continue
		}
		c.take(news)
		handle(news)
	}
}

// deliverable relates a change to the object that the cache has. The cache may lack a change that was lost.
func deliverable[T stored](c *cache[T], news *change[T]) bool {
	var none T
	name := ""
	if news.is != none {
		name = news.is.GetName()
	} else {
		name = news.was.GetName()
	}
	known, ok := c.get(name)
	if !ok {
		known = none
	}
	news.was = known
	return ok || news.is != none
}

// lose skips a change of a kind: until a relist, the cache knows it only from a later one.
func (p *process) lose(kind int) {
	switch kind {
	case 0:
		lose(&p.imageCache)
	case 1:
		lose(&p.buildCache)
	case 2:
		lose(&p.jobCache)
	case 3:
		lose(&p.podCache)
	}
}

func lose[T stored](c *cache[T]) {
	if c.at < len(c.table.log) {
		c.at++
	}
}

// repeat tells the handlers of a kind again what its cache has.
func (p *process) repeat(kind int) {
	switch kind {
	case 0:
		repeat(&p.imageCache, p.imageNews)
	case 1:
		repeat(&p.buildCache, p.buildNews)
	case 2:
		repeat(&p.jobCache, p.jobNews)
	case 3:
		repeat(&p.podCache, p.podNews)
	}
}

func repeat[T stored](c *cache[T], handle func(change[T])) {
	for _, known := range c.all {
		handle(change[T]{was: known, is: known})
	}
}

// relist fills all caches from the API, and passes the differences to the handlers.
func (p *process) relist() {
	relist(&p.imageCache, p.imageNews)
	relist(&p.buildCache, p.buildNews)
	relist(&p.jobCache, p.jobNews)
	relist(&p.podCache, p.podNews)
	p.deliver(1, 0)
}

func relist[T stored](c *cache[T], handle func(change[T])) {
	before := c.all
	c.at, c.all = len(c.table.log), slices.Clone(c.table.all)
	for _, object := range before {
		if _, ok := c.get(object.GetName()); !ok {
			handle(change[T]{was: object})
		}
	}
	for _, object := range c.all {
		news := change[T]{is: object}
		for _, known := range before {
			if known.GetName() == object.GetName() {
				news.was = known
			}
		}
		handle(news)
	}
}
