// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// trial is a build that shows whether an installation works.
type trial struct {
	namespace string
	// fails lets the builder fail. Where artifacts must be located, the builder mock cannot succeed.
	fails   bool
	timeout time.Duration
}

// newTrialCommand returns the command that helm test runs, in the image of the controller because that is there.
func newTrialCommand() *cobra.Command {
	var o options
	t := trial{}
	command := &cobra.Command{
		Use:   "trial",
		Short: "Build with the builder mock, and fail unless the build ends as expected; helm test starts it",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := o.config()
			if err != nil {
				return err
			}
			client, err := versioned.NewForConfig(config)
			if err != nil {
				return err
			}
			return t.run(command.Context(), client, command.OutOrStdout())
		},
	}
	o.addKubeconfigTo(command.Flags())
	command.Flags().StringVar(&t.namespace, "namespace", metav1.NamespaceDefault, "namespace of the build")
	command.Flags().BoolVar(&t.fails, "failing", false, "failure of the builder, as the expected end")
	command.Flags().DurationVar(&t.timeout, "timeout", 4*time.Minute, "time limit, which includes the wait for the API")
	return command
}

// run creates the build, waits for its end, and deletes it.
func (t *trial) run(ctx context.Context, client versioned.Interface, out io.Writer) (err error) {
	ctx, stop := context.WithTimeout(ctx, t.timeout)
	defer stop()
	builds := client.ImagesV1alpha1().ImageBuilds(t.namespace)
	var build *v1alpha1.ImageBuild
	if err := eventually(ctx, func(ctx context.Context) (bool, error) {
		var err error
		build, err = builds.Create(ctx, t.build(), metav1.CreateOptions{})
		return err == nil, err
	}); err != nil {
		return fmt.Errorf("create a build: %w", err)
	}
	defer func() {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer stop()
		err = errors.Join(err, builds.Delete(ctx, build.Name, metav1.DeleteOptions{}))
	}()
	_, _ = fmt.Fprintf(out, "created ImageBuild %s/%s\n", t.namespace, build.Name) // a log that cannot be written is lost
	if err := eventually(ctx, func(ctx context.Context) (bool, error) {
		found, err := builds.Get(ctx, build.Name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		build = found
		return build.Status.Phase.Finished(), fmt.Errorf("its phase is %s", build.Status.Phase)
	}); err != nil {
		return fmt.Errorf("wait for the end of the build: %w", err)
	}
	return t.check(build, out)
}

// check returns an error unless the build has ended as expected.
func (t *trial) check(build *v1alpha1.ImageBuild, out io.Writer) error {
	status := build.Status
	if status.Phase == v1alpha1.BuildSucceeded && !t.fails {
		_, _ = fmt.Fprintln(out, "succeeded")
		return nil
	}
	if status.Failure == nil {
		return fmt.Errorf("the build ended as %s", status.Phase)
	}
	if t.fails && status.Failure.Reason == v1alpha1.ReasonBuilderFailed {
		_, _ = fmt.Fprintf(out, "failed as expected: %s\n", status.Failure.Message)
		return nil
	}
	return fmt.Errorf("the build failed with %s: %s", status.Failure.Reason, status.Failure.Message)
}

// build returns the build, which needs no Image, and no network but that of its report.
func (t *trial) build() *v1alpha1.ImageBuild {
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{GenerateName: "trial-"}}
	build.Spec.Inputs = v1alpha1.BuildInputs{
		Builder: v1alpha1.BuilderReference{Name: "mock"},
		Base:    v1alpha1.Base{Reference: "debian:trixie"}, // the builder does not read it
		Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
	}
	if t.fails {
		build.Spec.Inputs.Parameters = []v1alpha1.Parameter{{Name: "failAt", Value: "1"}}
	}
	return build
}

// eventually asks each second until the answer is yes. After the end of the context it returns the last error of the question.
func eventually(ctx context.Context, ask func(context.Context) (bool, error)) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		done, err := ask(ctx)
		if ctx.Err() == nil || last == nil {
			last = err
		}
		return done, nil
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}
