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

// wanted identifies the build or the Image whose log the user wants.
type wanted struct {
	name string
	// kind is the kind of the object. With client.Either, a build takes precedence over an Image of the same name.
	kind client.Kind
	// line is the command line of the user. For a deleted build, an error suggests this line with the UID of the build.
	line  string
	clock clock.WithDelayedExecution
}

// sourceGrace is how long firstBuild waits for a missing source, because one `kubectl apply` can create an Image before
// its source.
const sourceGrace = 10 * time.Second

// find returns the build of the name, or the newest build of the Image of the name. With wait, find waits for the first build of
// an Image that is not stalled. find tells the user which build it chose.
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

// missing returns the error for a name without a build or an Image. For a deleted build, the error suggests how to read
// the archived log.
func (w *wanted) missing(ctx context.Context, connection *client.Connection) error {
	err := connection.NotFound(ctx, w.kind, w.name)
	if deleted, ok := errors.AsType[*client.DeletedBuildError](err); ok {
		return fmt.Errorf("build %s was deleted: for the archived log, run:\n  %s --uid %s", w.name, w.line, deleted.Record.UID)
	}
	return err
}

// firstBuild waits until an Image has a build. Meanwhile, firstBuild prints why the inputs do not resolve, again after each change. If
// no build can start until a user changes something, firstBuild returns the cause as an error.
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

// waitUntilStalled waits until no build of an Image can start, and returns the cause. It returns nil if the Image stalled because of a
// build, because the watch of builds returns that build.
func (w *wanted) waitUntilStalled(ctx context.Context, connection *client.Connection, image *v1alpha1.Image, told io.Writer) error {
	waiting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var grace clock.Timer // runs until the cause counts as final
	cause := ""
	observed, err := connection.WaitForImage(waiting, image.Name, func(image *v1alpha1.Image) bool {
		if now := client.Unresolved(image); now != cause {
			cause = now
			if grace != nil {
				grace.Stop()
				grace = nil
			}
			if cause != "" {
				_, _ = fmt.Fprintln(told, cause) // a failed write does not end the wait
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

// final reports whether unresolved inputs need a change by a user. A missing base that is an Image may still be built.
func final(image *v1alpha1.Image) bool {
	condition := client.CurrentCondition(image, v1alpha1.ImageInputsResolved)
	return condition != nil && condition.Status == metav1.ConditionFalse && condition.Reason != string(v1alpha1.ReasonBaseNotFound)
}

// buildOf returns the build of an object of the catalogue with the number of --build or, without a number, the running or latest build.
// It waits for the first build, and tells the user which build it chose.
func (f *flags) buildOf(ctx context.Context, connection *client.Connection, object *client.Object, told io.Writer) (*v1alpha1.ImageBuild, error) {
	for waits := false; ; waits = true {
		build, err := connection.ObjectBuild(ctx, object, f.build)
		switch {
		case f.build > 0:
			return build, err
		case err == nil:
			_, err = fmt.Fprintf(told, "the running or latest build of %s is %s\n", object, build.Name)
			return build, err
		case !object.LacksBuild(err) && (!waits || !client.Temporary(err)):
			return nil, err
		case !waits:
			if _, err := fmt.Fprintf(told, "waiting for the first build of %s\n", object); err != nil {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(client.RetryInterval):
		}
	}
}
