// SPDX-License-Identifier: Apache-2.0

// Package kinds is the verb that lists the kinds of the catalog, and prints an example of one. It asks discovery and OpenAPI, which
// every user can read. It must never need permissions for ImageKinds or Images.
package kinds

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	var format output.Format
	command := client.NewVerb(&cobra.Command{
		Use:   "kinds [KIND]",
		Short: "List the kinds of the catalog, or print an example of one",
		Long: "List the kinds that the server offers in addition to images. With a KIND, print an example that can be applied: " +
			"the required fields are set, and comments describe all fields. A KIND is a name of the list, such as debianserver or deb.",
		Example:           "  goldsmith kinds\n  goldsmith kinds debianserver > server.yaml",
		Args:              client.Names("at most one argument, a KIND", 0, client.Text),
		ValidArgsFunction: completion.Arguments(listNames),
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		if len(args) == 0 {
			return list(connection, format, command.OutOrStdout(), command.ErrOrStderr())
		}
		kind, err := connection.CatalogKind(args[0])
		if err != nil {
			return err
		}
		if format != "" {
			return fmt.Errorf("-o %s prints the list, but `%s` prints an example: omit one of them", format, command.CommandPath()+" "+args[0])
		}
		return example(command.Context(), connection, kind, command.OutOrStdout())
	})
	format.AddTo(command)
	return command
}

// listNames lists the names of the kinds, with their descriptions.
func listNames(_ context.Context, connection *client.Connection, _ []string) ([]string, error) {
	kinds, err := connection.CatalogKinds()
	var names []string
	for i := range kinds {
		names = append(names, cobra.CompletionWithDesc(kinds[i].SingularName, kinds[i].Kind))
	}
	return names, err
}

// list writes the kinds to out. A message for people is written to stderr.
func list(connection *client.Connection, format output.Format, out, stderr io.Writer) error {
	kinds, err := connection.CatalogKinds()
	if err != nil {
		return err
	}
	switch {
	case format == output.Name:
		for i := range kinds {
			if _, err := fmt.Fprintln(out, kinds[i].Name+"."+v1alpha1.CatalogGroup); err != nil {
				return err
			}
		}
		return nil
	case format.ForPrograms():
		resources := &metav1.APIResourceList{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}, GroupVersion: v1alpha1.CatalogGroup, APIResources: []metav1.APIResource{},
		}
		for i := range kinds {
			resources.APIResources = append(resources.APIResources, kinds[i].APIResource)
		}
		return format.Print(resources, out)
	case len(kinds) == 0:
		_, err := fmt.Fprintln(stderr, "the catalog of the server has no kinds")
		return err
	}
	documents := documents{connection: connection}
	var rows [][]any
	for i := range kinds {
		schema, err := documents.schemaOf(&kinds[i])
		if err != nil {
			return err
		}
		rows = append(rows, []any{kinds[i].Kind, kinds[i].Name, strings.Join(kinds[i].ShortNames, ","), kinds[i].Version, output.OneLine(schema.Description)})
	}
	return output.Table([]string{"Kind", "Resource", "Short Names", "Version", "Description"}, rows, out)
}
