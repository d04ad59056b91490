// SPDX-License-Identifier: Apache-2.0

// Package notes is the verb that shows what people noted about an Image, and adds to it.
package notes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/output"
)

// defaultLimit is how many notes people read.
const defaultLimit = 30

type options struct {
	uid, id string
	limit   int
	format  output.Format
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	flags := &client.Flags{}
	asked := &options{}
	command := &cobra.Command{
		Use:   "notes IMAGE [TEXT]",
		Short: "Show what was noted about an image, or note something",
		Long: "Show what was noted about an image, the newest first; or, with a TEXT of at most 4096 bytes, note that. Notes are kept\n" +
			"with the records of builds, carry the name of who wrote them, and cannot be changed.",
		Example: "  goldsmith notes debian\n" +
			"  goldsmith notes debian 'edition 7 was withdrawn: CVE-2026-0001'",
		Args:              client.Names("the name of an IMAGE, and maybe a TEXT", 1, 2),
		ValidArgsFunction: completion.Images(flags),
		RunE: func(command *cobra.Command, args []string) error {
			if asked.limit < 0 {
				return errors.New("--limit must be 0, which is no limit, or more")
			}
			connection, err := flags.Connect(command.ErrOrStderr())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return show(command.Context(), connection, args[0], asked, command.OutOrStdout(), command.ErrOrStderr())
			}
			return add(command.Context(), connection, args[0], args[1], asked, command.OutOrStdout())
		},
	}
	flags.AddTo(command.Flags())
	command.Flags().StringVar(&asked.uid, "uid", "", "show those about the image IMAGE that had this metadata.uid, although it was deleted")
	command.Flags().StringVar(&asked.id, "id", "", "a name of your own for the note: sent again, it is the same note; a random one by default")
	command.Flags().IntVar(&asked.limit, "limit", defaultLimit, "show at most this many notes; 0 is no limit")
	asked.format.AddTo(command)
	return command
}

func show(ctx context.Context, connection *client.Connection, image string, asked *options, out, told io.Writer) error {
	list := &v1alpha1.ImageNoteList{}
	notes, next, err := client.Pages(asked.limit, func(limit int, next string) ([]v1alpha1.ImageNote, string, error) {
		list = &v1alpha1.ImageNoteList{}
		err := connection.ReadImage(ctx, image, "notes", map[string]string{"limit": strconv.Itoa(limit), "continue": next, "uid": asked.uid}, list)
		return list.Items, list.Continue, err
	})
	if err != nil {
		return err
	}
	if asked.format != "" {
		list.Items, list.Continue = notes, next
		if notes == nil {
			list.Items = []v1alpha1.ImageNote{} // not null, for programs
		}
		return asked.format.Print(list, out)
	}
	if len(notes) == 0 {
		_, err = fmt.Fprintf(told, "nothing was noted about image %s\n", image)
		return err
	}
	if err := describe(notes, out); err != nil || next == "" {
		return err
	}
	_, err = fmt.Fprintln(told, "there are more: --limit 0 shows all")
	return err
}

// add sends a note, and shows it as it is recorded.
func add(ctx context.Context, connection *client.Connection, image, text string, asked *options, out io.Writer) error {
	if asked.uid != "" {
		return errors.New("--uid is for showing notes: nothing is noted about an image that was deleted")
	}
	note := &v1alpha1.ImageNote{NoteRecord: v1alpha1.NoteRecord{ID: asked.id, Text: text}}
	recorded := &v1alpha1.ImageNote{}
	err := connection.ImagesV1alpha1().RESTClient().Post().
		Namespace(connection.Namespace).Resource("images").Name(image).SubResource("notes").MaxRetries(0).Body(note).Do(ctx).Into(recorded)
	switch {
	case client.IsNotFound(err, "images", image):
		return fmt.Errorf("no image named %s in namespace %s", image, connection.Namespace)
	case err != nil:
		return fmt.Errorf("note something about image %s: %w", image, err)
	case asked.format != "":
		return asked.format.Print(recorded, out)
	}
	return describe([]v1alpha1.ImageNote{*recorded}, out)
}

// describe writes notes for people: who wrote it and when above the text, whose lines are set in.
func describe(notes []v1alpha1.ImageNote, out io.Writer) error {
	var text strings.Builder
	for i := range notes {
		note := &notes[i]
		if i > 0 {
			text.WriteString("\n")
		}
		written := "<unknown>"
		if note.Time != nil {
			written = note.Time.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(&text, "%s  %s\n", written, output.OneLine(note.Author))
		for line := range strings.Lines(note.Text) {
			text.WriteString("    " + output.OneLine(strings.TrimRight(line, "\r\n")) + "\n")
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}
