// SPDX-License-Identifier: Apache-2.0

// Package request has the flags and the output that the verbs that start a build share.
package request

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// Flags are the flags of a request for a build.
type Flags struct {
	// ID is the name of the request. If ID is empty, the server generates a name.
	ID string
	// Message is the reason for the build, for people.
	Message string

	follow bool
	wait   bool
	format output.Format
}

// AddTo adds the flags to a verb.
func (f *Flags) AddTo(command *cobra.Command) {
	set := command.Flags()
	set.StringVar(&f.Message, "message", "", "reason for the build, at most 1024 characters")
	set.StringVar(&f.ID, "request-id", "", "ID of the request; a repeated ID returns the existing build (default: a random ID)")
	set.BoolVarP(&f.follow, "follow", "f", false, "live output of the log, until the build has finished")
	set.BoolVar(&f.wait, "wait", false, "wait until the build has finished")
	f.format.AddTo(command)
}

// Check refuses flags that exclude each other. Verbs call Check before they start a build.
func (f *Flags) Check() error {
	if f.follow && f.format.Structured() {
		return fmt.Errorf("-o %s and -f would mix the build with its log: use --wait instead of -f", f.format)
	}
	return nil
}

// Show prints a build that was started. With -f or --wait, Show returns once the build has finished, and returns an error with
// an exit code unless the build succeeded. In a structured format, Show then prints the finished build. Show writes everything
// except the progress of the build to options.Out.
func (f *Flags) Show(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild, options follow.Options) error {
	out := options.Out
	structured := f.format.Structured()
	waits := f.follow || f.wait
	if !structured || !waits {
		if err := f.print(build, out); err != nil {
			return err
		}
	}
	if !waits {
		return nil
	}
	options.WithoutLog = !f.follow
	var finished *v1alpha1.ImageBuild
	var err error
	if object := client.ObjectOf(ctx); object != nil {
		finished, err = follow.ObjectBuild(ctx, connection, object, build, options)
	} else {
		finished, err = follow.Build(ctx, connection, build.Name, options)
	}
	if err != nil {
		return err
	}
	if structured {
		err = f.print(finished, out)
	}
	return errors.Join(err, follow.Outcome(finished))
}

func (f *Flags) print(build *v1alpha1.ImageBuild, out io.Writer) error {
	if !f.format.ForPrograms() {
		_, err := fmt.Fprintln(out, build.Name)
		return err
	}
	return f.format.Print(build, out)
}
