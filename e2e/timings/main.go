// SPDX-License-Identifier: Apache-2.0

// Program timings shows how test runs spend their time, from their JUnit reports below bin/reports: a table of the targets of
// make, the slowest specs, and the reasons of failures.
package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"goldsmith.dev/goldsmith/e2e/junit"
)

// slowest is how many specs the table of the slowest has.
const slowest = 10

func main() {
	folder := flag.String("reports", "bin/reports", "folder with one folder of JUnit reports for each target")
	packages := flag.Bool("packages", false, "add a table of packages")
	markdown := flag.Bool("markdown", false, "write the tables as Markdown")
	lines := flag.Int("lines", 40, "limit the reasons of failures to so many lines; 0 is no limit")
	flag.Parse()
	if err := write(os.Stdout, *folder, options{*packages, *markdown, *lines}); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

type options struct {
	packages, markdown bool
	lines              int
}

func write(out io.Writer, folder string, o options) error {
	suites, err := junit.ReadTargets(folder)
	if err != nil {
		return err
	}
	if len(suites) == 0 {
		return fmt.Errorf("no JUnit reports in %s; run make test or make e2e first", folder)
	}
	directory, err := os.Getwd()
	if err != nil {
		return err
	}
	outputs, err := readOutputs(folder, slices.Collect(maps.Keys(suites)))
	if err != nil {
		return err
	}
	targets := readTargets(suites, outputs, newRepository(directory))
	tables := []table{tableOfTargets(targets), tableOfSlowest(targets, slowest)}
	if o.packages {
		tables = append(tables, tableOfPackages(targets))
	}
	for number, table := range tables {
		if number > 0 {
			_, _ = fmt.Fprintln(out)
		}
		if o.markdown {
			table.writeMarkdown(out)
		} else {
			table.writeText(out)
		}
	}
	failures := linesOfFailures(targets, o.lines)
	if len(failures) == 0 {
		return nil
	}
	if o.markdown {
		failures = slices.Concat([]string{"```"}, failures, []string{"```"})
	}
	_, _ = fmt.Fprintf(out, "\n%s\n", strings.Join(failures, "\n"))
	return nil
}
