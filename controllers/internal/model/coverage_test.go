// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/constants"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// coverage counts what schedules have reached.
type coverage struct {
	events          int
	transitions     map[transition]int
	failures        map[v1alpha1.FailureReason]int
	attemptFailures map[v1alpha1.FailureReason]int
	triggers        map[v1alpha1.TriggerReason]int
	points          map[string]int
	publishers      map[string]int
	faults          map[faultPoint]int
	attempts        [12]int
}

type transition struct{ from, to v1alpha1.BuildPhase }

type faultPoint struct {
	kind  fault
	point string
}

func newCoverage() *coverage {
	return &coverage{
		transitions: map[transition]int{}, failures: map[v1alpha1.FailureReason]int{}, attemptFailures: map[v1alpha1.FailureReason]int{},
		triggers: map[v1alpha1.TriggerReason]int{}, points: map[string]int{}, publishers: map[string]int{}, faults: map[faultPoint]int{},
	}
}

func (c *coverage) transition(from, to v1alpha1.BuildPhase) {
	if from != to {
		c.transitions[transition{from, to}]++
	}
}

func (c *coverage) point(name string)             { c.points[name]++ }
func (c *coverage) publisher(outcome string)      { c.publishers[outcome]++ }
func (c *coverage) fault(kind fault, name string) { c.faults[faultPoint{kind, name}]++ }

// add adds what another part of the schedules has reached.
func (c *coverage) add(other *coverage) {
	c.events += other.events
	addAll(c.transitions, other.transitions)
	addAll(c.failures, other.failures)
	addAll(c.attemptFailures, other.attemptFailures)
	addAll(c.triggers, other.triggers)
	addAll(c.points, other.points)
	addAll(c.publishers, other.publishers)
	addAll(c.faults, other.faults)
	for i, n := range other.attempts {
		c.attempts[i] += n
	}
}

func addAll[K comparable](sum, other map[K]int) {
	for key, n := range other {
		sum[key] += n
	}
}

// unused are transitions that the table allows but the state machine never makes: it always passes through Cancelling,
// and cancels builds that are Retrying.
var unused = []transition{
	{v1alpha1.BuildStarting, v1alpha1.BuildCancelled}, {v1alpha1.BuildRunning, v1alpha1.BuildCancelled}, {v1alpha1.BuildRetrying, v1alpha1.BuildFailed},
}

// elsewhere are reasons that no schedule leads to: the ConfigMap of a source is always missing, so its files are never too large, the
// builder takes all inputs and makes all targets, and no Image is deleted or suspended while a build of it waits for the first check of its source.
var elsewhere = []v1alpha1.FailureReason{v1alpha1.ReasonSourceTooLarge, v1alpha1.ReasonInvalidParameters, v1alpha1.ReasonTargetNotSupported,
	v1alpha1.ReasonBaseNotSupported, v1alpha1.ReasonFileNotSupported, v1alpha1.ReasonSourceUnresolved}

// publicTypes is the folder with the sources of the public types.
const publicTypes = "../../../apis/images/v1alpha1"

// valuesOf returns the values of the constants of a public type, so that no schedule forgets one.
func valuesOf(t *testing.T, kind string) []string {
	t.Helper()
	values, err := constants.In(publicTypes, func(of, _ string) bool { return of == kind })
	require.NoError(t, err)
	return slices.Sorted(maps.Values(values))
}

// points are the writes of the controllers.
func points() []string {
	writes := []string{"image status", "build asked for", "build superseded", "build pruned", "build expired", "channel moved", "status", "Job created", "Job deleted", "pod deleted", "pod stopped", resultPassed, resultStored, sourceStored, checkCreated, checkDeleted}
	for _, phase := range []v1alpha1.BuildPhase{
		v1alpha1.BuildQueued, v1alpha1.BuildStarting, v1alpha1.BuildRunning, v1alpha1.BuildRetrying, v1alpha1.BuildTesting, v1alpha1.BuildCancelling, v1alpha1.BuildSucceeded,
		v1alpha1.BuildFailed, v1alpha1.BuildCancelled,
	} {
		writes = append(writes, string(phase))
	}
	return writes
}

// group is a line of the report: how often each of its members was reached, and the members that were reached too rarely.
type group struct {
	name    string
	members []string
	rare    []string
}

func (g *group) count(name string, n, least int) {
	g.members = append(g.members, fmt.Sprintf("%s %d", name, n))
	if n < least {
		g.rare = append(g.rare, fmt.Sprintf("%s: %s was reached %d times, not %d", g.name, name, n, least))
	}
}

func (g *group) String() string { return g.name + ": " + strings.Join(g.members, ", ") }

// report returns the reached members in groups. Each group also names the members that were reached too rarely.
func (c *coverage) report(t *testing.T, least int) []*group {
	t.Helper()
	transitions := &group{name: "transitions"}
	for _, from := range []v1alpha1.BuildPhase{
		v1alpha1.BuildPending, v1alpha1.BuildQueued, v1alpha1.BuildStarting, v1alpha1.BuildRunning, v1alpha1.BuildRetrying, v1alpha1.BuildTesting, v1alpha1.BuildCancelling,
	} {
		for _, to := range nextPhases(from) {
			step := transition{from, to}
			if n := c.transitions[step]; slices.Contains(unused, step) {
				if n > 0 {
					transitions.rare = append(transitions.rare, fmt.Sprintf("%s→%s was reached: it is not unused", from, to))
				}
				continue
			}
			transitions.count(fmt.Sprintf("%s→%s", from, to), c.transitions[step], least)
		}
	}
	failures := &group{name: "reasons"}
	for _, reason := range v1alpha1.FailureReasons() {
		n := c.failures[reason] + c.attemptFailures[reason]
		if !slices.Contains(elsewhere, reason) {
			failures.count(string(reason), n, least)
		} else if n > 0 {
			failures.rare = append(failures.rare, string(reason)+" was reached: it is not elsewhere")
		}
	}
	triggers := &group{name: "triggers"}
	for _, reason := range valuesOf(t, "TriggerReason") {
		triggers.count(reason, c.triggers[v1alpha1.TriggerReason(reason)], least)
	}
	publishers := &group{name: "publishers"}
	for _, outcome := range []string{"published", "nothing to publish", "never started", "crashed before it knew the result", "deleted", "ended by its deadline", "waits for the signer", "not signed"} {
		publishers.count(outcome, c.publishers[outcome], least)
	}
	for _, end := range publisherEnds {
		publishers.count(end.name, c.publishers[end.name], least)
	}
	groups := []*group{transitions, failures, triggers, publishers}
	for kind := crash; kind < serverCrash; kind++ {
		faults := &group{name: faultNames[kind]}
		for _, point := range points() {
			faults.count(point, c.faults[faultPoint{kind, point}], least)
		}
		groups = append(groups, faults)
	}
	others := &group{name: "others"}
	for _, point := range slices.Sorted(maps.Keys(c.points)) {
		others.count(point, c.points[point], least)
	}
	return append(groups, others)
}
