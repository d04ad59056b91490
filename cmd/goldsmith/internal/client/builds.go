// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// BuildsOf selects the builds of an Image.
func BuildsOf(image types.UID) fields.Selector {
	return fields.OneTermEqualSelector("spec.imageRef.uid", string(image))
}

// NewestBuild returns an Image's newest build of a lower number than the given one, nil if there is none. The Image's status may be
// behind, so that it asks for the builds themselves.
func (c *Connection) NewestBuild(ctx context.Context, namespace string, image types.UID, below int64) (*v1alpha1.ImageBuild, error) {
	builds, err := c.ListBuilds(ctx, namespace, BuildsOf(image))
	return newest(builds, below), err
}

// LastGoodBuild returns an Image's newest successful build of a lower number than the given one, nil if there is none. One-off builds do
// not count.
func (c *Connection) LastGoodBuild(ctx context.Context, namespace string, image types.UID, below int64) (*v1alpha1.ImageBuild, error) {
	succeeded := fields.OneTermEqualSelector("status.phase", string(v1alpha1.BuildSucceeded))
	builds, err := c.ListBuilds(ctx, namespace, fields.AndSelectors(BuildsOf(image), succeeded))
	return newest(slices.DeleteFunc(builds, func(build v1alpha1.ImageBuild) bool { return ptr.Deref(build.Spec.OneOff, false) }), below), err
}

// newest returns the build of the highest number below the given one, nil if there is none.
func newest(builds []v1alpha1.ImageBuild, below int64) (newest *v1alpha1.ImageBuild) {
	for i := range builds {
		number := builds[i].Spec.Number
		if number != nil && *number < below && (newest == nil || *number > *newest.Spec.Number) {
			newest = &builds[i]
		}
	}
	return newest
}

// WaitFor returns how to wait for a build, as the end of an error. It is empty for a build that has finished.
func WaitFor(build *v1alpha1.ImageBuild) string {
	if build.Status.Finished {
		return ""
	}
	return fmt.Sprintf("; wait for build %[1]s: `goldsmith logs %[1]s -f`", build.Name)
}

// FindBuild returns the build of a name, or else the newest build of the Image of the name, together with the Image. The build is nil if
// the Image has none, and both are nil if neither exists.
func (c *Connection) FindBuild(ctx context.Context, kind Kind, name string) (*v1alpha1.ImageBuild, *v1alpha1.Image, error) {
	if kind != Image {
		build, err := c.ImagesV1alpha1().ImageBuilds(c.Namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case err == nil:
			return build, nil, nil
		case !IsNotFound(err, "imagebuilds", name):
			return nil, nil, fmt.Errorf("look for build %s: %w", name, err)
		case kind == ImageBuild:
			return nil, nil, nil
		}
	}
	image, err := c.ImagesV1alpha1().Images(c.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case IsNotFound(err, "images", name):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("look for image %s: %w", name, err)
	}
	build, err := c.NewestBuild(ctx, image.Namespace, image.UID, math.MaxInt64)
	return build, image, err
}

// ArtifactLost reports whether the server answers that it no longer keeps a content of a build. Any other answer is no report.
func (c *Connection) ArtifactLost(ctx context.Context, namespace, build, digest string) bool {
	request := c.ImagesV1alpha1().RESTClient().Verb(http.MethodHead).Namespace(namespace).Resource("imagebuilds").Name(build).SubResource("artifacts", digest)
	return apierrors.IsGone(request.MaxRetries(0).Do(ctx).Error())
}

// StalledWithoutBuild returns why no build of an Image starts until somebody changes something; nil if one may, or if the controller
// has not reconciled the spec. In the message the Image is what, such as "image web", and commands name it by the argument.
func StalledWithoutBuild(image *v1alpha1.Image, what, argument string) error {
	condition := CurrentCondition(image, v1alpha1.ImageStalled)
	switch {
	case condition == nil:
		return nil
	case condition.Status == metav1.ConditionTrue:
		return fmt.Errorf("%s has no build and is stalled: %s: %s", what, condition.Reason, condition.Message)
	case condition.Reason == v1alpha1.ReasonSuspended:
		return fmt.Errorf("%s has no build, because its triggers are off: run `goldsmith build %s`, or `goldsmith resume %[2]s` if the image is suspended",
			what, argument)
	}
	return nil
}

// Delay returns why an Image without a build has none, or "". final is true if no build comes until a user changes something.
func Delay(image *v1alpha1.Image) (cause string, final bool) {
	if image.DeletionTimestamp != nil {
		return "the image is being deleted", true
	}
	progress := CurrentCondition(image, v1alpha1.ImageReconciling)
	because := func(reason string) bool {
		return progress != nil && progress.Status == metav1.ConditionTrue && progress.Reason == reason
	}
	if resolved := CurrentCondition(image, v1alpha1.ImageInputsResolved); resolved != nil && resolved.Status == metav1.ConditionFalse {
		return resolved.Reason + ": " + resolved.Message, !because(v1alpha1.ReasonWaitingForBase)
	}
	if because(v1alpha1.ReasonBuildRefused) || because(v1alpha1.ReasonScheduled) {
		return progress.Reason + ": " + progress.Message, progress.Reason == v1alpha1.ReasonBuildRefused
	}
	return "", false
}

// CurrentCondition returns a condition of an Image; nil if it is missing, or that of an earlier generation.
func CurrentCondition(image *v1alpha1.Image, name string) *metav1.Condition {
	condition := meta.FindStatusCondition(image.Status.Conditions, name)
	if condition == nil || condition.ObservedGeneration != image.Generation {
		return nil
	}
	return condition
}

// ReadDiff reads the differences between two builds. It omits empty query parameters, and does not wait for a records database that is
// unavailable.
func (c *Connection) ReadDiff(ctx context.Context, build string, parameters map[string]string) (*v1alpha1.ImageBuildDiff, error) {
	difference := &v1alpha1.ImageBuildDiff{}
	request := c.ImagesV1alpha1().RESTClient().Get().Namespace(c.Namespace).Resource("imagebuilds").Name(build).SubResource("diff")
	if err := read(ctx, request, parameters, difference); err != nil {
		return nil, err
	}
	return difference, nil
}

// ReadPackages reads the packages in the artifacts of a build, as ReadDiff reads differences.
func (c *Connection) ReadPackages(ctx context.Context, build string, parameters map[string]string) (*v1alpha1.ImageBuildPackages, error) {
	packages := &v1alpha1.ImageBuildPackages{}
	request := c.ImagesV1alpha1().RESTClient().Get().Namespace(c.Namespace).Resource("imagebuilds").Name(build).SubResource("packages")
	if err := read(ctx, request, parameters, packages); err != nil {
		return nil, err
	}
	return packages, nil
}

// ReadVulnerabilities reads the known vulnerabilities of the packages of a build, as ReadDiff reads differences.
func (c *Connection) ReadVulnerabilities(ctx context.Context, build string, parameters map[string]string) (*v1alpha1.ImageBuildVulnerabilities, error) {
	found := &v1alpha1.ImageBuildVulnerabilities{}
	request := c.ImagesV1alpha1().RESTClient().Get().Namespace(c.Namespace).Resource("imagebuilds").Name(build).SubResource("vulnerabilities")
	if err := read(ctx, request, parameters, found); err != nil {
		return nil, err
	}
	return found, nil
}
