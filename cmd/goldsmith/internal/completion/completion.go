// SPDX-License-Identifier: Apache-2.0

// Package completion completes the names of objects, and the values of flags, in a shell. It prints nothing else. Without a server
// it completes no names.
package completion

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/fields"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

const (
	// patience is how long a completion may take.
	patience = 2 * time.Second
	// most is the maximum number of names.
	most = 500
)

// A Lister lists names for the argument that follows the arguments before. The text after a tab in a name describes the name.
type Lister func(ctx context.Context, connection *client.Connection, before []string) ([]string, error)

var (
	all       = buildsThat(fields.Everything())
	succeeded = buildsThat(fields.OneTermEqualSelector("status.phase", string(v1alpha1.BuildSucceeded)))

	// Images completes one argument, an Image.
	Images = Arguments(listImages)
	// ImageBuilds completes one argument, a build.
	ImageBuilds = Arguments(all)
	// TwoImageBuilds completes two arguments, both of them builds.
	TwoImageBuilds = Arguments(all, all)
	// UnfinishedImageBuilds completes one argument, a build that has not finished.
	UnfinishedImageBuilds = Arguments(buildsThat(fields.OneTermEqualSelector("status.finished", "false")))
	// ImageBuildsToRerun completes one argument, a build that was not cancelled.
	ImageBuildsToRerun = Arguments(buildsThat(fields.OneTermNotEqualSelector("status.phase", string(v1alpha1.BuildCancelled))))
	// ImagesAndImageBuilds completes one argument, an Image or a build.
	ImagesAndImageBuilds = Arguments(both(listImages, all))
	// ArtifactSources completes one argument, an Image, an Image with one of its channels, or a build that succeeded.
	ArtifactSources = Arguments(both(listImagesAndChannels, succeeded))
	// ImageBuildAndChannel completes two arguments, a build that succeeded and a channel that its Image has already.
	ImageBuildAndChannel = Arguments(succeeded, listChannels)
)

// ArtifactSourcesAndFiles completes one argument, as ArtifactSources does or, if no name fits, as a file.
func ArtifactSourcesAndFiles(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, _ := ArtifactSources(command, args, begun)
	return names, cobra.ShellCompDirectiveDefault
}

// Arguments completes one argument for each lister.
func Arguments(listers ...Lister) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(listers) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return Value(listers[len(args)])(command, args, begun)
	}
}

// both lists the names of two listers.
func both(first, second Lister) Lister {
	return func(ctx context.Context, connection *client.Connection, before []string) ([]string, error) {
		names, err := first(ctx, connection, before)
		if err != nil {
			return nil, err
		}
		more, err := second(ctx, connection, before)
		return append(names, more...), err
	}
}

// beginningWith returns the names that begin with the typed text.
func beginningWith(begun string, names []string) []string {
	var fitting []string
	for _, name := range names {
		if strings.HasPrefix(name, begun) {
			fitting = append(fitting, name)
		}
	}
	return fitting
}
