// SPDX-License-Identifier: Apache-2.0

package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/exit"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
)

// testRequest is the body of a request for another test of a build.
type testRequest struct {
	metav1.TypeMeta `json:",inline"`

	Message string   `json:"message,omitempty"`
	Tests   []string `json:"tests,omitempty"`
}

// testAgain tests the artifacts of a build again on the server, and waits for the build that does.
func (o *options) testAgain(ctx context.Context, connection *client.Connection, build *v1alpha1.ImageBuild) error {
	wanted := testRequest{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "TestRequest"}, Message: o.message, Tests: o.only}
	body, err := json.Marshal(wanted)
	if err != nil {
		return err
	}
	again := &v1alpha1.ImageBuild{}
	request := connection.ImagesV1alpha1().RESTClient().Post().Namespace(connection.Namespace).Resource("imagebuilds").Name(build.Name).SubResource("tests")
	err = request.SetHeader("Content-Type", runtime.ContentTypeJSON).Body(body).Do(ctx).Into(again)
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
