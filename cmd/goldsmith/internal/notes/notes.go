// SPDX-License-Identifier: Apache-2.0

// Package notes is the verb that lists and adds notes about an Image.
package notes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/listing"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

type options struct {
	listing.Flags
	id string
}

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	asked := &options{}
	command := client.NewVerb(&cobra.Command{
		Use:   "notes IMAGE [TEXT | -]",
		Short: "List the notes about an image, or add a note",
		Long: "List the notes about an image, newest first. With TEXT, the command adds a note of at most 4096 bytes. " +
			"If TEXT is -, the command reads the note from standard input. A note has the name of its author and " +
			"cannot be changed. The records database stores the notes.",
		Example: "  goldsmith notes debian\n" +
			"  goldsmith notes debian 'edition 7 was withdrawn: CVE-2026-0001'\n" +
			"  goldsmith notes debian - <withdrawal.txt",
		Args:              client.Names("the name of an IMAGE, and maybe a TEXT", 1, client.Image, client.Text),
		ValidArgsFunction: completion.Images,
		PreRunE:           func(*cobra.Command, []string) error { return asked.Check() },
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		if len(args) == 1 {
			return show(command.Context(), connection, args[0], &asked.Flags, command.OutOrStdout(), command.ErrOrStderr())
		}
		if asked.UID != "" {
			return errors.New("--uid lists notes: omit the text, because a note cannot be added to a deleted image")
		}
		text, err := textOf(args[1], command.InOrStdin())
		if err != nil {
			return err
		}
		return add(command.Context(), connection, args[0], text, asked, command.OutOrStdout())
	})
	asked.AddTo(command, "notes", "UID of the image or deleted image whose notes are listed")
	command.Flags().StringVar(&asked.id, "id", "", "ID of the note; a repeated ID returns the existing note (default: a random ID)")
	return command
}

func show(ctx context.Context, connection *client.Connection, image string, asked *listing.Flags, out, stderr io.Writer) error {
	notes := listing.Records[v1alpha1.ImageNote]{
		Subresource: "notes",
		NewPage: func() listing.Page[v1alpha1.ImageNote] {
			page := &v1alpha1.ImageNoteList{}
			return listing.Page[v1alpha1.ImageNote]{Object: page, Items: &page.Items, Continue: &page.Continue}
		},
		None:  fmt.Sprintf("no note is recorded about image %s", image),
		Print: describe,
	}
	return notes.Show(ctx, connection, image, asked, out, stderr)
}

// textOf returns the text of a note: the argument, or stdin if the argument is "-". Newlines at the end of stdin are
// removed, because echo and editors add them.
func textOf(argument string, stdin io.Reader) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	text, err := io.ReadAll(stdin)
	if err != nil {
		return "", fmt.Errorf("read the note from stdin: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// add sends a note, and prints the recorded note.
func add(ctx context.Context, connection *client.Connection, image, text string, asked *options, out io.Writer) error {
	note := &v1alpha1.ImageNote{NoteRecord: v1alpha1.NoteRecord{ID: asked.id, Text: text}}
	recorded := &v1alpha1.ImageNote{}
	err := connection.ImagesV1alpha1().RESTClient().Post().
		Namespace(connection.Namespace).Resource("images").Name(image).SubResource("notes").MaxRetries(0).Body(note).Do(ctx).Into(recorded)
	switch {
	case client.IsNotFound(err, "images", image):
		return connection.NotFound(ctx, client.Image, image)
	case err != nil:
		return fmt.Errorf("add a note about image %s: %w", image, err)
	case asked.Format.ForPrograms():
		return asked.Format.Print(recorded, out)
	}
	return describe([]v1alpha1.ImageNote{*recorded}, out)
}

// describe writes notes for people: the author and the time, and below them the indented text.
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
