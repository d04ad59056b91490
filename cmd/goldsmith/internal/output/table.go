// SPDX-License-Identifier: Apache-2.0

package output

import (
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/printers"
)

// Table writes rows below the names of the columns, as kubectl prints tables. Each row has a cell for each column.
func Table(columns []string, rows [][]any, out io.Writer) error {
	var table metav1.Table
	for _, name := range columns {
		table.ColumnDefinitions = append(table.ColumnDefinitions, metav1.TableColumnDefinition{Name: name, Type: "string"})
	}
	for _, cells := range rows {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: cells})
	}
	return printers.NewTablePrinter(printers.PrintOptions{}).PrintObj(&table, out)
}
