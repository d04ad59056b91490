// SPDX-License-Identifier: Apache-2.0

package test

import (
	"context"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
)

// testAgain tests the artifacts of a build again on the server, and waits for the build that does.
func (o *options) testAgain(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild) error {
	request := &v1alpha1.TestRequest{RequestID: o.requestID, Message: o.message, Tests: o.only}
	again, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Test(ctx, build.Name, request, metav1.CreateOptions{})
	if client.IsNotFound(err, "imagebuilds", build.Name) {
		return connection.NotFound(ctx, client.ImageBuild, build.Name)
	}
	if err != nil {
		return fmt.Errorf("test build %s: %w", build.Name, err)
	}
	if _, err := fmt.Fprintln(o.out, again.Name); err != nil {
		return err
	}
	show := o.show
	show.WithoutLog = true
	finished, err := follow.Build(ctx, connection, again.Name, show)
	if err != nil {
		return err
	}
	return errors.Join(o.writeReport(ctx, connection, finished), outcome(finished))
}

// writeReport writes the report of a build on the server for --junit.
func (o *options) writeReport(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild) error {
	if o.junit == "" {
		return nil
	}
	for i := range build.Status.Tests {
		if test := &build.Status.Tests[i]; test.Report != nil {
			return writeFile(o.junit, func(to io.Writer) error {
				return artifacts.Fetch(ctx, connection, build, artifacts.Request{
					Argument: build.Name, Target: test.Target, Document: "junit", PlainHTTP: o.plainHTTP, Out: to, Stderr: o.stderr, Style: o.style,
				})
			})
		}
	}
	return fmt.Errorf("build %s has no report about its tests", build.Name)
}

// outcome returns the error for a build whose tests failed, with the same exit code as for tests on this machine, or the error for another
// build that did not succeed.
func outcome(build *v1alpha1.ImageBuild) error {
	if failure := build.Status.Failure; failure != nil && failure.Class == v1alpha1.FailureTest {
		return &exit.Error{Code: exit.TestsFailed, Err: fmt.Errorf("build %s: %s", build.Name, failure.Message), Shown: true}
	}
	return follow.Outcome(build)
}
