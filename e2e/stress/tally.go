// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"goldsmith.dev/goldsmith/e2e/junit"
)

// specPrefix is how Ginkgo marks specs among the nodes of a suite.
const specPrefix = "[It] "

// tally counts the runs of one spec.
type tally struct {
	spec     string
	runs     int
	slowest  float64
	failures []failure
}

type failure struct {
	run  int // from 1
	text string
}

func isSpec(result junit.Case) bool {
	return strings.HasPrefix(result.Name, specPrefix)
}

// count returns a tally for each spec, in the order of their first runs.
func count(cases []junit.Case) []tally {
	var tallies []tally
	for _, result := range cases {
		name := strings.TrimPrefix(result.Name, specPrefix)
		index := slices.IndexFunc(tallies, func(t tally) bool { return t.spec == name })
		if index < 0 {
			index = len(tallies)
			tallies = append(tallies, tally{spec: name})
		}
		t := &tallies[index]
		t.runs++
		t.slowest = max(t.slowest, result.Seconds)
		if reason := result.Failed(); reason != nil {
			t.failures = append(t.failures, failure{t.runs, strings.Join([]string{name, reason.Short, reason.Full, result.Output}, "\n\n")})
		}
	}
	return tallies
}

func writeTable(out io.Writer, tallies []tally) {
	writer := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(writer, "runs\tfailed\tslowest s\tspec")
	for _, t := range tallies {
		_, _ = fmt.Fprintf(writer, "%d\t%d\t%.1f\t%s\n", t.runs, len(t.failures), t.slowest, t.spec)
	}
	_ = writer.Flush()
}

// appendTable adds a line for each spec to a file of tab-separated values, with a header in a new file.
func appendTable(path string, tallies []tally, o options) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err != nil {
		return err
	} else if info.Size() == 0 {
		if _, err := fmt.Fprintln(file, "spec\truns\tfailed\tslowest s\tload\tpackage"); err != nil {
			return err
		}
	}
	for _, t := range tallies {
		if _, err := fmt.Fprintf(file, "%s\t%d\t%d\t%.1f\t%d\t%s\n",
			strings.ReplaceAll(t.spec, "\t", " "), t.runs, len(t.failures), t.slowest, o.load, o.pkg); err != nil {
			return err
		}
	}
	return file.Close()
}

// keepFailures writes the output of each failed run to a file of its own.
func keepFailures(folder string, t tally) error {
	start := time.Now().UTC().Format("20060102-150405")
	for _, f := range t.failures {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		path := filepath.Join(folder, fmt.Sprintf("%s-%s-run-%d.txt", slug(t.spec), start, f.run))
		if err := os.WriteFile(path, []byte(f.text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

var notInSlugs = regexp.MustCompile(`[^a-z0-9]+`)

// longestSlug is how many characters of a spec's text are in its slug. Specs of one container often start with the same words, so
// the slug has the end of the text, and a digest of the whole text.
const longestSlug = 60

// slug names files of a spec.
func slug(spec string) string {
	digest := fnv.New32a()
	_, _ = digest.Write([]byte(spec))
	words := notInSlugs.ReplaceAllString(strings.ToLower(spec), "-")
	words = strings.Trim(words[max(0, len(words)-longestSlug):], "-")
	return fmt.Sprintf("%s-%08x", words, digest.Sum32())
}
