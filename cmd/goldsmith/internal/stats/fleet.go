// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/duration"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// runFleet shows the statistics of all Images of a namespace, or of all namespaces.
func runFleet(ctx context.Context, connection *client.Connection, asked *options, out, stderr io.Writer) error {
	namespace, where := connection.Namespace, "in namespace "+connection.Namespace
	if asked.allNamespaces {
		namespace, where = metav1.NamespaceAll, "in any namespace"
	}
	var selected metav1.ListOptions
	if asked.since != "" {
		selected.FieldSelector = fields.OneTermEqualSelector("since", asked.since).String()
	}
	reports, err := connection.ImagesV1alpha1().ImageReports(namespace).List(ctx, selected) // without a limit, so that it has all fixes
	if err != nil {
		return fmt.Errorf("list the reports of images: %w", err)
	}
	switch {
	case asked.format.ForPrograms():
		return asked.format.Print(reports, out)
	case len(reports.Items) == 0:
		_, err := fmt.Fprintf(stderr, "there is no image %s\n", where)
		return err
	}
	return describeFleet(reports, asked.allNamespaces, out)
}

// describeFleet writes a line for each Image, and then the fixes of all of them.
func describeFleet(reports *v1alpha1.ImageReportList, namespaces bool, out io.Writer) error {
	const none = "<none>"
	columns := []string{"Image", "Builds", "Success", "P50", "Fixes", "Fix P50"}
	if namespaces {
		columns = append([]string{"Namespace"}, columns...)
	}
	var rows [][]any
	for i := range reports.Items {
		report := &reports.Items[i]
		row := []any{report.Name, none, none, none, none, none}
		if stats := report.Stats; stats != nil {
			row[1] = stats.Builds
			if stats.SuccessRate != nil {
				row[2] = fmt.Sprintf("%d%%", *stats.SuccessRate)
			}
			if stats.Durations != nil {
				row[3] = duration.HumanDuration(stats.Durations.P50.Duration)
			}
			for _, count := range stats.Fixes {
				if count.Reached == v1alpha1.ImageReady {
					row[4], row[5] = count.Count, duration.HumanDuration(count.Times.P50.Duration)
				}
			}
		}
		if namespaces {
			row = append([]any{report.Namespace}, row...)
		}
		rows = append(rows, row)
	}
	if err := output.Table(columns, rows, out); err != nil || len(reports.Fixes) == 0 {
		return err
	}
	lines := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	_, _ = fmt.Fprintln(lines) // the tabwriter keeps write errors until its Flush
	for i := range reports.Fixes {
		_, _ = fmt.Fprintf(lines, "fix to %s\t%s\n", reports.Fixes[i].Reached, fixes(&reports.Fixes[i]))
	}
	return lines.Flush()
}
