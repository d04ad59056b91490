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
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	flags := &client.Flags{}
	command := &cobra.Command{
		Use:   "builders [NAME]",
		Short: "List the registered builders, and how many images use each",
		Long: "List the registered builders, and how many images use each. The list also has builders " +
			"that are used by images but not registered. RUNS shows whether the builder can run. For an executable, " +
			"the server checks that the file exists and is executable, and that the files of its variables can be read. The server cannot check whether a container " +
			"image can run. DESCRIPTION is what the operator wrote in the document of builders.\n\nWith a NAME, show one builder: its parameters with their types, defaults and values, and the targets that it makes. In a cluster, the command needs permission to get Deployments and ConfigMaps in namespace goldsmith-system.",
		Example: "  goldsmith builders\n" +
			"  goldsmith builders -n team\n" +
			"  goldsmith builders disk",
		Args:              client.Names("at most one argument, the NAME of a builder", 0, client.Text),
		ValidArgsFunction: complete(flags),
		RunE: func(command *cobra.Command, args []string) error {
			connection, err := flags.Connect(command.ErrOrStderr())
			if err != nil {
				return err
			}
			cluster, err := kubernetes.NewForConfig(connection.Config)
			if err != nil {
				return fmt.Errorf("make a client: %w", err)
			}
			if len(args) == 0 {
				return run(command.Context(), connection, cluster, flags.Namespace, command.OutOrStdout(), command.ErrOrStderr())
			}
			registered, err := read(command.Context(), cluster)
			if err != nil {
				return err
			}
			return show(registered, args[0], command.OutOrStdout())
		},
	}
	flags.AddTo(command.Flags())
	command.Flags().Lookup("namespace").Usage = "namespace of the images to count (default: all namespaces)"
	return command
}

// complete completes the name of a registered builder.
func complete(flags *client.Flags) cobra.CompletionFunc {
	names := completion.Values(flags, func(ctx context.Context, connection *client.Connection, _ []string) ([]string, error) {
		cluster, err := kubernetes.NewForConfig(connection.Config)
		if err != nil {
			return nil, err
		}
		registered, err := read(ctx, cluster)
		if err != nil {
			return nil, err
		}
		return slices.Sorted(maps.Keys(registered.builders)), nil
	})
	return func(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names(command, args, begun)
	}
}

func run(ctx context.Context, connection *client.Connection, cluster kubernetes.Interface, namespace string, out, told io.Writer) error {
	registered, err := read(ctx, cluster)
	if err != nil {
		return err
	}
	images, _, err := connection.ListImages(ctx, namespace, told)
	if err != nil {
		return err
	}
	return output.Table([]string{"Name", "Kind", "Runs", "Reports", "Images", "Description", "Builder"}, rows(registered, images), out)
}

const none = "<none>"

// rows returns the registered builders, then the unregistered names that images use, then the container images that images use.
func rows(registered *registry, images []v1alpha1.Image) [][]any {
	byName, byImage := map[string][]string{}, map[string][]string{}
	for i := range images {
		builder, user := &images[i].Spec.Builder, images[i].Namespace+"/"+images[i].Name
		if builder.Image != "" {
			byImage[builder.Image] = append(byImage[builder.Image], user)
		} else {
			byName[builder.Name] = append(byName[builder.Name], user)
		}
	}
	var rows [][]any
	for _, name := range slices.Sorted(maps.Keys(registered.builders)) {
		builder := registered.builders[name]
		rows = append(rows, []any{
			name, builder.kind(), builder.runs(), yes(builder.reports), len(byName[name]), cmp.Or(builder.description, none), cmp.Or(builder.problem, builder.source),
		})
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if _, known := registered.builders[name]; !known {
			rows = append(rows, []any{name, none, "no", "no", len(byName[name]), none, "not registered; used by " + users(byName[name])})
		}
	}
	for _, image := range slices.Sorted(maps.Keys(byImage)) {
		runs, text := unknown, image
		if !registered.allowsImages {
			runs, text = "no", image+": not allowed here; used by "+users(byImage[image])
		}
		rows = append(rows, []any{none, kindImage, runs, "no", len(byImage[image]), none, text})
	}
	return rows
}

func yes(is bool) string {
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
