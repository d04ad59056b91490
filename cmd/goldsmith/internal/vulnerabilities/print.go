// SPDX-License-Identifier: Apache-2.0

package vulnerabilities

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/duration"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// maxShownPackages is how many packages of a source package a row names, except with -o wide.
const maxShownPackages = 3

// print prints vulnerabilities for people: a table, and its summary on stderr, so that other programs read the table alone.
func (o *options) print(found *v1alpha1.ImageBuildVulnerabilities) error {
	for _, line := range o.summary(found) {
		if _, err := fmt.Fprintln(o.stderr, output.OneLine(line)); err != nil {
			return err
		}
	}
	if len(found.Items) == 0 {
		return nil
	}
	columns := []string{"ID", "Severity", "Source", "Version", "Fixed", "Packages"}
	wide := o.format.Format == output.Wide
	if o.all {
		columns = append(columns, "Not affected")
	}
	if wide {
		columns = append(columns, "Description")
	}
	rows := make([][]any, len(found.Items))
	for i := range found.Items {
		each := &found.Items[i]
		packages := each.Packages
		if !wide && len(packages) > maxShownPackages {
			packages = append(packages[:maxShownPackages-1:maxShownPackages-1], fmt.Sprintf("%d more", len(packages)-maxShownPackages+1))
		}
		texts := []string{each.ID, string(each.Severity), each.Source, each.Version, each.FixedVersion, strings.Join(packages, ", ")}
		if o.all {
			texts = append(texts, each.Justification)
		}
		if wide {
			texts = append(texts, each.Description)
		}
		for _, text := range texts {
			if text == "" {
				text = "<none>"
			}
			rows[i] = append(rows[i], output.OneLine(text))
		}
	}
	return output.Table(columns, rows, o.out)
}

// summary counts the vulnerabilities, and tells how old the advisories are and what they do not know.
func (o *options) summary(found *v1alpha1.ImageBuildVulnerabilities) []string {
	line := "build " + found.Name + " has " + trigger.DescribeVulnerabilities(found.Counts)
	switch n := found.Counts.NotAffected; n {
	case 0:
	case 1:
		line += "; 1 does not affect it"
	default:
		line += fmt.Sprintf("; %d do not affect it", n)
	}
	lines := []string{line}
	for _, line := range found.Unmatched {
		lines = append(lines, "unknown: "+line)
	}
	for _, archive := range found.OtherArchives {
		lines = append(lines, "unknown: packages of another archive: "+archive)
	}
	for i := range found.Sources {
		source := &found.Sources[i]
		line := fmt.Sprintf("advisories: %s (%s), read %s ago", source.Name, source.Format, duration.HumanDuration(o.clock.Since(source.ReadTime.Time)))
		if source.Ignored > 0 {
			line += fmt.Sprintf("; ignored %d about other packages than Debian's", source.Ignored)
		}
		if source.Unreadable > 0 {
			line += fmt.Sprintf("; %d cannot be read, the first: %s", source.Unreadable, source.Problem)
		}
		if source.Message != "" {
			line += "; the last attempt to read them failed: " + source.Message
		}
		lines = append(lines, line)
	}
	return lines
}
