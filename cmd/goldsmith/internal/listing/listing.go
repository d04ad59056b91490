// SPDX-License-Identifier: Apache-2.0

// Package listing is what the verbs that list records of an image share: their flags, and how they read and print pages.
package listing

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strconv"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// defaultLimit is how many records people read.
const defaultLimit = 30

// Flags of a verb that lists records of an image.
type Flags struct {
	// UID is the metadata.uid of the image; empty for the image that has the name now.
	UID string
	// Limit is how many records are shown at most; 0 is no limit.
	Limit int
	// Format is how they are printed.
	Format output.Format
}

// AddTo adds the flags to a verb that lists such records, in the plural. The usage is that of --uid.
func (f *Flags) AddTo(command *cobra.Command, records, usage string) {
	command.Flags().StringVar(&f.UID, "uid", "", usage)
	command.Flags().IntVar(&f.Limit, "limit", defaultLimit, "maximum number of "+records+"; 0 is no limit")
	f.Format.AddTo(command)
}

// Check refuses a limit that is none.
func (f *Flags) Check() error {
	if f.Limit < 0 {
		return fmt.Errorf("--limit %d: must be 0 (no limit) or greater", f.Limit)
	}
	return nil
}

// Records describes records of an image. All fields but Parameters and Names are required, and one of Subresource and Read.
type Records[Item any] struct {
	// Subresource of the image that serves the records.
	Subresource string
	// Read reads a page of records that no subresource serves.
	Read func(ctx context.Context, image string, parameters map[string]string, into runtime.Object) error
	// Parameters of the query, beside those of the flags and of paging.
	Parameters map[string]string
	// NewPage returns an empty page.
	NewPage func() Page[Item]
	// None is the line for people that there is no record.
	None string
	// Print writes records for people.
	Print func(items []Item, out io.Writer) error
	// Names writes records for the format output.Name. Defaults to the names that the items have.
	Names func(items []Item, out io.Writer) error
}

// Page is an object with records, and pointers to two of its fields.
type Page[Item any] struct {
	runtime.Object
	Items    *[]Item
	Continue *string
}

// Show reads records of an image and writes them to out. What only people read about them goes to told.
func (r *Records[Item]) Show(ctx context.Context, connection *client.Connection, image string, flags *Flags, out, told io.Writer) error {
	read := r.Read
	if read == nil {
		read = func(ctx context.Context, image string, parameters map[string]string, into runtime.Object) error {
			return connection.ReadImage(ctx, image, r.Subresource, parameters, into)
		}
	}
	page := r.NewPage()
	items, next, err := client.Pages(flags.Limit, func(limit int, next string) ([]Item, string, error) {
		page = r.NewPage()
		parameters := map[string]string{"limit": strconv.Itoa(limit), "continue": next, "uid": flags.UID}
		maps.Copy(parameters, r.Parameters)
		err := read(ctx, image, parameters, page.Object)
		return *page.Items, *page.Continue, err
	})
	switch {
	case err != nil:
		return err
	case flags.Format == output.Name && r.Names != nil:
		return r.Names(items, out)
	case flags.Format.ForPrograms():
		if items == nil {
			items = []Item{} // not null, for programs
		}
		*page.Items, *page.Continue = items, next
		return flags.Format.Print(page.Object, out)
	case len(items) == 0:
		_, err = fmt.Fprintln(told, r.None)
		return err
	}
	if err := r.Print(items, out); err != nil || next == "" {
		return err
	}
	_, err = fmt.Fprintln(told, "there are more: --limit 0 shows all")
	return err
}
