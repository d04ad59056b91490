// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// testREST is the subresource tests of builds.
type testREST struct {
	*subresource.Action[v1alpha1.TestRequest, *v1alpha1.TestRequest]
}

var _ rest.SubresourceObjectMetaPreserver = testREST{}

// PreserveRequestObjectMetaSystemFieldsOnSubresourceCreate keeps the uid of a request, which is the uid of the build.
func (testREST) PreserveRequestObjectMetaSystemFieldsOnSubresourceCreate() bool { return true }

// Test returns the subresource tests of builds. It instantiates the Image of the build, because only instantiate gives numbers to builds.
func (r *requests) Test() rest.Storage {
	return testREST{subresource.NewAction("imagebuilds/tests", v1alpha1.ImageBuild{},
		subresource.Valid(v1alpha1.Kind("TestRequest").GroupKind(), ValidateTestRequest), r.testAgain)}
}

// testAgain returns the build of a request to test the artifacts of an earlier build, which it creates unless it was created before.
func (r *requests) testAgain(ctx context.Context, name string, request *v1alpha1.TestRequest, options *metav1.CreateOptions) (runtime.Object, error) {
	earlier, err := r.builds.GetBuild(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := testable(earlier, request, r.Clock.Now()); err != nil {
		return nil, err
	}
	processing := &instantiation{
		requests: r, image: earlier.Spec.ImageRef.Name, uid: earlier.Spec.ImageRef.UID, requestID: requestID(request.RequestID), options: options,
		check: func(image *v1alpha1.Image) error {
			return subresource.Invalid(v1alpha1.Kind("TestRequest").GroupKind(), name, validateTestNames(request.Tests, image))
		},
		compose: func(_ context.Context, image *v1alpha1.Image, number int64) (*v1alpha1.ImageBuild, error) {
			build := retestBuild(image, number, earlier)
			build.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual, Message: request.Message}
			if len(request.Tests) > 0 {
				build.Spec.Tests = slices.DeleteFunc(build.Spec.Tests, func(test v1alpha1.ImageTest) bool { return !slices.Contains(request.Tests, test.Name) })
			}
			return build, nil
		},
	}
	build, err := processing.run(ctx)
	if isMissing(err, earlier.Spec.ImageRef.Name) {
		return nil, orphaned(earlier, "tested again without its Image: create an ImageBuild with its inputs and with tests instead")
	}
	return build, err
}

// testable refuses to test the artifacts of a build that has none, is revoked, or is not a build that can be tested again.
func testable(build *v1alpha1.ImageBuild, request *v1alpha1.TestRequest, now time.Time) error {
	name := field.NewPath("metadata", "name")
	switch {
	case request.UID != "" && request.UID != build.UID:
		return &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonGone,
			Message: fmt.Sprintf("the imagebuild %q with UID %s was deleted, with its artifacts: run it again, or name an existing build", build.Name, request.UID),
			Details: &metav1.StatusDetails{Group: v1alpha1.GroupName, Kind: "imagebuilds", Name: build.Name, UID: request.UID},
		}}
	case build.Spec.ImageRef == nil:
		return subresource.Invalid(v1alpha1.Kind("TestRequest").GroupKind(), build.Name, field.ErrorList{
			field.Invalid(name, build.Name, "is not a build of an Image: create an ImageBuild with the same inputs, with tests and a new name"),
		})
	case build.DeletionTimestamp != nil:
		return apierrors.NewConflict(v1alpha1.Resource("imagebuilds"), build.Name, errors.New("it is being deleted: name another build"))
	case !build.Status.Phase.Finished():
		return apierrors.NewConflict(v1alpha1.Resource("imagebuilds"), build.Name,
			fmt.Errorf("it is %s: wait until it has finished, or cancel it", build.Status.Phase))
	case len(build.Status.Artifacts) == 0:
		return subresource.Invalid(v1alpha1.Kind("TestRequest").GroupKind(), build.Name, field.ErrorList{
			field.Invalid(name, build.Name, fmt.Sprintf("is %s and has no artifacts that could be tested: name a build that has made artifacts", build.Status.Phase)),
		})
	case v1alpha1.Revoked(build, now):
		return subresource.Invalid(v1alpha1.Kind("TestRequest").GroupKind(), build.Name, field.ErrorList{
			field.Invalid(name, build.Name, fmt.Sprintf("is revoked: build the image again, or take that back: goldsmith unrevoke %s. It was %s", build.Name, build.Status.Revoked.Explain())),
		})
	}
	return nil
}

// changedTests is the build that tests artifacts of the Image again, because its tests have changed. It is a conflict if no build has such artifacts
// any more.
func (r *requests) changedTests(ctx context.Context, image *v1alpha1.Image, number int64, request *v1alpha1.BuildRequest) (*v1alpha1.ImageBuild, error) {
	builds, err := r.builds.BuildsOf(ctx, image)
	if err != nil {
		return nil, err
	}
	earlier := trigger.Retested(r.observe(image, builds))
	if earlier == nil {
		return nil, apierrors.NewConflict(v1alpha1.Resource("images"), image.Name,
			fmt.Errorf("no build has artifacts that the request %q could test: ask for a build", request.RequestID))
	}
	build := retestBuild(image, number, earlier)
	build.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: request.Reason, Message: request.Message, Changes: slices.Clone(request.Changes)}
	return build, nil
}

// observe returns what is known of an Image and its builds, without its inputs.
func (r *requests) observe(image *v1alpha1.Image, builds []v1alpha1.ImageBuild) trigger.Observed {
	image = image.DeepCopy()                // defaults are set
	v1alpha1.SetObjectDefaults_Image(image) // of fields that were added after the Image was stored
	return trigger.Observed{Image: image, Builds: builds, Now: r.Clock.Now()}
}

// retestBuild is a build that tests the artifacts of an earlier build, with the tests that the Image has now.
func retestBuild(image *v1alpha1.Image, number int64, earlier *v1alpha1.ImageBuild) *v1alpha1.ImageBuild {
	snapshot, of := image.DeepCopy(), earlier.DeepCopy()
	build := emptyBuild(image, number)
	build.Spec.ImageGeneration = new(image.Generation)
	build.Spec.Inputs = of.Spec.Inputs
	build.Spec.Pinned = inputs.Pinned(earlier)
	build.Spec.Timeouts, build.Spec.Retry, build.Spec.Tests = snapshot.Spec.Timeouts, snapshot.Spec.Retry, snapshot.Spec.Tests
	build.Spec.Retests = &v1alpha1.TestedBuild{Name: of.Name, UID: of.UID, Artifacts: of.Status.Artifacts, Attested: trigger.Attested(of)}
	for i := range of.Status.Artifacts { // the tag, and paths of this server, are those of the earlier build
		artifact := &of.Status.Artifacts[i]
		artifact.Tag, artifact.Location = "", relocated(artifact.Location, build, artifact.Digest)
		for j := range artifact.Documents {
			document := &artifact.Documents[j]
			document.Location = relocated(document.Location, build, document.Digest)
		}
	}
	return build
}

// relocated returns the location at which a build has a content of another build.
func relocated(location string, build *v1alpha1.ImageBuild, digest string) string {
	if strings.HasPrefix(location, "/") {
		return v1alpha1.ArtifactPath(build.Namespace, build.Name, digest)
	}
	return location
}
