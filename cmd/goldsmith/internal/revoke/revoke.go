// SPDX-License-Identifier: Apache-2.0

// Package revoke is the verbs that revoke a build, and take its revocation back.
package revoke

import (
	"context"
	"errors"
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

type options struct {
	request v1alpha1.RevokeRequest
	dryRun  bool
}

// NewCommand returns the verb revoke.
func NewCommand() *cobra.Command {
	var asked options
	request, at := &asked.request, ""
	command := client.NewVerb(&cobra.Command{
		Use:   "revoke BUILD --reason TEXT",
		Short: "Revoke a build, so that nothing uses its artifacts any more",
		Long: "Revoke a build: no channel moves to it, no build takes it as its base, and `goldsmith artifacts get`, `goldsmith boot` and " +
			"`goldsmith verify` refuse it. An unfinished build is cancelled. Its image is not ready until another build succeeds. " +
			"The output lists the builds that are based on it: --descendants revokes them, too, and --dry-run tells which. With --at, the build is revoked from a later " +
			"time on. `goldsmith unrevoke` takes the revocation back. Both need the role admin.",
		Example: "  goldsmith revoke debian-7 --reason 'has the key of staging' --descendants --dry-run\n" +
			"  goldsmith revoke debian-7 --reason 'has the key of staging' --descendants\n" +
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
		return revoke(command.Context(), connection, args[0], &asked, clock.RealClock{}, command.OutOrStdout())
	})
	set := command.Flags()
	set.StringVar(&request.Reason, "reason", "", "reason for the revocation, at most 1024 characters")
	set.BoolVar(&request.Descendants, "descendants", false, "revoke also the builds that are based on it, directly and through other builds")
	set.StringVar(&at, "at", "", "RFC 3339 `time` from which the build is revoked (default: now)")
	set.BoolVar(&asked.dryRun, "dry-run", false, "revoke nothing: ask the server, and list what --descendants would revoke")
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

// revoke revokes a build, and lists the builds that are revoked with it, and those that are based on it and are not. With --descendants it also lists the
// former before the request.
func revoke(ctx context.Context, connection *client.Connection, name string, asked *options, clock clock.PassiveClock, out io.Writer) error {
	builds, request := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace), &asked.request
	if request.Descendants {
		if err := announce(ctx, connection, name, out); err != nil {
			return err
		}
	}
	created := metav1.CreateOptions{}
	if asked.dryRun {
		created.DryRun = []string{metav1.DryRunAll}
	}
	build, err := builds.Revoke(ctx, name, request, created)
	switch {
	case client.IsNotFound(err, "imagebuilds", name):
		return connection.NotFound(ctx, client.ImageBuild, name)
	case err != nil:
		return fmt.Errorf("revoke build %s: %w", name, err)
	case asked.dryRun:
		_, err := fmt.Fprintf(out, "%s is not revoked: --dry-run revokes nothing\n", name)
		return err
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
	all, err := descendants(ctx, connection, build, fields.Everything())
	if err != nil {
		return err
	}
	with := namesOf(all, func(each *v1alpha1.ImageBuild) bool {
		own := each.Status.Revoked
		return own != nil && own.Origin == name && own.Reason == request.Reason
	})
	hint := ""
	if !request.Descendants {
		hint = "; --descendants revokes them, too"
	}
	return errors.Join(list(out, "revoked with it", with, ""), list(out, "based on it, and not revoked", stillGood(all, build, clock.Now()), hint))
}

// announce lists the builds that a request with --descendants revokes.
func announce(ctx context.Context, connection *client.Connection, name string, out io.Writer) error {
	build, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case client.IsNotFound(err, "imagebuilds", name):
		return connection.NotFound(ctx, client.ImageBuild, name)
	case err != nil:
		return fmt.Errorf("get build %s: %w", name, err)
	}
	all, err := descendants(ctx, connection, build, fields.Everything())
	if err != nil {
		return err
	}
	return list(out, "based on it, and to be revoked", namesOf(all, func(each *v1alpha1.ImageBuild) bool { return each.Status.Revoked == nil }), "")
}

func list(out io.Writer, what string, names []string, hint string) error {
	if len(names) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "%s: %s%s\n", what, strings.Join(names, ", "), hint)
	return err
}

// restore takes the revocation of a build back, and lists the builds that are restored with it.
func restore(ctx context.Context, connection *client.Connection, name string, request *v1alpha1.RestoreRequest, out io.Writer) error {
	build, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Restore(ctx, name, request, metav1.CreateOptions{})
	switch {
	case client.IsNotFound(err, "imagebuilds", name):
		return connection.NotFound(ctx, client.ImageBuild, name)
	case err != nil:
		return fmt.Errorf("restore build %s: %w", name, err)
	}
	if _, err := fmt.Fprintf(out, "%s is not revoked\n", name); err != nil {
		return err
	}
	all, err := descendants(ctx, connection, build, fields.Everything())
	if err != nil {
		return err
	}
	return list(out, "based on it, and still revoked", namesOf(all, func(each *v1alpha1.ImageBuild) bool { return each.Status.Revoked != nil }), "")
}

// BasedOn returns the names of the successful builds that are based on a revoked build or share its artifacts, and are not revoked by then themselves.
func BasedOn(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, now time.Time) ([]string, error) {
	all, err := descendants(ctx, connection, build, fields.OneTermEqualSelector("status.phase", string(v1alpha1.BuildSucceeded)))
	if err != nil {
		return nil, err
	}
	return stillGood(all, build, now), nil
}

// descendants returns the selected builds that are based on a build or share its artifacts.
func descendants(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, selected fields.Selector) ([]*v1alpha1.ImageBuild, error) {
	all, err := connection.ListBuilds(ctx, build.Namespace, selected)
	if err != nil {
		return nil, err
	}
	return inputs.Descendants(build, all, true), nil
}

// stillGood returns the names of the successful builds that are not revoked by the time at which a build is.
func stillGood(all []*v1alpha1.ImageBuild, build *v1alpha1.ImageBuild, now time.Time) []string {
	return namesOf(all, func(each *v1alpha1.ImageBuild) bool {
		own := each.Status.Revoked
		return each.Status.Phase == v1alpha1.BuildSucceeded && (own == nil || own.Pending(now).After(build.Status.Revoked.Since()))
	})
}

func namesOf(all []*v1alpha1.ImageBuild, selects func(*v1alpha1.ImageBuild) bool) (names []string) {
	for _, each := range all {
		if selects(each) {
			names = append(names, each.Name)
		}
	}
	slices.Sort(names)
	return names
}
