// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/e2e/junit"
)

// ofMake is the name of the suite that .ci/run writes for each target, with one case: the target as a whole.
const ofMake = "make"

// order is that of .ci/run and of .ci/full. Other targets follow by name. The reports of gate are those of the specs labelled gate.
var order = []string{"verify", "test", "demo", "gate", "test-all", "e2e", "e2e-docs", "e2e-browser", "tilt-ci", "chaos"}

// target is one run of a target of make.
type target struct {
	name   string
	result string
	// seconds is the time from its start to its end.
	seconds float64
	nodes   []node
}

// node is a spec, a test, or a node that sets up or tears down specs. The seconds of its children are not in its own.
type node struct {
	pkg     string
	name    string
	seconds float64
	spec    bool
	failure *failure // nil if it passed
}

// readTargets interprets reports, and the output of targets that was kept.
func readTargets(reports map[string][]junit.Suite, outputs map[string]output, r repository) []target {
	var targets []target
	for _, name := range slices.SortedFunc(maps.Keys(reports), compareTargets) {
		targets = append(targets, readTarget(name, reports[name], outputs[name], r))
	}
	return targets
}

func compareTargets(a, b string) int {
	position := func(name string) int {
		if index := slices.Index(order, name); index >= 0 {
			return index
		}
		return len(order)
	}
	return cmp.Or(cmp.Compare(position(a), position(b)), strings.Compare(a, b))
}

func readTarget(name string, suites []junit.Suite, printed output, r repository) target {
	t := target{name: name, result: "passed", seconds: wallClock(suites)}
	var whole *junit.Suite
	var tests []junit.Suite
	for _, suite := range suites {
		if suite.Name == ofMake {
			whole = &suite
		} else {
			tests = append(tests, suite)
		}
	}
	t.nodes = readNodes(tests, r)
	for _, node := range t.nodes {
		if node.failure != nil {
			t.result = "failed"
			printed.addCompileErrors(node.pkg, node.failure)
		}
	}
	if whole == nil {
		return t
	}
	t.seconds = whole.Seconds
	for _, result := range whole.Cases {
		switch {
		case result.Skipped != nil:
			t.result = result.Skipped.Short
		case result.Failed() != nil && t.result != "failed": // something else than a spec
			t.result = "failed"
			t.nodes = append(t.nodes, node{name: "make " + name + ": " + result.Failed().Short, failure: printed.failure(r)})
		}
	}
	return t
}

// wallClock returns the seconds from the start of the first suite to the end of the last, without gaps of their own: suites
// may run side by side.
func wallClock(suites []junit.Suite) float64 {
	var first, last time.Time
	longest := 0.0
	for _, suite := range suites {
		longest = max(longest, suite.Seconds)
		start, ok := suite.Start()
		if !ok {
			continue
		}
		end, _ := suite.End()
		if first.IsZero() || start.Before(first) {
			first = start
		}
		if end.After(last) {
			last = end
		}
	}
	return max(longest, last.Sub(first).Seconds())
}

// key names a test of a package, as gotestsum does: subtests have the names of their parents before a slash.
type key struct{ pkg, test string }

// ginkgoName matches the name of a Ginkgo node in JUnit: "[It] text of the spec", "[BeforeSuite]", or
// "[DeferCleanup (Suite)]".
var ginkgoName = regexp.MustCompile(`(?s)^\[([A-Z][\w ()]*)\] ?(.*)$`)

// run is the result of a test, and the report that has it.
type run struct {
	junit.Case
	report string
}

func readNodes(suites []junit.Suite, r repository) []node {
	tests := map[key]run{}
	for _, suite := range suites {
		for _, test := range suite.Cases {
			if suite.Seconds == 0 { // go test took the result from its cache, with the seconds of an earlier run
				test.Seconds = 0
			}
			if name := (key{r.packageOf(suite), test.Name}); !ginkgoName.MatchString(test.Name) {
				result := run{test, suite.Report}
				if other, ok := tests[name]; ok {
					result = bothRuns(result, other)
				}
				tests[name] = result
			}
		}
	}
	children, failed := map[key]float64{}, map[key]bool{} // of tests: seconds of their subtests, and whether any subtest failed
	within := map[key]bool{}
	contains := func(parent key, seconds float64, fails bool) {
		children[parent] += seconds
		within[parent] = true
		failed[parent] = failed[parent] || fails
	}

	var nodes []node
	for _, suite := range suites {
		pkg := r.packageOf(suite)
		ginkgo := slices.ContainsFunc(suite.Cases, func(c junit.Case) bool { return ginkgoName.MatchString(c.Name) })
		if ginkgo {
			anyFailed := false
			for _, spec := range suite.Cases {
				match := ginkgoName.FindStringSubmatch(spec.Name)
				if match == nil || spec.Skipped != nil {
					continue
				}
				n := node{pkg: pkg, name: spec.Name, seconds: spec.Seconds, failure: r.failureOfSpec(run{spec, suite.Report})}
				if n.spec = match[1] == "It"; n.spec {
					n.name = match[2]
				}
				anyFailed = anyFailed || n.failure != nil
				nodes = append(nodes, n)
			}
			contains(key{pkg, suite.Name}, suite.Seconds, anyFailed)
			continue
		}
		for _, test := range suite.Cases {
			if parent, ok := parentOf(key{pkg, test.Name}, tests); ok {
				contains(parent, tests[key{pkg, test.Name}].Seconds, test.Failed() != nil)
			}
		}
	}
	for name, test := range tests {
		if test.Skipped != nil {
			continue
		}
		n := node{pkg: name.pkg, name: name.test, seconds: max(0, test.Seconds-children[name]), spec: !within[name]}
		if !failed[name] { // else what failed inside is reported
			n.failure = r.failureOfTest(name.pkg, test)
		}
		_, whole := tests[key{name.pkg, wholePackage}]
		if n.failure != nil && len(n.failure.message) == 0 && whole { // the test ran when its package ended: the package has the reason
			n.failure = nil
		}
		nodes = append(nodes, n)
	}
	slices.SortStableFunc(nodes, func(a, b node) int {
		return cmp.Or(strings.Compare(a.pkg, b.pkg), strings.Compare(a.name, b.name))
	})
	return nodes
}

// wholePackage is the test that gotestsum reports where a package failed as a whole: it does not compile, or it exited.
const wholePackage = "TestMain"

// bothRuns returns the result of a test that ran twice, for example with the race detector and without it. It failed if either did.
func bothRuns(a, b run) run {
	both := run{junit.Case{Name: a.Name, Seconds: a.Seconds + b.Seconds, Failure: cmp.Or(a.Failed(), b.Failed())}, a.report}
	if a.Failed() == nil {
		both.report = b.report
	}
	if a.Skipped != nil && b.Skipped != nil {
		both.Skipped = a.Skipped
	}
	return both
}

// parentOf returns the test that a subtest runs in. The name of a subtest may have slashes of its own.
func parentOf(test key, tests map[key]run) (key, bool) {
	for name := test.test; ; {
		slash := strings.LastIndexByte(name, '/')
		if slash < 0 {
			return key{}, false
		}
		name = name[:slash]
		if _, ok := tests[key{test.pkg, name}]; ok {
			return key{test.pkg, name}, true
		}
	}
}
