// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/render"
)

const (
	maxChecks      = render.MaxSourceChecks
	maxOfNamespace = render.MaxSourceChecksOfNamespace
	// kept is the share of both that is kept for checks that a build waits for: one of so many.
	kept = 5
	// crowded is when a check without a place asks again, if few others wait. Each maxChecks that wait in its namespace make it as much longer, and so do
	// ten times as many anywhere.
	crowded = 2 * time.Second
	// crowdedBuild is when a check without a place asks again that a build waits for.
	crowdedBuild = time.Second
	// overdue is how long after its limit a place is free whose Image was deleted.
	overdue = time.Minute
)

// place is the place of a check that runs or waits.
type place struct {
	namespace string
	until     time.Time
	// job is the UID of the Job that this process has created, or compared with what it renders.
	job types.UID
}

// places limit how many checks run at the same time. They are reserved before the number of a check is stored. They are safe for concurrent use.
type places struct {
	mu       sync.Mutex
	recalled bool                // whether the checks of an earlier process have places
	taken    map[types.UID]place // by the UID of the Image
	waiting  map[types.UID]place // until when an Image without a place counts, unless it asks again
}

func newPlaces() *places {
	return &places{taken: map[types.UID]place{}, waiting: map[types.UID]place{}}
}

// recall reserves places for the checks that an earlier process began, once, whatever the limits. Later checks begin in this process, which is the only
// one that leads.
func (p *places) recall(running func() ([]v1alpha1.Image, error), now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.recalled {
		return nil
	}
	images, err := running()
	if err != nil {
		return err
	}
	for i := range images {
		p.take(&images[i], now)
	}
	p.recalled = true
	return nil
}

// reserve reserves a place for a check that begins now. A build waits for an urgent check. Without a place, wait is when to ask again.
func (p *places) reserve(image *v1alpha1.Image, urgent bool, now time.Time) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(now)
	running, ofNamespace := others(p.taken, image)
	all, most := maxChecks, maxOfNamespace
	if !urgent {
		all, most = all-all/kept, most-most/kept
	}
	if running < all && ofNamespace < most {
		p.take(image, now)
		return 0
	}
	wait = crowdedBuild
	if !urgent {
		waiting, beside := others(p.waiting, image)
		wait = reconciliation.Spread(crowded*time.Duration(maxChecks+beside+waiting/10)/maxChecks, image.UID)
	}
	p.waiting[image.UID] = place{namespace: image.Namespace, until: now.Add(2 * wait)}
	return wait
}

// others counts the places of other Images, and those in the namespace of an Image.
func others(places map[types.UID]place, image *v1alpha1.Image) (all, ofNamespace int) {
	for uid, of := range places {
		if uid == image.UID {
			continue
		}
		all++
		if of.namespace == image.Namespace {
			ofNamespace++
		}
	}
	return all, ofNamespace
}

// hold reserves a place for a check that has begun, whatever the limits.
func (p *places) hold(image *v1alpha1.Image, began time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.take(image, began)
}

// take keeps the Job of a place.
func (p *places) take(image *v1alpha1.Image, began time.Time) {
	p.taken[image.UID] = place{image.Namespace, began.Add(jobLimit + overdue), p.taken[image.UID].job}
	delete(p.waiting, image.UID)
}

// free ends a reservation.
func (p *places) free(image types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, image)
	delete(p.waiting, image)
}

// forget ends the reservations of Images that were deleted.
func (p *places) forget(now time.Time) {
	over := func(_ types.UID, of place) bool { return of.until.Before(now) }
	maps.DeleteFunc(p.taken, over)
	maps.DeleteFunc(p.waiting, over)
}

// know records the Job of a place.
func (p *places) know(image, job types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if of, is := p.taken[image]; is {
		of.job = job
		p.taken[image] = of
	}
}

// knows reports whether a Job is that of a place.
func (p *places) knows(image, job types.UID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken[image].job == job
}
