// SPDX-License-Identifier: Apache-2.0

package imagereport

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/table"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

const none = "<none>"

var columns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string", Format: "name", Description: "Name of the image."},
	{Name: "Builds", Type: "string", Description: "Number of builds that finished in the window, without one-off builds."},
	{Name: "Success", Type: "string", Description: "Percentage of successful builds. Cancelled builds are not counted."},
	{Name: "P50", Type: "string", Description: "Median duration of successful builds."},
	{Name: "P90", Type: "string", Description: "90th percentile of the duration of successful builds."},
	{Name: "Health", Type: "string", Description: "Score from 0 to 100: how well the image does."},
	{Name: "OneOffs", Type: "string", Description: "Number of one-off builds that finished in the window. No other figure counts them."},
	{Name: "Age", Type: "string", Description: "Time since the image was created."},
}

func newTable(clock clock.PassiveClock) resources.Table[*v1alpha1.ImageReport] {
	return table.New(columns, func(report *v1alpha1.ImageReport) []any {
		cells := []any{report.Name, none, none, none, none, none, none, table.Age(clock, report.CreationTimestamp)}
		stats := report.Stats
		if stats == nil {
			return cells
		}
		cells[1], cells[6] = strconv.FormatInt(stats.Builds, 10), strconv.FormatInt(stats.OneOffs, 10)
		if stats.SuccessRate != nil {
			cells[2] = strconv.Itoa(int(*stats.SuccessRate)) + "%"
		}
		if stats.Durations != nil {
			cells[3], cells[4] = duration.HumanDuration(stats.Durations.P50.Duration), duration.HumanDuration(stats.Durations.P90.Duration)
		}
		if report.Health != nil {
			cells[5] = strconv.Itoa(int(report.Health.Score))
		}
		return cells
	})
}
