// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// widestLine limits the lines of failures to so many characters.
const widestLine = 200

// fewest is how many lines a failure has at least, if it has so many: its name, its place, and two of its message.
const fewest = 4

// linesOfFailures returns why each spec failed, in at most so many lines. 0 is no limit.
func linesOfFailures(targets []target, limit int) []string {
	var failures [][]string
	needed := 1 // for the title
	for _, node := range nodesOf(targets) {
		if node.failure != nil {
			lines := linesOf(node)
			failures = append(failures, lines)
			needed += len(lines)
		}
	}
	if len(failures) == 0 {
		return nil
	}
	title := fmt.Sprintf("%d failures:", len(failures))
	if len(failures) == 1 {
		title = "1 failure:"
	}
	if limit == 0 || needed <= limit {
		return append([]string{title}, slices.Concat(failures...)...)
	}

	room := limit - 2 // without the title and the line for those that are not shown
	shown := failures
	for len(shown) > 1 && linesAt(shown, fewest) > room {
		shown = shown[:len(shown)-1]
	}
	share := fewest
	for share < limit && linesAt(shown, share+1) <= room { // what short ones leave is for the others
		share++
	}
	lines := []string{title}
	for _, failure := range shown {
		lines = append(lines, withoutMiddle(failure, share)...)
	}
	if more := len(failures) - len(shown); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more: make timings FLAGS=-lines=0", more))
	}
	return lines
}

// linesOf returns the name of a failed spec, its place and what was kept of it, and its message.
func linesOf(n located) []string {
	lines := []string{strings.TrimSpace(n.target+" "+n.pkg) + ": " + n.name}
	if place := strings.TrimPrefix(n.failure.place+"; "+n.failure.kept, "; "); place != "" {
		lines = append(lines, "  "+strings.TrimSuffix(place, "; "))
	}
	for _, line := range n.failure.message {
		lines = append(lines, "    "+line)
	}
	for i, line := range lines {
		lines[i] = cut(line, widestLine)
	}
	return lines
}

// linesAt returns how many lines failures have if each has at most its share.
func linesAt(failures [][]string, share int) int {
	sum := 0
	for _, lines := range failures {
		sum += min(len(lines), share)
	}
	return sum
}

// withoutMiddle limits the lines of a failure. The start of a message has the assertion's annotation, and its end has the
// matcher's sentence, or the last error of a test.
func withoutMiddle(lines []string, limit int) []string {
	if len(lines) <= limit {
		return lines
	}
	tail := (limit - fewest/2) / 2
	head := slices.Clone(lines[:limit-tail])
	head[len(head)-1] += " …"
	return append(head, lines[len(lines)-tail:]...)
}
