// SPDX-License-Identifier: Apache-2.0

// Package revoke is the verbs that revoke a build, and take its revocation back.
package revoke

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// NewCommand returns the verb revoke.
func NewCommand() *cobra.Command {
	var request v1alpha1.RevokeRequest
	var at string
	command := client.NewVerb(&cobra.Command{
		Use:   "revoke BUILD --reason TEXT",
		Short: "Revoke a build, so that nothing uses its artifacts any more",
		Long: "Revoke a build: no channel moves to it, no build takes it as its base, and `goldsmith artifacts get`, `goldsmith boot` and " +
			"`goldsmith verify` refuse it. An unfinished build is cancelled. Its image is not ready until another build succeeds. " +
			"The output lists the builds that are based on it: --descendants revokes them, too. With --at, the build is revoked from a later " +
			"time on. `goldsmith unrevoke` takes the revocation back. Both need the role admin.",
		Example: "  goldsmith revoke debian-7 --reason 'has the key of staging' --descendants\n" +
			"  goldsmith revoke debian-5 --reason 'end of life' --at 2027-06-30T00:00:00Z",
		Args:              client.OneName("the name of a BUILD", client.ImageBuild),
		ValidArgsFunction: completion.ImageBuilds,
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		if at != "" {
			time, err := time.Parse(time.RFC3339, at)
			if err != nil {
				return fmt.Errorf("--at %q: must be a time such as 2027-06-30T00:00:00Z", at)
			}
			request.EffectiveTime = new(metav1.NewTime(time))
		}
		return revoke(command.Context(), connection, args[0], &request, clock.RealClock{}, command.OutOrStdout())
	})
	set := command.Flags()
	set.StringVar(&request.Reason, "reason", "", "reason for the revocation, at most 1024 characters")
	set.BoolVar(&request.Descendants, "descendants", false, "revoke also the builds that are based on it, directly and through other builds")
	set.StringVar(&at, "at", "", "RFC 3339 `time` from which the build is revoked (default: now)")
	if err := command.MarkFlagRequired("reason"); err != nil {
		panic(err) // cannot fail: the lines above add the flag
	}
	return command
}

// NewUndoCommand returns the verb unrevoke.
func NewUndoCommand() *cobra.Command {
	var request v1alpha1.RestoreRequest
	command := client.NewVerb(&cobra.Command{
		Use:   "unrevoke BUILD",
		Short: "Take the revocation of a build back",
		Long: "Take the revocation of a build back, or cancel one that is scheduled. A build that was cancelled by its revocation stays " +
			"cancelled. If the build is deleted, delete the RevokedArtifact of its content with kubectl. With --descendants, the command also does so for the builds that were revoked together with it.",
		Example: "  goldsmith unrevoke debian-7\n" +
			"  goldsmith unrevoke debian-7 --descendants --reason 'the key was the right one'",
		Args:              client.OneName("the name of a BUILD", client.ImageBuild),
		ValidArgsFunction: completion.ImageBuilds,
	}, func(command *cobra.Command, connection *client.Connection, args []string) error {
		return restore(command.Context(), connection, args[0], &request, command.OutOrStdout())
	})
	command.Flags().StringVar(&request.Reason, "reason", "", "reason for the restoration, at most 1024 characters")
	command.Flags().BoolVar(&request.Descendants, "descendants", false, "restore also the builds that were revoked together with it")
	return command
}

// revoke revokes a build, and lists the builds that are based on it.
func revoke(ctx context.Context, connection *client.Connection, name string, request *v1alpha1.RevokeRequest, clock clock.PassiveClock, out io.Writer) error {
	build, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Revoke(ctx, name, request, metav1.CreateOptions{})
	switch {
	case client.IsNotFound(err, "imagebuilds", name):
		return connection.NotFound(ctx, client.ImageBuild, name)
	case err != nil:
		return fmt.Errorf("revoke build %s: %w", name, err)
	}
	state := "is revoked"
	at := build.Status.Revoked.Pending(clock.Now())
	switch {
	case !at.IsZero():
		state = "will be revoked at " + at.UTC().Format(time.RFC3339)
	case build.Status.Revoked.Reason != request.Reason:
		state = "was revoked before: it was " + build.Status.Revoked.Explain()
	}
	if _, err := fmt.Fprintf(out, "%s %s\n", name, state); err != nil {
		return err
	}
	based, err := BasedOn(ctx, connection, build, clock.Now())
	if err != nil || len(based) == 0 {
		return err
	}
	hint := ""
	if !request.Descendants {
		hint = "; --descendants revokes them, too"
	}
	_, err = fmt.Fprintf(out, "based on it, and not revoked: %s%s\n", strings.Join(based, ", "), hint)
	return err
}

// restore takes the revocation of a build back.
func restore(ctx context.Context, connection *client.Connection, name string, request *v1alpha1.RestoreRequest, out io.Writer) error {
	_, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Restore(ctx, name, request, metav1.CreateOptions{})
	switch {
	case client.IsNotFound(err, "imagebuilds", name):
		return connection.NotFound(ctx, client.ImageBuild, name)
	case err != nil:
		return fmt.Errorf("restore build %s: %w", name, err)
	}
	_, err = fmt.Fprintf(out, "%s is not revoked\n", name)
	return err
}

// BasedOn returns the names of the successful builds that are based on a revoked build or share its artifacts, and are not revoked by then themselves.
func BasedOn(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, now time.Time) (names []string, err error) {
	all, err := connection.ListBuilds(ctx, build.Namespace, fields.OneTermEqualSelector("status.phase", string(v1alpha1.BuildSucceeded)))
	if err != nil {
		return nil, err
	}
	for _, each := range inputs.Descendants(build, all, true) {
		if own := each.Status.Revoked; own == nil || own.Pending(now).After(build.Status.Revoked.Since()) {
			names = append(names, each.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}
