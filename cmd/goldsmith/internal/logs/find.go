// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

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

// grace is how long the first build is awaited while only a user can bring it, because one `kubectl apply` can create an Image before
// its source or its base.
const grace = 10 * time.Second

// find returns the build of the name, or the newest build of the Image of the name. With wait, find waits for the first build of
// an Image that is not stalled. find tells the user which build it chose.
func (w *wanted) find(ctx context.Context, connection *client.Connection, wait bool, stderr io.Writer) (string, error) {
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
		if err := stalled(image); err != nil {
			return "", err
		}
	}
	if build == nil && !wait {
		if cause, _ := client.Delay(image); cause != "" {
			return "", fmt.Errorf("image %s has no build yet: %s", name, cause)
		}
		return "", fmt.Errorf("image %s has no build yet: use -f to wait for one", name)
	}
	if build == nil {
		if _, err := fmt.Fprintf(stderr, "waiting for the first build of image %s\n", name); err != nil {
			return "", err
		}
		if build, err = w.firstBuild(ctx, connection, image, stderr); err != nil {
			return "", err
		}
	}
	_, err = fmt.Fprintf(stderr, "the latest build of image %s is %s\n", name, build.Name)
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

// firstBuild waits until an Image has a build. Meanwhile, firstBuild prints why there is none, again after each change. If no build comes
// until a user changes something, firstBuild returns the cause as an error.
func (w *wanted) firstBuild(ctx context.Context, connection *client.Connection, image *v1alpha1.Image, stderr io.Writer) (*v1alpha1.ImageBuild, error) {
	waiting, stop := context.WithCancelCause(ctx)
	var stalls sync.WaitGroup
	defer stalls.Wait() // it prints nothing after the build
	defer stop(nil)
	stalls.Go(func() {
		if err := w.waitUntilStalled(waiting, connection, image, stderr); err != nil {
			stop(err)
		}
	})
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
func (w *wanted) waitUntilStalled(ctx context.Context, connection *client.Connection, image *v1alpha1.Image, stderr io.Writer) error {
	waiting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var timer clock.Timer // runs while only a user can bring a build
	cause, final := "", false
	observed, err := connection.WaitForImage(waiting, image.Name, func(image *v1alpha1.Image) bool {
		before, wasFinal := cause, final
		if cause, final = client.Delay(image); cause != before && cause != "" {
			_, _ = fmt.Fprintln(stderr, cause) // a failed write does not end the wait
		}
		if timer != nil && (cause != before || !final) {
			timer.Stop()
			timer = nil
		}
		if final && (cause != before || !wasFinal) {
			failure := noBuild("image "+image.Name, cause)
			timer = w.clock.AfterFunc(grace, func() { stop(failure) })
		}
		return stalled(image) != nil
	})
	if timer != nil {
		timer.Stop()
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
	return stalled(observed)
}

func stalled(image *v1alpha1.Image) error {
	return client.StalledWithoutBuild(image, "image "+image.Name, image.Name)
}

func noBuild(what, cause string) error { return fmt.Errorf("%s has no build: %s", what, cause) }

// buildOf returns the build of an object of the catalog with the number of --build or, without a number, the running or latest build.
// It waits for the first build, and tells the user which build it chose. If no build comes until a user changes something, it returns the
// cause as an error.
func (f *flags) buildOf(ctx context.Context, connection *client.Connection, object *client.Object, stderr io.Writer) (*v1alpha1.ImageBuild, error) {
	delay := &objectDelay{}
	for waits := false; ; waits = true {
		image, err := connection.ObjectImage(ctx, object) // before the build: a build that stalled it exists
		if err != nil && !client.Temporary(err) {
			return nil, err
		}
		build, err := connection.ObjectBuild(ctx, object, f.build)
		switch {
		case f.build > 0:
			return build, err
		case err == nil:
			_, err = fmt.Fprintf(stderr, "the running or latest build of %s is %s\n", object, build.Name)
			return build, err
		case !object.LacksBuild(err) && (!waits || !client.Temporary(err)):
			return nil, err
		case !waits:
			if _, err := fmt.Fprintf(stderr, "waiting for the first build of %s\n", object); err != nil {
				return nil, err
			}
		}
		if image != nil && object.LacksBuild(err) {
			if err := delay.judge(image, object.String(), stderr); err != nil {
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

// objectDelay is why an object of the catalog has no build.
type objectDelay struct {
	cause string
	final time.Duration // for how long only a user could bring a build, because of the cause
}

// judge is called once each RetryInterval. It prints a new cause, and returns it as an error once it is final for the grace.
func (d *objectDelay) judge(image *v1alpha1.Image, object string, stderr io.Writer) error {
	if err := client.StalledWithoutBuild(image, object, object); err != nil {
		return err
	}
	cause, final := client.Delay(image)
	if cause != d.cause && cause != "" {
		_, _ = fmt.Fprintln(stderr, cause) // a failed write does not end the wait
	}
	if d.final += client.RetryInterval; cause != d.cause || !final {
		d.cause, d.final = cause, 0
	}
	if d.final >= grace {
		return noBuild(object, cause)
	}
	return nil
}
