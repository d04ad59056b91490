// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// NewTable returns a table convertor for objects of the type T, a pointer to the internal type, with the given columns.
// cells returns the values of one object, in the order of the columns; they are strings, numbers or booleans.
func NewTable[T runtime.Object](columns []metav1.TableColumnDefinition, cells func(object T) []any) Table[T] {
	return Table[T]{columns: columns, cells: cells}
}

// Table is a rest.TableConvertor for objects of one type.
type Table[T runtime.Object] struct {
	columns []metav1.TableColumnDefinition
	cells   func(object T) []any
}

// ConvertToTable turns an object, or a list of them, into rows.
func (c Table[T]) ConvertToTable(_ context.Context, object, options runtime.Object) (*metav1.Table, error) {
	table := &metav1.Table{Rows: []metav1.TableRow{}} // as kube-apiserver, an empty list is [] in JSON instead of null
	if given, ok := options.(*metav1.TableOptions); !ok || !given.NoHeaders {
		table.ColumnDefinitions = c.columns
	}
	add := func(item runtime.Object) error {
		typed, ok := item.(T)
		if !ok {
			return fmt.Errorf("convert %T to a row of a table of %T", item, typed)
		}
		table.Rows = append(table.Rows, metav1.TableRow{Cells: c.cells(typed), Object: runtime.RawExtension{Object: item}})
		return nil
	}
	if !meta.IsListType(object) {
		if accessor, err := meta.CommonAccessor(object); err == nil {
			table.ResourceVersion = accessor.GetResourceVersion()
		}
		return table, add(object)
	}
	list, err := meta.ListAccessor(object)
	if err != nil {
		return nil, fmt.Errorf("convert %T to a table: %w", object, err)
	}
	table.ResourceVersion = list.GetResourceVersion()
	table.Continue = list.GetContinue()
	table.RemainingItemCount = list.GetRemainingItemCount()
	if err := meta.EachListItem(object, add); err != nil {
		return nil, fmt.Errorf("convert %T to a table: %w", object, err)
	}
	return table, nil
}
