// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
)

// IsNotFound reports whether the server answered that it has no such object. A 404 may also be about another object that the
// request needs, or come from a server that does not have the API.
func IsNotFound(err error, resource, name string) bool {
	var status apierrors.APIStatus
	if !notfound.Object(err) || !errors.As(err, &status) {
		return false
	}
	missing := status.Status().Details
	return missing != nil && missing.Kind == resource && missing.Name == name
}

// OtherKindError reports a name of an Image where a verb takes a build, or the name of a build where it takes an Image.
type OtherKindError struct {
	Name, Namespace string
	// Wanted is the kind that the verb takes: Image or ImageBuild.
	Wanted Kind
	// Instead is the latest build of the Image, or the Image of the build. It is empty if there is none.
	Instead string
	// Succeeded is the latest successful build of the Image. It is empty if there is none.
	Succeeded string
	// Unfinished is the latest build of the Image that has not finished, and NotCancelled that which was not cancelled. They are empty if
	// there is none.
	Unfinished, NotCancelled string
	// wait is how to wait for the latest build of the Image. It is empty if that has finished.
	wait string
}

// Annotations of verbs that take only some builds.
const (
	// Successful is for those that have succeeded.
	Successful = "successful"
	// Unfinished is for those that have not finished.
	Unfinished = "unfinished"
	// NotCancelled is for those that were not cancelled.
	NotCancelled = "not cancelled"
)

// Error is the message without a verb.
func (e *OtherKindError) Error() string {
	return fmt.Sprintf("no %s named %s in namespace %s: there is %s of this name: %s",
		nouns[e.Wanted], e.Name, e.Namespace, articles[e.other()], e.instead())
}

// ForVerb returns the error for the verb that got the name. It ends with the command line that the user may mean.
func (e *OtherKindError) ForVerb(verb *cobra.Command) error {
	args := slices.Clone(verb.Flags().Args())
	i := slices.Index(args, e.Name)
	if i < 0 {
		return e
	}
	meant, instead := e.suggestion(verb)
	err := fmt.Errorf("%s is %s, but %s takes %s: %s", e.Name, articles[e.other()], verb.Name(), articles[e.Wanted], instead)
	if meant == "" {
		return err
	}
	args[i] = meant
	return fmt.Errorf("%w: %s", err, Line(verb, args))
}

// suggestion returns the object that the user of a verb may mean, and the text about it.
func (e *OtherKindError) suggestion(verb *cobra.Command) (name, text string) {
	if e.Wanted == ImageBuild && e.Instead != "" {
		for _, those := range []struct{ annotation, name, which, wait string }{
			{Successful, e.Succeeded, "successful build", e.wait}, {Unfinished, e.Unfinished, "unfinished build", ""},
			{NotCancelled, e.NotCancelled, "build that was not cancelled", ""},
		} {
			_, only := verb.Annotations[those.annotation]
			switch {
			case only && those.name == "":
				return "", "it has no " + those.which + those.wait
			case only:
				return those.name, "the latest " + those.which + " is " + those.name
			}
		}
	}
	return e.Instead, e.instead()
}

// other returns the kind of the object that has the name.
func (e *OtherKindError) other() Kind {
	if e.Wanted == Image {
		return ImageBuild
	}
	return Image
}

func (e *OtherKindError) instead() string {
	switch {
	case e.Instead == "":
		return "it has no " + nouns[e.Wanted]
	case e.Wanted == Image:
		return "its image is " + e.Instead
	}
	return "the latest build is " + e.Instead
}

// otherKind returns the OtherKindError for a name that no object of the kind has. It returns nil if no object of the other kind has the
// name, or if the server fails.
func (c *Connection) otherKind(ctx context.Context, wanted Kind, name string) error {
	found := &OtherKindError{Name: name, Namespace: c.Namespace, Wanted: wanted}
	switch wanted {
	case Image:
		build, err := c.ImagesV1alpha1().ImageBuilds(c.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err == nil && build.Spec.ImageRef != nil {
			found.Instead = build.Spec.ImageRef.Name
		}
		if err == nil {
			return found
		}
	case ImageBuild:
		image, err := c.ImagesV1alpha1().Images(c.Namespace).Get(ctx, name, metav1.GetOptions{})
		var builds []v1alpha1.ImageBuild
		if err == nil {
			builds, err = c.ListBuilds(ctx, image.Namespace, BuildsOf(image.UID))
		}
		if latest := newest(builds, math.MaxInt64); latest != nil {
			found.Instead, found.wait = latest.Name, WaitFor(latest)
			found.Unfinished = latestThat(builds, func(build *v1alpha1.ImageBuild) bool { return !build.Status.Finished })
			found.NotCancelled = latestThat(builds, func(build *v1alpha1.ImageBuild) bool { return build.Status.Phase != v1alpha1.BuildCancelled })
			if good, failure := c.LastGoodBuild(ctx, image.Namespace, image.UID, math.MaxInt64); failure == nil && good != nil {
				found.Succeeded = good.Name
			}
		}
		if err == nil {
			return found
		}
	}
	return nil
}

// latestThat returns the name of the newest build that is wanted, or "".
func latestThat(builds []v1alpha1.ImageBuild, wanted func(*v1alpha1.ImageBuild) bool) string {
	those := slices.DeleteFunc(slices.Clone(builds), func(build v1alpha1.ImageBuild) bool { return !wanted(&build) })
	if latest := newest(those, math.MaxInt64); latest != nil {
		return latest.Name
	}
	return ""
}
