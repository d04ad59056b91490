// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// wanted is what the log of is asked for.
type wanted struct {
	name string
	// kind of the object. client.Either is the build of the name, or else the Image.
	kind client.Kind
	// line is what the user typed: a deleted build is found by the same with its UID.
	line  string
	clock clock.WithDelayedExecution
}

// sourceGrace is how long a missing source may be created after its Image, as one `kubectl apply` of both does.
const sourceGrace = 10 * time.Second

// find returns the build that is meant: the build of the name, or the newest build of the Image of the name. It may wait for the
// first build of an Image that is not stalled. It tells the user which build it chose.
func (w *wanted) find(ctx context.Context, connection *client.Connection, wait bool, told io.Writer) (string, error) {
	name := w.name
	build, image, err := connection.FindBuild(ctx, w.kind, name)
	switch {
	case err != nil:
		return "", err
	case build == nil && image == nil:
		return "", w.missing(ctx, connection)
	case image == nil:
		return name, nil
	}
	if build == nil {
		if err := client.StalledWithoutBuild(image); err != nil {
			return "", err
		}
	}
	if build == nil && !wait {
		if cause := client.Unresolved(image); cause != "" {
			return "", fmt.Errorf("image %s has no build yet: %s", name, cause)
		}
		return "", fmt.Errorf("image %s has no build yet: use -f to wait for one", name)
	}
	if build == nil {
		if _, err := fmt.Fprintf(told, "waiting for the first build of image %s\n", name); err != nil {
			return "", err
		}
		if build, err = w.firstBuild(ctx, connection, image, told); err != nil {
			return "", err
		}
	}
	_, err = fmt.Fprintf(told, "the latest build of image %s is %s\n", name, build.Name)
	return build.Name, err
}

// missing returns the error that nothing of the name exists. A deleted build has a record, and maybe an archived log.
func (w *wanted) missing(ctx context.Context, connection *client.Connection) error {
	err := connection.NotFound(ctx, w.kind, w.name)
	if deleted, ok := errors.AsType[*client.DeletedBuildError](err); ok {
		return fmt.Errorf("build %s was deleted: for the archived log, run:\n  %s --uid %s", w.name, w.line, deleted.Record.UID)
	}
	return err
}

// firstBuild waits until an Image has a build. It tells why the inputs do not resolve, and each change of it. The error is why no build
// starts until somebody changes something.
func (w *wanted) firstBuild(ctx context.Context, connection *client.Connection, image *v1alpha1.Image, told io.Writer) (*v1alpha1.ImageBuild, error) {
	waiting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		if err := w.waitUntilStalled(waiting, connection, image, told); err != nil {
			stop(err)
		}
	}()
	build, err := connection.WaitForBuild(waiting, client.BuildsOf(image.UID), func(*v1alpha1.ImageBuild) bool { return true })
	if ctx.Err() == nil && waiting.Err() != nil {
		err = context.Cause(waiting)
	}
	if err != nil {
		return nil, fmt.Errorf("wait for a build of image %s: %w", image.Name, err)
	}
	return build, nil
}

// waitUntilStalled returns why no build of an Image starts. It returns nil if the Image has stalled because of a build, which the watch
// of builds returns.
func (w *wanted) waitUntilStalled(ctx context.Context, connection *client.Connection, image *v1alpha1.Image, told io.Writer) error {
	waiting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var grace clock.Timer // until the cause is final
	cause := ""
	observed, err := connection.WaitForImage(waiting, image.Name, func(image *v1alpha1.Image) bool {
		if now := client.Unresolved(image); now != cause {
			cause = now
			if grace != nil {
				grace.Stop()
				grace = nil
			}
			if cause != "" {
				_, _ = fmt.Fprintln(told, cause) // that it cannot be told does not end the wait
			}
			if final(image) {
				failure := fmt.Errorf("image %s has no build: %s", image.Name, now)
				grace = w.clock.AfterFunc(sourceGrace, func() { stop(failure) })
			}
		}
		return client.StalledWithoutBuild(image) != nil
	})
	if grace != nil {
		grace.Stop()
	}
	if ctx.Err() == nil && waiting.Err() != nil {
		return context.Cause(waiting)
	}
	if err != nil {
		return err
	}
	if build, err := connection.NewestBuild(ctx, observed.Namespace, observed.UID, math.MaxInt64); err != nil || build != nil {
		return err
	}
	return client.StalledWithoutBuild(observed)
}

// final reports whether inputs that do not resolve cannot resolve by themselves. A base that is an Image may be built meanwhile.
func final(image *v1alpha1.Image) bool {
	condition := client.CurrentCondition(image, v1alpha1.ImageInputsResolved)
	return condition != nil && condition.Status == metav1.ConditionFalse && condition.Reason != string(v1alpha1.ReasonBaseNotFound)
}
