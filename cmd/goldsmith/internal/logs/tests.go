// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/follow"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// selectTest selects the log of the attempt that ran the test of --test, and returns the lines of the test. Without --test, it returns nil.
// With -f, it waits until the test has begun.
func (f *flags) selectTest(ctx context.Context, options *v1alpha1.ImageBuildLogOptions, connection *client.Connection, name string, stderr io.Writer) (*follow.TestLines, error) {
	if f.test == "" {
		return nil, nil
	}
	lines := &follow.TestLines{Test: f.test, Timestamps: options.Timestamps, Tail: options.TailLines}
	options.TailLines = nil
	if options.UID != "" {
		return lines, nil // the build may be deleted
	}
	build, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the tests of build %s: %w", name, err)
	}
	test := inputs.FindTest(build.Spec.Tests, f.test)
	if test == nil {
		return nil, unknownTest(build, f.test)
	}
	for i := range build.Spec.Tests {
		if other := build.Spec.Tests[i].Name; other != f.test {
			lines.Others = append(lines.Others, other)
		}
	}
	lines.Unprefixed = test.Runner != nil
	if options.Attempt != nil {
		return lines, nil
	}
	number, finished := attemptOf(build, f.test), build.Status.Finished
	if number == 0 && options.Follow && !finished {
		if number, err = f.waitForTest(ctx, connection, name, stderr); err != nil {
			return nil, err
		}
		finished = true
	}
	switch {
	case number == 0 && finished:
		return nil, fmt.Errorf("test %s of build %s never ran: `goldsmith show %[2]s` shows why", f.test, name)
	case number == 0:
		return nil, fmt.Errorf("test %s of build %s has not begun: use -f to wait for it", f.test, name)
	}
	options.Attempt = &number
	return lines, nil
}

// copyBefore copies the logs of the attempts before the current one if that runs tests, from the attempt that made the artifacts on. A log that is not
// kept, or a build that was deleted, is left out: the log of the current attempt has the error.
func copyBefore(ctx context.Context, options *v1alpha1.ImageBuildLogOptions, connection *client.Connection, name string, out io.Writer) error {
	if options.Attempt != nil || options.TailLines != nil || options.LimitBytes != nil || options.UID != "" {
		return nil
	}
	build, err := connection.ImagesV1alpha1().ImageBuilds(connection.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil //nolint:nilerr // the log has the error
	}
	for number := build.Status.MadeBy(); number > 0 && number < build.Status.CurrentAttempt; number++ {
		earlier := *options
		earlier.Attempt, earlier.Follow = &number, false
		if err := follow.Copy(ctx, connection.Log(name, earlier), "build "+name, nil, out); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// waitForTest waits until the test has begun. It returns 0 if the build finishes before.
func (f *flags) waitForTest(ctx context.Context, connection *client.Connection, name string, stderr io.Writer) (number int32, err error) {
	if _, err := fmt.Fprintf(stderr, "waiting for test %s of build %s\n", f.test, name); err != nil {
		return 0, err
	}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	_, err = connection.ObserveUntilFinished(waiting, name, func(build *v1alpha1.ImageBuild) {
		if number = attemptOf(build, f.test); number > 0 {
			stop()
		}
	})
	if number > 0 && ctx.Err() == nil {
		err = nil
	}
	return number, err
}

// attemptOf returns the number of the attempt that ran a test of a build, or runs it now. It is 0 if the test has not begun.
func attemptOf(build *v1alpha1.ImageBuild, test string) int32 {
	for i := range build.Status.Tests {
		if status := &build.Status.Tests[i]; status.Name == test && status.Attempt > 0 {
			return status.Attempt
		}
	}
	for _, attempt := range slices.Backward(build.Status.Attempts) {
		if slices.Contains(attempt.Tests, test) {
			return attempt.Number
		}
	}
	return 0
}

func unknownTest(build *v1alpha1.ImageBuild, test string) error {
	names := testNames(build)
	if len(names) == 0 {
		return fmt.Errorf("build %s has no tests: declare them in spec.tests of the image, or omit --test", build.Name)
	}
	return fmt.Errorf("build %s has no test %q: its tests are %s", build.Name, test, strings.Join(names, ", "))
}

func testNames(build *v1alpha1.ImageBuild) (names []string) {
	for i := range build.Spec.Tests {
		names = append(names, build.Spec.Tests[i].Name)
	}
	return names
}

// completeTests lists the tests of the build that the first argument names.
func completeTests(ctx context.Context, connection *client.Connection, args []string) ([]string, error) {
	if len(args) == 0 {
		return nil, nil
	}
	kind, name, err := client.SplitName(args[0])
	if err != nil {
		return nil, err
	}
	build, _, err := connection.FindBuild(ctx, kind, name)
	if err != nil || build == nil {
		return nil, err
	}
	return testNames(build), nil
}

// validateTest refuses flags that --test does not work with.
func (f *flags) validateTest(given func(flag string) bool) error {
	switch {
	case !given("test"):
		return nil
	case f.test == "":
		return errors.New("--test: must be the name of a test")
	case f.follow && given("tail"):
		return errors.New("--tail selects lines of the end of a test, so it does not work with -f and --test: omit --tail or -f")
	case f.uid != "" && !given("attempt"):
		return errors.New("--test needs --attempt with --uid: the number of the attempt that ran the test")
	}
	return nil
}
