// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"cmp"
	"io"
	"slices"
	"time"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// table prints builds as kubectl prints its tables.
func table(builds []v1alpha1.QueuedBuild, namespaces bool, now time.Time, out io.Writer) error {
	const namespace = 1 // index of the column Namespace
	columns := []string{"Position", "Namespace", "Name", "Image", "Priority", "Waiting", "Starts", "Why"}
	if !namespaces {
		columns = slices.Delete(columns, namespace, namespace+1)
	}
	var rows [][]any
	for i := range builds {
		build, status := &builds[i], &builds[i].Status
		cells := []any{
			position(status), build.Namespace, build.Name, cmp.Or(status.ImageName, "<none>"), status.Priority,
			waitTime(build, now), starts(build, now), status.Message,
		}
		if !namespaces {
			cells = slices.Delete(cells, namespace, namespace+1)
		}
		rows = append(rows, cells)
	}
	return output.Table(columns, rows, out)
}

// position returns the queue position of a build. A build that Kueue holds has no position.
func position(status *v1alpha1.QueuedBuildStatus) any {
	if status.Position == 0 {
		return "<none>"
	}
	return status.Position
}
