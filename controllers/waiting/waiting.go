// SPDX-License-Identifier: Apache-2.0

// Package waiting logs that an API is unavailable or refuses access, and that it recovers: one line at the beginning, one for
// each new reason, one a minute while it lasts, and one at the end. It reads the responses to all requests, and changes none.
package waiting

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
)

// repeatAfter is when a reason that has not changed is said again.
const repeatAfter = time.Minute

// Reporter knows what is waited for.
type Reporter struct {
	logger logr.Logger
	clock  clock.PassiveClock

	mutex sync.Mutex
	// reasons are why the last request for a resource failed, for those that did.
	reasons map[schema.GroupVersionResource]string
	// said is when the reasons of an API were last said. An API is in it until it has answered for all its resources.
	said map[schema.GroupVersion]map[string]time.Time
}

// NewReporter returns a reporter that writes to a log.
func NewReporter(logger logr.Logger, clock clock.PassiveClock) *Reporter {
	return &Reporter{
		logger:  logger,
		clock:   clock,
		reasons: map[schema.GroupVersionResource]string{},
		said:    map[schema.GroupVersion]map[string]time.Time{},
	}
}

// Reasons are what is waited for, a line for each reason, in order. There are none while all is well.
func (r *Reporter) Reasons() []string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	lines := map[string]bool{}
	for resource, reason := range r.reasons {
		lines[line(resource.GroupVersion(), reason)] = true
	}
	return slices.Sorted(maps.Keys(lines))
}

func line(api schema.GroupVersion, reason string) string {
	return fmt.Sprintf("waiting for %s: %s", api, reason)
}

func (r *Reporter) failed(resource schema.GroupVersionResource, reason string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	api := resource.GroupVersion()
	r.reasons[resource] = reason
	if r.said[api] == nil {
		r.said[api] = map[string]time.Time{}
	}
	now := r.clock.Now()
	if before, said := r.said[api][reason]; said && now.Sub(before) < repeatAfter {
		return
	}
	r.said[api][reason] = now
	r.logger.Info(line(api, reason))
}

func (r *Reporter) answered(resource schema.GroupVersionResource) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, waited := r.reasons[resource]; !waited {
		return
	}
	delete(r.reasons, resource)
	api := resource.GroupVersion()
	for other := range r.reasons {
		if other.GroupVersion() == api {
			return
		}
	}
	delete(r.said, api)
	r.logger.Info(fmt.Sprintf("%s answers", api))
}
