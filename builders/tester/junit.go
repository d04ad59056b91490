// SPDX-License-Identifier: Apache-2.0

//go:build linux

package tester

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// The elements of JUnit XML that CI systems read.
type (
	junitReport struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
		Output     string          `xml:"system-out,omitempty"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitMessage `xml:"failure"`
		Error   *junitMessage `xml:"error"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the report as JUnit XML: a suite for each test, and a case for each check.
func (r *Report) WriteJUnit(to io.Writer) error {
	report := junitReport{}
	total := time.Duration(0)
	for i := range r.Results {
		suite, took := suiteOf(&r.Results[i])
		total += took
		report.Tests += suite.Tests
		report.Failures += suite.Failures
		report.Errors += suite.Errors
		report.Suites = append(report.Suites, suite)
	}
	report.Time = seconds(total)
	text, err := xml.MarshalIndent(report, "", "  ") // replaces what XML cannot have
	if err == nil {
		_, err = fmt.Fprintf(to, "%s%s\n", xml.Header, text)
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func suiteOf(from *Result) (junitSuite, time.Duration) {
	took := time.Duration(from.Milliseconds) * time.Millisecond
	suite := junitSuite{
		Name: from.Name, Time: seconds(took), Timestamp: from.Began.UTC().Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{{"target", from.Target}, {"outcome", string(from.Outcome)}, {"runs", fmt.Sprint(from.Runs)}},
		Output:     strings.Join(from.Console, "\n"),
	}
	for i := range from.Checks {
		check := &from.Checks[i]
		one := junitCase{Class: from.Name, Name: check.Name, Time: seconds(check.Took)}
		if check.Failure != "" {
			one.Failure = &junitMessage{Message: check.Failure, Text: check.Output}
			suite.Failures++
		}
		suite.Cases = append(suite.Cases, one)
	}
	message := &junitMessage{Message: from.Message, Type: string(from.Class)}
	switch {
	case from.Outcome == v1alpha1.TestError:
		suite.Errors++
		suite.Cases = append(suite.Cases, junitCase{Class: from.Name, Name: "run", Time: seconds(0), Error: message})
	case from.Outcome == v1alpha1.TestFailed && suite.Failures == 0:
		suite.Failures++
		suite.Cases = append(suite.Cases, junitCase{Class: from.Name, Name: "run", Time: seconds(0), Failure: message})
	}
	suite.Tests = len(suite.Cases)
	return suite, took
}

func seconds(of time.Duration) string { return fmt.Sprintf("%.3f", of.Seconds()) }
