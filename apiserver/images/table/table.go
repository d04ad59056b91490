// SPDX-License-Identifier: Apache-2.0

// Package table makes the columns that kubectl get prints.
package table

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apiserver/images"
)

// Convertor makes tables of objects of the type T, which is a pointer to an API object.
type Convertor[T runtime.Object] struct {
	// Columns of the table.
	Columns []metav1.TableColumnDefinition
	// Row returns an object's cells, one for each column.
	Row func(object T) []any
}

var _ rest.TableConvertor = Convertor[*metav1.PartialObjectMetadata]{}

// ConvertToTable makes a table of an object or a list.
func (c Convertor[T]) ConvertToTable(_ context.Context, object, options runtime.Object) (*metav1.Table, error) {
	table := &metav1.Table{}
	if options, ok := options.(*metav1.TableOptions); !ok || !options.NoHeaders {
		table.ColumnDefinitions = c.Columns
	}
	if list, err := meta.ListAccessor(object); err == nil {
		table.ResourceVersion = list.GetResourceVersion()
		table.Continue = list.GetContinue()
		table.RemainingItemCount = list.GetRemainingItemCount()
	} else if one, err := meta.CommonAccessor(object); err == nil {
		table.ResourceVersion = one.GetResourceVersion()
	}
	addRow := func(object runtime.Object) error {
		typed, ok := object.(T)
		if !ok {
			return fmt.Errorf("printing a table row: unexpected %T", object)
		}
		table.Rows = append(table.Rows, metav1.TableRow{Cells: c.Row(typed), Object: runtime.RawExtension{Object: object}})
		return nil
	}
	if meta.IsListType(object) {
		if err := meta.EachListItem(object, addRow); err != nil {
			return nil, err
		}
		return table, nil
	}
	return table, addRow(object)
}

// Age is how long ago something was, as kubectl shows it.
func Age(now clock.PassiveClock, since metav1.Time) string {
	if since.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(now.Since(since.Time))
}

// Digest shows the beginning of the first artifact's digest, and how many more artifacts there are.
func Digest(artifacts []images.Artifact) string {
	const shown = 12
	if len(artifacts) == 0 {
		return ""
	}
	digest := strings.TrimPrefix(artifacts[0].Digest, "sha256:")
	digest = digest[:min(shown, len(digest))]
	if more := len(artifacts) - 1; more > 0 {
		return fmt.Sprintf("%s+%d", digest, more)
	}
	return digest
}
