// SPDX-License-Identifier: Apache-2.0

// Program timings shows where the time of test runs goes, from the JUnit reports that they left below bin/reports:
// a table of the targets of make, the slowest specs, and the specs that failed.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"goldsmith.dev/goldsmith/e2e/junit"
)

// slowest is how many specs the table of the slowest has.
const slowest = 10

func main() {
	folder := flag.String("reports", "bin/reports", "folder with one folder of JUnit reports for each target")
	packages := flag.Bool("packages", false, "add a table of packages")
	markdown := flag.Bool("markdown", false, "write the tables as Markdown")
	flag.Parse()
	if err := run(os.Stdout, *folder, *packages, *markdown); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, folder string, packages, markdown bool) error {
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
	targets := readTargets(suites, directory)
	tables := []table{tableOfTargets(targets)}
	if failed := tableOfFailed(targets); len(failed.rows) > 0 {
		tables = append(tables, failed)
	}
	tables = append(tables, tableOfSlowest(targets, slowest))
	if packages {
		tables = append(tables, tableOfPackages(targets))
	}
	for number, table := range tables {
		if number > 0 {
			_, _ = fmt.Fprintln(out)
		}
		if markdown {
			table.writeMarkdown(out)
		} else {
			table.writeText(out)
		}
	}
	return nil
}
