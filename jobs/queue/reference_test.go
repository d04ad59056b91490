// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/jobs/queue"
)

// reference implements the documented rules of the queue, without regard for speed: each call considers all builds. The queue, and its
// forecast, are compared with it.
type reference struct {
	limits queue.Limits
	shares map[string]queue.Share
	builds []queue.Build
}

func (r *reference) next(now time.Time) (queue.Key, bool) {
	var admissible []queue.Build
	for _, build := range r.builds {
		if build.State == queue.Waiting && r.imageLets(build) && r.limitsLet(build) {
			admissible = append(admissible, build)
		}
	}
	if len(admissible) == 0 {
		return queue.Key{}, false
	}
	return slices.MinFunc(admissible, func(a, b queue.Build) int {
		if r.goesFirst(a, b, admissible, now) {
			return -1
		}
		return 1
	}).Key, true
}

// forecast admits and ends builds until none waits, or none can be admitted, and returns their names and times. Active builds have started
// at epoch.
func (r *reference) forecast(now time.Time, durations map[string]time.Duration) (places []string) {
	rest := reference{limits: r.limits, shares: r.shares, builds: slices.Clone(r.builds)}
	ends := map[queue.Key]time.Time{}
	for _, build := range rest.builds {
		if end := epoch.Add(durations[build.Name]); build.State == queue.Active {
			ends[build.Key] = slices.MaxFunc([]time.Time{now, end}, time.Time.Compare)
		}
	}
	for {
		if key, ok := rest.next(now); ok {
			at := slices.IndexFunc(rest.builds, func(b queue.Build) bool { return b.Key == key })
			rest.builds[at].State = queue.Active
			ends[key] = now.Add(durations[key.Name])
			places = append(places, fmt.Sprintf("%s %s", key, now))
			continue
		}
		if len(ends) == 0 {
			break
		}
		ended := slices.MinFunc(slices.Collect(maps.Keys(ends)), func(a, b queue.Key) int {
			return cmp.Or(ends[a].Compare(ends[b]), strings.Compare(a.String(), b.String()))
		})
		now = ends[ended]
		delete(ends, ended)
		rest.builds = slices.DeleteFunc(rest.builds, func(b queue.Build) bool { return b.Key == ended })
	}
	slices.SortFunc(rest.builds, func(a, b queue.Build) int {
		if elder(a, b) {
			return -1
		}
		return 1
	})
	for _, build := range rest.builds {
		places = append(places, fmt.Sprintf("%s %s", build.Key, time.Time{}))
	}
	return places
}

func (r *reference) imageLets(build queue.Build) bool {
	return !build.Serial || !slices.ContainsFunc(r.builds, func(other queue.Build) bool {
		return other.Image == build.Image && other.Key != build.Key && (other.State == queue.Active || other.Number < build.Number)
	})
}

func (r *reference) limitsLet(build queue.Build) bool {
	if build.External {
		return true
	}
	if r.limits.Builds > 0 && r.reached(r.limits.Builds, "", false) {
		return false
	}
	if limit := r.limits.Automatic; build.Automatic && limit > 0 && r.reached(limit, "", true) {
		return false
	}
	if limit := r.limits.AutomaticPerNamespace; build.Automatic && limit > 0 && r.reached(limit, build.Namespace, true) {
		return false
	}
	if own := r.shares[build.Namespace].MaxBuilds; own != nil {
		return !r.reached(*own, build.Namespace, false)
	}
	return r.limits.PerNamespace == 0 || !r.reached(r.limits.PerNamespace, build.Namespace, false)
}

// active counts the builds of a namespace, or all, that the limits are about.
func (r *reference) active(namespace string) (count int) {
	for _, build := range r.builds {
		if build.State == queue.Active && !build.External && (namespace == "" || build.Namespace == namespace) {
			count++
		}
	}
	return count
}

// reached tells whether as many builds are active as a limit allows. Up to the limit, those that run tests do not count.
func (r *reference) reached(limit int, namespace string, automatic bool) bool {
	making, testing := 0, 0
	for _, build := range r.builds {
		switch {
		case build.State != queue.Active || build.External || namespace != "" && build.Namespace != namespace || automatic && !build.Automatic:
		case build.Testing:
			testing++
		default:
			making++
		}
	}
	return making+max(0, testing-limit) >= limit
}

func (r *reference) goesFirst(a, b queue.Build, admissible []queue.Build, now time.Time) bool {
	switch {
	case a.External != b.External:
		return a.External
	case a.External:
		return elder(a, b)
	case a.Namespace != b.Namespace:
		return r.namespaceGoesFirst(a.Namespace, b.Namespace, admissible, now)
	}
	impatientA, impatientB := now.Sub(a.Since) > queue.Patience, now.Sub(b.Since) > queue.Patience
	switch {
	case impatientA != impatientB:
		return impatientA
	case !impatientA && a.Automatic != b.Automatic:
		return b.Automatic
	case !impatientA && a.Priority != b.Priority:
		return a.Priority > b.Priority
	}
	return elder(a, b)
}

func (r *reference) namespaceGoesFirst(a, b string, admissible []queue.Build, now time.Time) bool {
	shareA := float64(r.active(a)) / float64(max(1, r.shares[a].Weight))
	shareB := float64(r.active(b)) / float64(max(1, r.shares[b].Weight))
	if shareA != shareB {
		return shareA < shareB
	}
	urgent := slices.DeleteFunc(slices.Clone(admissible), func(build queue.Build) bool {
		return build.Automatic && now.Sub(build.Since) <= queue.Patience
	})
	oldestA, oldestB := oldestOf(a, urgent), oldestOf(b, urgent)
	switch {
	case oldestA.IsZero() != oldestB.IsZero():
		return oldestB.IsZero()
	case oldestA.IsZero():
		oldestA, oldestB = oldestOf(a, admissible), oldestOf(b, admissible)
	}
	if !oldestA.Equal(oldestB) {
		return oldestA.Before(oldestB)
	}
	return a < b
}

func oldestOf(namespace string, builds []queue.Build) (oldest time.Time) {
	for _, build := range builds {
		if build.Namespace == namespace && !build.External && (oldest.IsZero() || build.Since.Before(oldest)) {
			oldest = build.Since
		}
	}
	return oldest
}

func elder(a, b queue.Build) bool {
	if !a.Since.Equal(b.Since) {
		return a.Since.Before(b.Since)
	}
	if a.Namespace != b.Namespace {
		return a.Namespace < b.Namespace
	}
	return a.Name < b.Name
}

// randomBuild is a build with random values of everything that the order depends on.
func randomBuild(random *rand.Rand, number int64, now time.Time) queue.Build {
	namespace := fmt.Sprintf("ns-%d", random.IntN(4))
	build := queue.Build{
		Key:      queue.Key{Namespace: namespace, Name: fmt.Sprintf("build-%d", number)},
		Since:    now.Add(-time.Duration(random.IntN(5)) * 20 * time.Minute),
		Priority: int32(random.IntN(3)),
		External: random.IntN(10) == 0, Automatic: random.IntN(2) == 0, Testing: random.IntN(4) == 0,
	}
	if random.IntN(3) > 0 {
		build.Image = types.UID(fmt.Sprintf("%s-image-%d", namespace, random.IntN(3)))
		build.Number, build.Serial = number, random.IntN(4) > 0
	}
	return build
}
