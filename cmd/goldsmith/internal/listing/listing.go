// SPDX-License-Identifier: Apache-2.0

// Package listing has the flags of the verbs that list records of an image, and the code that reads and prints pages.
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

// defaultLimit keeps the list short enough for people.
const defaultLimit = 30

// Flags are the flags of a verb that lists records of an image.
type Flags struct {
	// UID is the metadata.uid of the image. An empty UID selects the current image of the name.
	UID string
	// Limit is the maximum number of records; 0 is no limit.
	Limit int
	// Format is the output format.
	Format output.Format
}

// AddTo adds the flags to a verb. records is the plural noun for the records, and usage is the help text of --uid.
func (f *Flags) AddTo(command *cobra.Command, records, usage string) {
	command.Flags().StringVar(&f.UID, "uid", "", usage)
	command.Flags().IntVar(&f.Limit, "limit", defaultLimit, "maximum number of "+records+"; 0 is no limit")
	f.Format.AddTo(command)
}

// Check refuses a negative limit.
func (f *Flags) Check() error {
	if f.Limit < 0 {
		return fmt.Errorf("--limit %d: must be 0 (no limit) or greater", f.Limit)
	}
	return nil
}

// Records describes how to read and print records of an image. Parameters and Names are optional. Subresource is
// required unless Read is set. All other fields are required.
type Records[Item any] struct {
	// Subresource is the subresource of the image that serves the records.
	Subresource string
	// Read reads a page of records that no subresource serves.
	Read func(ctx context.Context, image string, parameters map[string]string, into runtime.Object) error
	// Parameters are query parameters in addition to the parameters of the flags and of paging.
	Parameters map[string]string
	// NewPage returns an empty page.
	NewPage func() Page[Item]
	// None is the message for people if there are no records.
	None string
	// Print writes records for people.
	Print func(items []Item, out io.Writer) error
	// Names writes records in the format output.Name. The default writes the names of the items.
	Names func(items []Item, out io.Writer) error
}

// Page is an object with records, and pointers to two of its fields.
type Page[Item any] struct {
	runtime.Object
	Items    *[]Item
	Continue *string
}

// Show reads records of an image and writes them to out. Messages for people are written to stderr.
func (r *Records[Item]) Show(ctx context.Context, connection *client.Connection, image string, flags *Flags, out, stderr io.Writer) error {
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
			items = []Item{} // programs read [] instead of null
		}
		*page.Items, *page.Continue = items, next
		return flags.Format.Print(page.Object, out)
	case len(items) == 0:
		_, err = fmt.Fprintln(stderr, r.None)
		return err
	}
	if err := r.Print(items, out); err != nil || next == "" {
		return err
	}
	_, err = fmt.Fprintln(stderr, "there are more: --limit 0 shows all")
	return err
}
