// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Text output cuts cells to this many characters. Markdown has all of them.
const widest = 110

type table struct {
	header []string
	rows   [][]string
}

func tableOfTargets(targets []target) table {
	t := table{header: []string{"target", "result", "specs", "failed", "seconds", "spec-seconds"}}
	for _, target := range targets {
		specs, failed, seconds := 0, 0, 0.0
		for _, node := range target.nodes {
			if node.spec {
				specs++
			}
			if node.failure != nil {
				failed++
			}
			seconds += node.seconds
		}
		t.rows = append(t.rows, []string{
			target.name, target.result, fmt.Sprint(specs), fmt.Sprint(failed), fmt.Sprintf("%.0f", target.seconds), fmt.Sprintf("%.0f", seconds),
		})
	}
	return t
}

// located is a node with the name of its target.
type located struct {
	target string
	node
}

func nodesOf(targets []target) []located {
	var nodes []located
	for _, target := range targets {
		for _, node := range target.nodes {
			nodes = append(nodes, located{target.name, node})
		}
	}
	return nodes
}

// tableOfSlowest has nodes that set up specs, too: they may take longer than any spec. Each process has such a node, and the slowest
// of them is shown.
func tableOfSlowest(targets []target, count int) table {
	nodes := nodesOf(targets)
	slices.SortStableFunc(nodes, func(a, b located) int { return cmp.Compare(b.seconds, a.seconds) })
	shown := map[[3]string]bool{}
	nodes = slices.DeleteFunc(nodes, func(n located) bool {
		key := [3]string{n.target, n.pkg, n.name}
		again := shown[key] && !n.spec
		shown[key] = true
		return again
	})
	t := table{header: []string{"seconds", "target", "package", "slowest specs"}}
	for _, node := range nodes[:min(count, len(nodes))] {
		t.rows = append(t.rows, []string{fmt.Sprintf("%.1f", node.seconds), node.target, node.pkg, node.name})
	}
	return t
}

// tableOfPackages has the packages with the most spec-seconds first.
func tableOfPackages(targets []target) table {
	type pkg struct{ target, name string }
	type sum struct {
		specs   int
		seconds float64
	}
	sums := map[pkg]sum{}
	for _, node := range nodesOf(targets) {
		name := pkg{node.target, node.pkg}
		total := sums[name]
		total.seconds += node.seconds
		if node.spec {
			total.specs++
		}
		sums[name] = total
	}
	packages := slices.SortedFunc(maps.Keys(sums), func(a, b pkg) int {
		return cmp.Or(cmp.Compare(sums[b].seconds, sums[a].seconds), strings.Compare(a.target, b.target), strings.Compare(a.name, b.name))
	})
	t := table{header: []string{"spec-seconds", "specs", "target", "package"}}
	for _, name := range packages {
		t.rows = append(t.rows, []string{fmt.Sprintf("%.1f", sums[name].seconds), fmt.Sprint(sums[name].specs), name.target, name.name})
	}
	return t
}

func (t table) writeText(out io.Writer) {
	writer := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range slices.Concat([][]string{t.header}, t.rows) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = cut(strings.ReplaceAll(cell, "\t", " "), widest)
		}
		_, _ = fmt.Fprintln(writer, strings.Join(cells, "\t"))
	}
	_ = writer.Flush()
}

func cut(cell string, widest int) string {
	if runes := []rune(cell); len(runes) > widest {
		return string(runes[:widest-1]) + "…"
	}
	return cell
}

func (t table) writeMarkdown(out io.Writer) {
	line := func(cells []string) {
		_, _ = fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | "))
	}
	line(t.header)
	line(slices.Repeat([]string{"---"}, len(t.header)))
	for _, row := range t.rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = strings.ReplaceAll(cell, "|", `\|`)
		}
		line(cells)
	}
}
