// SPDX-License-Identifier: Apache-2.0

// Package promote is the verb that moves a channel of an Image to a build.
package promote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/util/retry"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
)

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	var from, override string
	command := client.NewVerb(&cobra.Command{
		Annotations: map[string]string{client.Successful: ""},
		Use:         "promote BUILD CHANNEL",
		Short:       "Move a channel of an image to a build",
		Long: "Move a channel of an image to a build of the image. The build must have succeeded, and have what the rule of the channel in " +
			"spec.channels requires. Otherwise the command lists what the build lacks. If the channel " +
			"does not exist, the command creates the channel. If another user moves the channel at the same time, " +
			"the command fails and does not move the channel.",
		Example: "  goldsmith promote debian-7 stable\n" +
			"  goldsmith promote debian-7 stable --from debian-5\n" +
			"  goldsmith promote debian-7 stable --override \"the test rig burned down\"",
		Args:              client.Names("two arguments, the name of a BUILD and that of a CHANNEL", 2, client.ImageBuild, client.Text),
		ValidArgsFunction: completion.ImageBuildAndChannel,
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		wanted := &move{build: args[0], channel: args[1]}
		if command.Flags().Changed("override") {
			wanted.override = &v1alpha1.ChannelOverride{Reason: override}
		}
		if command.Flags().Changed("from") {
			wanted.from = &from
		}
		return run(command.Context(), connection, wanted, command.OutOrStdout())
	})
	command.Flags().StringVar(&from, "from", "", `build that the channel must refer to before the move; "" requires that the channel does not exist`)
	command.Flags().StringVar(&override, "override", "", "reason to move the channel to a build that lacks what the channel requires; needs the verb override of images/channels")
	if err := command.RegisterFlagCompletionFunc("from", completion.ImageBuild); err != nil {
		panic(err) // cannot fail: the line above adds the flag
	}
	return command
}

// move is the requested move of a channel.
type move struct {
	build, channel string
	// from is the build that the channel must name before the move. nil accepts the build that try reads first. An
	// empty name requires that the channel does not exist.
	from *string
	// override is the reason to move the channel to a build that lacks what the channel requires. It may be nil.
	override *v1alpha1.ChannelOverride
	// image is the Image of the build.
	image string
}

func run(ctx context.Context, connection *client.Connection, wanted *move, out io.Writer) error {
	build, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Get(ctx, wanted.build, metav1.GetOptions{})
	switch {
	case client.IsNotFound(err, "imagebuilds", wanted.build):
		return connection.NotFound(ctx, client.ImageBuild, wanted.build)
	case err != nil:
		return fmt.Errorf("get build %s: %w", wanted.build, err)
	case build.Spec.ImageRef == nil:
		return fmt.Errorf("build %s has no image: name a build of an image, because only images have channels", wanted.build)
	}
	wanted.image = build.Spec.ImageRef.Name
	moved := false
	err = retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() (err error) {
		moved, err = wanted.try(ctx, connection)
		return err
	})
	if missing := missingThings(err); len(missing) > 0 {
		return fmt.Errorf("channel %s of image %s does not move to %s:\n  - %s\nto move it anyway, tell why with --override REASON, which needs the role admin",
			wanted.channel, wanted.image, wanted.build, strings.Join(missing, "\n  - "))
	}
	if err != nil {
		return fmt.Errorf("move channel %s of image %s to %s: %w", wanted.channel, wanted.image, wanted.build, err)
	}
	if moved {
		_, err = fmt.Fprintf(out, "channel %s of image %s: %s → %s\n", wanted.channel, wanted.image, buildOrNone(*wanted.from), wanted.build)
	} else {
		_, err = fmt.Fprintf(out, "channel %s of image %s is %s already\n", wanted.channel, wanted.image, wanted.build)
	}
	return err
}

// try moves the channel if the channel names the expected build. If the Image changes meanwhile, the update returns a
// conflict. try returns false if the channel names the new build already.
func (m *move) try(ctx context.Context, connection *client.Connection) (moved bool, err error) {
	images := connection.ImagesV1alpha1().Images(connection.Namespace)
	channels, err := images.GetChannels(ctx, m.image, metav1.GetOptions{})
	if err != nil {
		return false, err
	}
	current := channelNamed(channels, m.channel)
	if current.Build == m.build {
		return false, nil
	}
	if m.from == nil {
		seen := current.Build
		m.from = &seen // from here on, a move by another user is an error
	}
	if current.Build != *m.from {
		return false, fmt.Errorf("channel was expected to name %s, but names %s: check the channel, then promote again", buildOrNone(*m.from), describeMove(current))
	}
	current.Build, current.Override = m.build, m.override
	_, err = images.UpdateChannels(ctx, m.image, channels, metav1.UpdateOptions{})
	return err == nil, err
}

// missingThings returns what a build lacks of what a channel requires, as the server tells it.
func missingThings(err error) (missing []string) {
	refusal, ok := errors.AsType[*apierrors.StatusError](err)
	if !ok || !apierrors.IsInvalid(err) || refusal.ErrStatus.Details == nil {
		return nil
	}
	for _, cause := range refusal.ErrStatus.Details.Causes {
		if cause.Type == metav1.CauseType(field.ErrorTypeForbidden) {
			missing = append(missing, strings.TrimPrefix(cause.Message, field.ErrorTypeForbidden.String()+": "))
		}
	}
	return missing
}

// channelNamed returns the channel of a name. If there is no such channel, channelNamed adds the channel.
func channelNamed(channels *v1alpha1.ImageChannels, name string) *v1alpha1.ImageChannel {
	for i := range channels.Channels {
		if channels.Channels[i].Name == name {
			return &channels.Channels[i]
		}
	}
	channels.Channels = append(channels.Channels, v1alpha1.ImageChannel{Name: name})
	return &channels.Channels[len(channels.Channels)-1]
}

// buildOrNone returns the name of a build, or "none".
func buildOrNone(build string) string {
	if build == "" {
		return "none"
	}
	return build
}

// describeMove returns the build that a channel names, the user who moved the channel, and the time.
func describeMove(channel *v1alpha1.ImageChannel) string {
	text := buildOrNone(channel.Build)
	if channel.By != "" {
		text += ", moved by " + channel.By
	}
	if !channel.Time.IsZero() {
		text += " at " + channel.Time.UTC().Format(time.RFC3339)
	}
	return text
}
