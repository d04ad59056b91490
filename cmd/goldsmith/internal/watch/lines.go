// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/printers"
)

// lines writes each build, and later each change of a build, on its own line.
type lines struct {
	out     flusher
	told    io.Writer
	printer printers.ResourcePrinter
	columns []metav1.TableColumnDefinition
	// written has the version of each build that was written last.
	written map[types.UID]string
	// failing is true from the first failure until the server answers again.
	failing bool
}

// newLines returns a view that writes builds to out and failures to told.
func newLines(out, told io.Writer) *lines {
	return &lines{
		out:     printers.GetNewTabWriter(out), // keeps the widths of columns
		told:    told,
		printer: printers.NewTablePrinter(printers.PrintOptions{}),
		written: map[types.UID]string{},
	}
}

// replace writes the builds that changed since the previous call. The first call writes all builds.
func (l *lines) replace(columns []metav1.TableColumnDefinition, builds []row) error {
	l.failing, l.columns = false, columns
	versions := map[types.UID]string{}
	var changed []row
	for _, build := range builds {
		if version, known := l.written[build.UID]; !known || version != build.ResourceVersion {
			changed = append(changed, build)
		}
		versions[build.UID] = build.ResourceVersion
	}
	l.written = versions
	return l.write(changed)
}

func (l *lines) change(build row) error {
	l.written[build.UID] = build.ResourceVersion
	return l.write([]row{build})
}

// remove writes nothing: a line for a deleted build would suggest that the build continues.
func (l *lines) remove(build row) error {
	delete(l.written, build.UID)
	return nil
}

// lost reports the first of consecutive failures.
func (l *lines) lost(err error) error {
	if l.failing {
		return nil
	}
	l.failing = true
	_, err = fmt.Fprintf(l.told, "%v; trying again\n", err)
	return err
}

func (l *lines) write(builds []row) error {
	if len(builds) == 0 {
		return nil
	}
	if err := l.printer.PrintObj(tableOf(l.columns, builds), l.out); err != nil {
		return fmt.Errorf("write a table of builds: %w", err)
	}
	return l.out.Flush()
}

// flusher is a writer that aligns columns.
type flusher interface {
	io.Writer
	Flush() error
}

func tableOf(columns []metav1.TableColumnDefinition, builds []row) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: columns}
	for _, build := range builds {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: build.cells})
	}
	return table
}
