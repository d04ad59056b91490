// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/printers"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// table prints builds as kubectl prints its tables.
func table(builds []v1alpha1.QueuedBuild, namespaces bool, now time.Time, out io.Writer) error {
	var shown metav1.Table
	for _, name := range []string{"Position", "Namespace", "Name", "Image", "Priority", "Waiting", "Starts", "Why"} {
		if name != "Namespace" || namespaces {
			shown.ColumnDefinitions = append(shown.ColumnDefinitions, metav1.TableColumnDefinition{Name: name, Type: "string"})
		}
	}
	for i := range builds {
		build := &builds[i]
		cells := []any{build.Status.Position}
		if namespaces {
			cells = append(cells, build.Namespace)
		}
		image := build.Status.ImageName
		if image == "" {
			image = "<none>"
		}
		cells = append(cells, build.Name, image, build.Status.Priority, waitTime(build, now), starts(build, now), build.Status.Message)
		shown.Rows = append(shown.Rows, metav1.TableRow{Cells: cells})
	}
	return printers.NewTablePrinter(printers.PrintOptions{}).PrintObj(&shown, out)
}
