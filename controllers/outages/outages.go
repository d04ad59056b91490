// SPDX-License-Identifier: Apache-2.0

// Package outages logs that an API is unavailable or refuses access, and that it recovers: one line at the beginning, one for
// each new reason, one a minute while it lasts, and one at the end. It reads the responses to all requests, and changes none.
package outages

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

// repeatAfter is the interval at which an unchanged reason is logged again.
const repeatAfter = time.Minute

// Monitor knows which APIs are unavailable or refuse access, and why.
type Monitor struct {
	logger logr.Logger
	clock  clock.PassiveClock

	mutex sync.Mutex
	// reasons are why the last request for a resource failed. Only resources whose last request failed are in it.
	reasons map[schema.GroupVersionResource]string
	// logged is when each reason was last logged, by API. An API is deleted from it when requests for all its resources succeed.
	logged map[schema.GroupVersion]map[string]time.Time
}

// NewMonitor returns a monitor that writes to a log.
func NewMonitor(logger logr.Logger, clock clock.PassiveClock) *Monitor {
	return &Monitor{
		logger:  logger,
		clock:   clock,
		reasons: map[schema.GroupVersionResource]string{},
		logged:  map[schema.GroupVersion]map[string]time.Time{},
	}
}

// Reasons returns a sorted line for each reason, or nothing while every API answers.
func (m *Monitor) Reasons() []string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	lines := map[string]bool{}
	for resource, reason := range m.reasons {
		lines[line(resource.GroupVersion(), reason)] = true
	}
	return slices.Sorted(maps.Keys(lines))
}

func line(api schema.GroupVersion, reason string) string {
	return fmt.Sprintf("waiting for %s: %s", api, reason)
}

func (m *Monitor) recordFailure(resource schema.GroupVersionResource, reason string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	api := resource.GroupVersion()
	m.reasons[resource] = reason
	if m.logged[api] == nil {
		m.logged[api] = map[string]time.Time{}
	}
	now := m.clock.Now()
	if before, said := m.logged[api][reason]; said && now.Sub(before) < repeatAfter {
		return
	}
	m.logged[api][reason] = now
	m.logger.Info(line(api, reason))
}

func (m *Monitor) recordAnswer(resource schema.GroupVersionResource) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if _, waited := m.reasons[resource]; !waited {
		return
	}
	delete(m.reasons, resource)
	api := resource.GroupVersion()
	for other := range m.reasons {
		if other.GroupVersion() == api {
			return
		}
	}
	delete(m.logged, api)
	m.logger.Info(fmt.Sprintf("%s answers", api))
}
