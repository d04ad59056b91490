// SPDX-License-Identifier: Apache-2.0

package junit

import (
	"encoding/xml"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Suite is one run of the tests of a Go package, or of a Ginkgo suite.
type Suite struct {
	// Name is the import path of a Go package, or the name of a Ginkgo suite.
	Name string `xml:"name,attr"`
	// Package is where a Ginkgo suite is: its folder as an absolute path, or its import path. gotestsum leaves it empty.
	Package   string  `xml:"package,attr"`
	Seconds   float64 `xml:"time,attr"`
	Timestamp string  `xml:"timestamp,attr"`
	Cases     []Case  `xml:"testcase"`
	// Report is the file that the suite was read from.
	Report string `xml:"-"`
}

// Case is the result of one test, spec or set-up node.
type Case struct {
	Name    string   `xml:"name,attr"`
	Seconds float64  `xml:"time,attr"`
	Skipped *Message `xml:"skipped"`
	Failure *Message `xml:"failure"`
	Error   *Message `xml:"error"`
	// Output is the timeline of a Ginkgo spec.
	Output string `xml:"system-err"`
	// Properties are the report entries of a Ginkgo spec.
	Properties []Property `xml:"properties>property"`
}

// Property is a report entry by its name. The value is JSON.
type Property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

// Message is a reason, in short and in full.
type Message struct {
	Short string `xml:"message,attr"`
	Full  string `xml:",chardata"`
}

// Failed returns why a case failed, or nil. Ginkgo reports panics and interruptions as errors.
func (c Case) Failed() *Message {
	if c.Failure != nil {
		return c.Failure
	}
	return c.Error
}

// Start returns when a suite started. gotestsum writes a time zone; Ginkgo writes local time without one.
func (s Suite) Start() (time.Time, bool) {
	if start, err := time.Parse(time.RFC3339, s.Timestamp); err == nil {
		return start, true
	}
	start, err := time.ParseInLocation("2006-01-02T15:04:05", s.Timestamp, time.Local)
	return start, err == nil
}

// End returns when a suite ended.
func (s Suite) End() (time.Time, bool) {
	start, ok := s.Start()
	return start.Add(time.Duration(s.Seconds * float64(time.Second))), ok
}

// Parse reads one report.
func Parse(text []byte) ([]Suite, error) {
	var report struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []Suite  `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &report); err != nil {
		return nil, err
	}
	return report.Suites, nil
}

// ReadFile reads one report from a file.
func ReadFile(path string) ([]Suite, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	suites, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read JUnit report %s: %w", path, err)
	}
	for i := range suites {
		suites[i].Report = path
	}
	return suites, nil
}

// ReadTargets reads all reports below a folder. It returns suites by the name of the folder's direct subfolder that has
// them: the target. A folder that does not exist has no targets.
func ReadTargets(folder string) (map[string][]Suite, error) {
	targets := map[string][]Suite{}
	if _, err := os.Stat(folder); os.IsNotExist(err) {
		return targets, nil
	}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".xml" {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		target, _, inTarget := strings.Cut(filepath.ToSlash(relative), "/")
		if !inTarget {
			return nil
		}
		suites, err := ReadFile(path)
		if err != nil {
			return err
		}
		targets[target] = append(targets[target], suites...)
		return nil
	})
	return targets, err
}
