// SPDX-License-Identifier: Apache-2.0

// Package builders is the verb that lists the registered builders, and the images that use them.
package builders

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	command := client.NewVerb(&cobra.Command{
		Use:   "builders [NAME]",
		Short: "List the registered builders, and how many images use each",
		Long: "List the registered builders, and how many images use each. The list also has builders " +
			"that are used by images but not registered. RUNS shows whether the builder can run. For an executable, " +
			"the server checks that the file exists and is executable, and that the files of its variables can be read. The server cannot check whether a container " +
			"image can run. DESCRIPTION is what the operator wrote in the document of builders.\n\nWith a NAME, show one builder: its parameters with their types, defaults and values, the targets that it makes, and the reasons with which it fails. The command reads the resource builders, as kubectl get builders does.",
		Example: "  goldsmith builders\n" +
			"  goldsmith builders -n team\n" +
			"  goldsmith builders disk",
		Args:              client.Names("at most one argument, the NAME of a builder", 0, client.Text),
		ValidArgsFunction: completion.Arguments(listNames),
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		if len(args) == 0 {
			return run(command.Context(), connection, client.FlagsOf(command).Namespace, command.OutOrStdout(), command.ErrOrStderr())
		}
		builder, err := get(command.Context(), connection, args[0])
		if err != nil {
			return err
		}
		return show(builder, command.OutOrStdout())
	})
	command.Flags().Lookup("namespace").Usage = "namespace of the images to count (default: all namespaces)"
	return command
}

// listNames lists the names of the registered builders.
func listNames(ctx context.Context, connection *client.Connection, _ []string) ([]string, error) {
	registered, err := list(ctx, connection)
	var names []string
	for i := range registered {
		names = append(names, registered[i].Name)
	}
	return names, err
}

func run(ctx context.Context, connection *client.Connection, namespace string, out, stderr io.Writer) error {
	registered, err := list(ctx, connection)
	if err != nil {
		return err
	}
	images, _, err := connection.ListImages(ctx, namespace, stderr)
	if err != nil {
		return err
	}
	return output.Table([]string{"Name", "Kind", "Runs", "Reports", "Images", "Description", "Builder"}, rows(registered, images), out)
}

const none = "<none>"

// rows returns the registered builders, then the unregistered names that images use, then the container images that images use.
func rows(registered []v1alpha1.Builder, images []v1alpha1.Image) [][]any {
	byName, byImage, refused := map[string][]string{}, map[string][]string{}, map[string]bool{}
	for i := range images {
		builder, user := &images[i].Spec.Builder, images[i].Namespace+"/"+images[i].Name
		if builder.Image != "" {
			byImage[builder.Image] = append(byImage[builder.Image], user)
			resolved := client.CurrentCondition(&images[i], v1alpha1.ImageInputsResolved)
			refused[builder.Image] = refused[builder.Image] || resolved != nil && resolved.Reason == string(v1alpha1.ReasonBuilderNotAllowed)
		} else {
			byName[builder.Name] = append(byName[builder.Name], user)
		}
	}
	var rows [][]any
	for i := range registered {
		builder := &registered[i]
		rows = append(rows, []any{
			builder.Name, kind(builder), runs(builder), yesOrNo(builder.Reports), len(byName[builder.Name]), cmp.Or(builder.Description, none), cmp.Or(problem(builder), program(builder)),
		})
		delete(byName, builder.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		rows = append(rows, []any{name, none, "no", "no", len(byName[name]), none, "not registered; used by " + users(byName[name])})
	}
	for _, image := range slices.Sorted(maps.Keys(byImage)) {
		runs, text := unknown, image
		if refused[image] {
			runs, text = "no", image+": not allowed here; used by "+users(byImage[image])
		}
		rows = append(rows, []any{none, kindImage, runs, "no", len(byImage[image]), none, text})
	}
	return rows
}

func yesOrNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// users returns the first images that use a builder, and the number of further images.
func users(images []string) string {
	const named = 2
	if more := len(images) - named; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(images[:named], ", "), more)
	}
	return strings.Join(images, ", ")
}
