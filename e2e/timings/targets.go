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

const module = "goldsmith.dev/goldsmith/"

// ofMake is the name of the suite that .ci/run writes for each target, with one case: the target as a whole.
const ofMake = "make"

// order is that of the proof loop. Other targets follow by name.
var order = []string{"verify", "test", "demo", "e2e", "e2e-docs", "tilt-ci"}

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
	failure string // in one line; empty if it passed
}

// readTargets interprets reports, which may name packages by their folder below a directory.
func readTargets(reports map[string][]junit.Suite, directory string) []target {
	var targets []target
	for _, name := range slices.SortedFunc(maps.Keys(reports), compareTargets) {
		targets = append(targets, readTarget(name, reports[name], directory))
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

func readTarget(name string, suites []junit.Suite, directory string) target {
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
	t.nodes = readNodes(tests, directory)
	if slices.ContainsFunc(t.nodes, func(n node) bool { return n.failure != "" }) {
		t.result = "failed"
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
			t.nodes = append(t.nodes, node{name: "make " + name, failure: inOneLine(result.Failed())})
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

func readNodes(suites []junit.Suite, directory string) []node {
	tests := map[key]junit.Case{}
	for _, suite := range suites {
		for _, test := range suite.Cases {
			if name := (key{packageOf(suite, directory), test.Name}); !ginkgoName.MatchString(test.Name) {
				if other, ok := tests[name]; ok {
					test = bothRuns(test, other)
				}
				tests[name] = test
			}
		}
	}
	children, failed := map[key]float64{}, map[key]bool{} // of tests: seconds of what runs inside, and whether any of it failed
	within := map[key]bool{}
	contains := func(parent key, seconds float64, failure *junit.Message) {
		children[parent] += seconds
		within[parent] = true
		failed[parent] = failed[parent] || failure != nil
	}

	var nodes []node
	for _, suite := range suites {
		pkg := packageOf(suite, directory)
		ginkgo := slices.ContainsFunc(suite.Cases, func(c junit.Case) bool { return ginkgoName.MatchString(c.Name) })
		if ginkgo {
			var failure *junit.Message
			for _, spec := range suite.Cases {
				match := ginkgoName.FindStringSubmatch(spec.Name)
				if match == nil || spec.Skipped != nil {
					continue
				}
				n := node{pkg: pkg, name: spec.Name, seconds: spec.Seconds, failure: inOneLine(spec.Failed())}
				if n.spec = match[1] == "It"; n.spec {
					n.name = match[2]
				}
				failure = cmp.Or(failure, spec.Failed())
				nodes = append(nodes, n)
			}
			contains(key{pkg, suite.Name}, suite.Seconds, failure)
			continue
		}
		for _, test := range suite.Cases {
			if parent, ok := parentOf(key{pkg, test.Name}, tests); ok {
				contains(parent, test.Seconds, test.Failed())
			}
		}
	}
	for name, test := range tests {
		if test.Skipped != nil {
			continue
		}
		n := node{pkg: name.pkg, name: name.test, seconds: max(0, test.Seconds-children[name]), spec: !within[name]}
		if !failed[name] { // else what failed inside is reported
			n.failure = inOneLine(test.Failed())
		}
		nodes = append(nodes, n)
	}
	slices.SortStableFunc(nodes, func(a, b node) int {
		return cmp.Or(strings.Compare(a.pkg, b.pkg), strings.Compare(a.name, b.name))
	})
	return nodes
}

// bothRuns returns the result of a test that ran twice, for example with the race detector and without it. It failed if either did.
func bothRuns(a, b junit.Case) junit.Case {
	both := junit.Case{Name: a.Name, Seconds: a.Seconds + b.Seconds, Failure: cmp.Or(a.Failed(), b.Failed())}
	if a.Skipped != nil && b.Skipped != nil {
		both.Skipped = a.Skipped
	}
	return both
}

// parentOf returns the test that a subtest runs in. The name of a subtest may have slashes of its own.
func parentOf(test key, tests map[key]junit.Case) (key, bool) {
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

// packageOf returns a suite's package, relative to the module.
func packageOf(suite junit.Suite, directory string) string {
	pkg := cmp.Or(suite.Package, suite.Name)
	pkg = strings.TrimPrefix(pkg, strings.TrimSuffix(directory, "/")+"/")
	return strings.TrimPrefix(pkg, module)
}

// inOneLine returns why something failed, or "" if it did not. gotestsum has a test's output instead of a message.
func inOneLine(failure *junit.Message) string {
	if failure == nil {
		return ""
	}
	if message := strings.Join(strings.Fields(failure.Short), " "); message != "" && message != "Failed" {
		return message
	}
	for line := range strings.Lines(failure.Full) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "=== ") {
			return line
		}
	}
	return "failed"
}
