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

// lister lists names for the argument that follows before. The text after a tab in a name describes the name.
type lister func(ctx context.Context, connection *client.Connection, before []string) ([]string, error)

// Images completes one argument, an Image.
func Images(flags *client.Flags) cobra.CompletionFunc {
	return complete(flags, listImages)
}

// ImageBuilds completes one argument, a build.
func ImageBuilds(flags *client.Flags) cobra.CompletionFunc {
	return complete(flags, buildsThat(fields.Everything()))
}

// TwoImageBuilds completes two arguments, both of them builds.
func TwoImageBuilds(flags *client.Flags) cobra.CompletionFunc {
	all := buildsThat(fields.Everything())
	return complete(flags, all, all)
}

// UnfinishedImageBuilds completes one argument, a build that has not finished.
func UnfinishedImageBuilds(flags *client.Flags) cobra.CompletionFunc {
	return complete(flags, buildsThat(fields.OneTermEqualSelector("status.finished", "false")))
}

// ImageBuildsToRerun completes one argument, a build that was not cancelled.
func ImageBuildsToRerun(flags *client.Flags) cobra.CompletionFunc {
	return complete(flags, buildsThat(fields.OneTermNotEqualSelector("status.phase", string(v1alpha1.BuildCancelled))))
}

// ImagesAndImageBuilds completes one argument, an Image or a build.
func ImagesAndImageBuilds(flags *client.Flags) cobra.CompletionFunc {
	return complete(flags, func(ctx context.Context, connection *client.Connection, before []string) ([]string, error) {
		images, err := listImages(ctx, connection, before)
		if err != nil {
			return nil, err
		}
		builds, err := buildsThat(fields.Everything())(ctx, connection, before)
		return append(images, builds...), err
	})
}

// ArtifactSources completes one argument, an Image, an Image with one of its channels, or a build that succeeded.
func ArtifactSources(flags *client.Flags) cobra.CompletionFunc {
	succeeded := fields.OneTermEqualSelector("status.phase", string(v1alpha1.BuildSucceeded))
	return complete(flags, func(ctx context.Context, connection *client.Connection, before []string) ([]string, error) {
		images, err := listImagesAndChannels(ctx, connection)
		if err != nil {
			return nil, err
		}
		builds, err := buildsThat(succeeded)(ctx, connection, before)
		return append(images, builds...), err
	})
}

// Values completes the value of a flag with the values that list returns for the arguments of the command.
func Values(flags *client.Flags, list func(ctx context.Context, connection *client.Connection, args []string) ([]string, error)) cobra.CompletionFunc {
	return value(flags, list)
}

// ImageBuildAndChannel completes two arguments, a build that succeeded and a channel that its Image has already.
func ImageBuildAndChannel(flags *client.Flags) cobra.CompletionFunc {
	succeeded := fields.OneTermEqualSelector("status.phase", string(v1alpha1.BuildSucceeded))
	return complete(flags, buildsThat(succeeded), listChannels)
}

// complete completes an argument for each lister.
func complete(flags *client.Flags, listers ...lister) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(listers) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return value(flags, listers[len(args)])(command, args, begun)
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
