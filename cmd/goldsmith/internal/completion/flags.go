// SPDX-License-Identifier: Apache-2.0

package completion

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// directories are the flags of any verb that name a directory.
var directories = []string{"data-dir", "files"}

// Flags completes the flags of a verb whose values mean the same in every verb: a namespace and a context, where it has the flags of a
// connection, and directories. It leaves flags alone that the verb completes itself.
func Flags(verb *cobra.Command) error {
	for _, name := range directories {
		if verb.Flags().Lookup(name) == nil {
			continue
		}
		if err := verb.MarkFlagDirname(name); err != nil {
			return fmt.Errorf("complete --%s: %w", name, err)
		}
	}
	if verb.Flags().Lookup("namespace") == nil {
		return nil
	}
	for name, complete := range map[string]cobra.CompletionFunc{"namespace": Value(listNamespaces), "context": completeContext} {
		if _, own := verb.GetFlagCompletionFunc(name); own {
			continue
		}
		if err := verb.RegisterFlagCompletionFunc(name, complete); err != nil {
			return fmt.Errorf("complete --%s: %w", name, err)
		}
	}
	return nil
}

// ImageBuild completes the value of a flag, a build.
var ImageBuild = Value(all)

func completeContext(verb *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	names, err := client.FlagsOf(verb).Contexts()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return beginningWith(begun, names), cobra.ShellCompDirectiveNoFileComp
}

// Value completes the value of a flag, after whatever arguments.
func Value(list Lister) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		connection, err := client.FlagsOf(command).Connect(io.Discard)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(command.Context(), patience)
		defer cancel()
		names, err := list(ctx, connection, args)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return beginningWith(begun, names), cobra.ShellCompDirectiveNoFileComp
	}
}

// listNamespaces lists the namespaces of the server.
func listNamespaces(ctx context.Context, connection *client.Connection, _ []string) ([]string, error) {
	answer, err := connection.ImagesV1alpha1().RESTClient().Get().AbsPath("/api/v1/namespaces").
		Param("limit", strconv.Itoa(most)).SetHeader("Accept", runtime.ContentTypeJSON).MaxRetries(0).DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	list := &metav1.PartialObjectMetadataList{}
	if err := json.Unmarshal(answer, list); err != nil {
		return nil, err
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names, nil
}
