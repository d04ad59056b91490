// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/scheme"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

const (
	// refresh is the interval at which the table on a terminal is read again, so that its ages stay current.
	refresh = 5 * time.Second
	// again is the delay before the next request after a failure, or after the end of a watch.
	again = time.Second
)

// view shows builds.
type view interface {
	// replace shows these builds instead of all earlier builds. The columns also apply to later changes.
	replace(columns []metav1.TableColumnDefinition, builds []row) error
	// change shows a new or changed build.
	change(build row) error
	// remove handles a deleted build.
	remove(build row) error
	// lost handles a failed request. Each failed request calls lost again.
	lost(err error) error
}

// row is a build in a table.
type row struct {
	metav1.PartialObjectMetadata
	cells []any
}

// source reads the server's table of the selected builds. If namespace is empty, the table has a column for the namespace.
type source struct {
	tables    rest.Interface
	namespace string // empty for all namespaces
	selected  metav1.ListOptions
	clock     clock.Clock
	// refresh is the interval at which the whole table is read again. With 0, the table is read again only after a
	// watch ends.
	refresh time.Duration
}

// follow shows the table in the view until ctx is done, and then returns nil. A restart of the server does not end
// follow. follow returns an error if the first request fails, or if the server refuses a request.
func (s *source) follow(ctx context.Context, view view) error {
	for shown := false; ctx.Err() == nil; {
		table, err := s.list(ctx)
		if err == nil {
			shown = true
			if err := s.show(table, view); err != nil {
				return err
			}
			err = s.watch(ctx, table.ResourceVersion, view)
		}
		var broken *viewError
		switch {
		case ctx.Err() != nil || err == nil:
			continue
		case errors.As(err, &broken) || !shown || refused(err):
			return err
		}
		if err := view.lost(err); err != nil {
			return err
		}
		s.pause(ctx)
	}
	return nil
}

// pause delays the next request. An unavailable server, or a server that ends every watch, would otherwise get requests
// without a pause.
func (s *source) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.clock.After(again):
	}
}

// viewError is a failure to show builds, as opposed to a failure to read builds.
type viewError struct{ error }

// refused reports whether a repeated request is useless.
func refused(err error) bool {
	return apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) || apierrors.IsNotAcceptable(err)
}

func (s *source) request(options metav1.ListOptions) *rest.Request {
	options.LabelSelector, options.FieldSelector = s.selected.LabelSelector, s.selected.FieldSelector
	return s.tables.Get().Namespace(s.namespace).Resource("imagebuilds").VersionedParams(&options, scheme.ParameterCodec)
}

func (s *source) list(ctx context.Context) (*metav1.Table, error) {
	table := &metav1.Table{}
	if err := s.request(metav1.ListOptions{}).Do(ctx).Into(table); err != nil {
		return nil, fmt.Errorf("list builds: %w", err)
	}
	return table, nil
}

func (s *source) show(table *metav1.Table, view view) error {
	builds, err := s.rowsOf(table)
	if err != nil {
		return err
	}
	columns := table.ColumnDefinitions
	if s.namespace == metav1.NamespaceAll {
		columns = slices.Insert(slices.Clone(columns), 0, metav1.TableColumnDefinition{Name: namespaceColumn, Type: "string"})
	}
	return view.replace(columns, builds)
}

// watch shows changes until the server ends the watch, or until the whole table must be read again.
func (s *source) watch(ctx context.Context, version string, view view) error {
	stream, err := s.request(metav1.ListOptions{ResourceVersion: version, Watch: true}).Watch(ctx)
	if err != nil {
		return fmt.Errorf("watch builds: %w", err)
	}
	defer stream.Stop()
	var due <-chan time.Time
	if s.refresh > 0 {
		timer := s.clock.NewTimer(s.refresh)
		defer timer.Stop()
		due = timer.C()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-due:
			return nil
		case event, open := <-stream.ResultChan():
			if !open {
				s.pause(ctx)
				return nil
			}
			if err := s.pass(event, view); err != nil {
				return err
			}
		}
	}
}

// pass shows one event.
func (s *source) pass(event watch.Event, view view) error {
	if event.Type == watch.Error {
		return fmt.Errorf("watch builds: %w", apierrors.FromObject(event.Object))
	}
	table, ok := event.Object.(*metav1.Table)
	if !ok {
		return fmt.Errorf("the watch of builds returned a %T", event.Object)
	}
	builds, err := s.rowsOf(table)
	if err != nil {
		return err
	}
	for _, build := range builds {
		show := view.change
		if event.Type == watch.Deleted {
			show = view.remove
		}
		if err := show(build); err != nil {
			return &viewError{err}
		}
	}
	return nil
}

func (s *source) rowsOf(table *metav1.Table) ([]row, error) {
	var rows []row
	for _, line := range table.Rows {
		read := row{cells: slices.Clone(line.Cells)}
		for i, cell := range read.cells {
			if text, ok := cell.(string); ok {
				read.cells[i] = output.OneLine(text) // older servers escape nothing
			}
		}
		if err := json.Unmarshal(line.Object.Raw, &read.PartialObjectMetadata); err != nil {
			return nil, fmt.Errorf("read the metadata of a build in a table: %w", err)
		}
		if s.namespace == metav1.NamespaceAll {
			read.cells = slices.Insert(read.cells, 0, any(read.Namespace))
		}
		rows = append(rows, read)
	}
	return rows, nil
}
