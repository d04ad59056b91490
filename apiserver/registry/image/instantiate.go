// SPDX-License-Identifier: Apache-2.0

package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/util/dryrun"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/registry/templateaccess"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// requests answers requests for builds of Images, and for reruns of these builds: it gives each request a number, once, and creates the build.
//
// The number is recorded in the Image before the build is created. So a repeated request finds the same number and the same
// build, even after a crash or on another replica.
type requests struct {
	Options
	images  store.Store[*v1alpha1.Image] // whose updates allocate numbers
	builds  *imagebuild.Store
	sources *Sources
	scope   *resources.Scope
}

var _ imagebuild.Images = &requests{}

// instantiate returns the subresource instantiate.
func (r *requests) instantiate() rest.Storage {
	return subresource.NewAction("images/instantiate", v1alpha1.ImageBuild{}, subresource.Valid(v1alpha1.Kind("BuildRequest").GroupKind(), ValidateBuildRequest),
		func(ctx context.Context, name string, request *v1alpha1.BuildRequest, options *metav1.CreateOptions) (runtime.Object, error) {
			return r.build(ctx, name, "", request, options)
		})
}

// Build answers a request for a build as the subresource instantiate does, for the Image with a UID.
func (s *REST) Build(ctx context.Context, name string, uid types.UID, request *v1alpha1.BuildRequest, options *metav1.CreateOptions) (*v1alpha1.ImageBuild, error) {
	if err := s.requests.admit(ctx, name, request, options, invalidRequest(name)); err != nil {
		return nil, err
	}
	build, err := s.requests.build(ctx, name, uid, request, options)
	if err != nil {
		return nil, err
	}
	return store.As[*v1alpha1.ImageBuild](build)
}

// NextNumber returns the number that the next build of an Image would get.
func (s *REST) NextNumber(ctx context.Context, image *v1alpha1.Image) (int64, error) {
	return s.requests.nextFree(ctx, image)
}

// Refusal returns why the server would refuse a trigger's request for a build of an Image with a number, or nil. It asks as the user of
// ctx, and creates nothing. The Image need not be stored.
func (s *REST) Refusal(ctx context.Context, image *v1alpha1.Image, number int64, request *v1alpha1.BuildRequest) error {
	image, request = image.DeepCopy(), request.DeepCopy()
	if image.UID == "" {
		image.UID = uuid.NewUUID() // a build names one
	}
	options := &metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	if err := s.requests.admit(ctx, image.Name, request, options, invalidRequest(image.Name)); err != nil {
		return err
	}
	return s.requests.asked(image.Name, image.UID, request, options).rehearse(ctx, image, number)
}

// admit asks admission about a request for a build that does not come through the subresource, as if it did. invalid returns the error
// of a request with errors of validation, and nil for none.
func (r *requests) admit(ctx context.Context, name string, request *v1alpha1.BuildRequest, options *metav1.CreateOptions,
	invalid func(field.ErrorList) error) error {
	return subresource.Created{
		Kind: v1alpha1.Kind("BuildRequest"), Resource: "images", Subresource: "instantiate", Name: name, Object: request, Options: options,
	}.Admit(ctx, r.scope, func() error { return invalid(ValidateBuildRequest(request, name)) })
}

func invalidRequest(name string) func(field.ErrorList) error {
	return func(errs field.ErrorList) error {
		return subresource.Invalid(v1alpha1.Kind("BuildRequest").GroupKind(), name, errs)
	}
}

// build returns the build of a request, which it creates unless it was created before. An empty UID is that of any Image.
func (r *requests) build(ctx context.Context, name string, uid types.UID, request *v1alpha1.BuildRequest, options *metav1.CreateOptions) (runtime.Object, error) {
	return r.asked(name, uid, request, options).run(ctx)
}

// checkParameters refuses parameters that exceed an Image's limits together with the Image's own.
func (r *requests) checkParameters(image *v1alpha1.Image, request *v1alpha1.BuildRequest) error {
	if len(request.Parameters) == 0 {
		return nil
	}
	parameters := merged(image.Spec.Parameters, request.Parameters)
	path := field.NewPath("parameters")
	errs := append(ValidateMergedParameters(parameters), r.Policy.Parameters(parameters, path)...)
	if r.Setup.Builders != nil {
		builder := image.Spec.Builder
		errs = append(errs, r.Setup.Builders.Capabilities(builder).CheckValues(builder.Name, request.Parameters, path)...)
	}
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(v1alpha1.Kind("BuildRequest").GroupKind(), image.Name, errs)
}

// rerun returns the build of a request to run an earlier build of an Image again. The Image must exist.
func (r *requests) rerun(ctx context.Context, earlier *v1alpha1.ImageBuild, request *v1alpha1.RerunRequest, options *metav1.CreateOptions) (runtime.Object, error) {
	pinned := inputs.Pinned(earlier)
	processing := &instantiation{
		requests: r, image: earlier.Spec.ImageRef.Name, uid: earlier.Spec.ImageRef.UID, requestID: requestID(request.RequestID), options: options,
		check: func(*v1alpha1.Image) error {
			if errs := imagebuild.ValidateRepeated(earlier); len(errs) > 0 {
				return apierrors.NewInvalid(v1alpha1.Kind("ImageBuild").GroupKind(), earlier.Name, errs)
			}
			if errs := validateReproducible(request, earlier); len(errs) > 0 {
				return apierrors.NewInvalid(v1alpha1.Kind("RerunRequest").GroupKind(), earlier.Name, errs)
			}
			return nil
		},
		compose: func(_ context.Context, image *v1alpha1.Image, number int64) (*v1alpha1.ImageBuild, error) {
			return rerunBuild(image, number, earlier, pinned, request), nil
		},
	}
	build, err := processing.run(ctx)
	if isMissing(err, earlier.Spec.ImageRef.Name) {
		return nil, orphaned(earlier, "rerun without its Image: create an ImageBuild with its inputs instead")
	}
	return build, err
}

// isMissing reports whether an error means that an Image does not exist.
func isMissing(err error, name string) bool {
	var status *apierrors.StatusError
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.ErrStatus.Details
	return details != nil && details.Kind == "images" && details.Name == name
}

// orphaned returns the error for a build whose Image was deleted. what tells what it cannot be, and the remedy.
func orphaned(build *v1alpha1.ImageBuild, what string) error {
	err := apierrors.NewNotFound(v1alpha1.Resource("images"), build.Spec.ImageRef.Name)
	err.ErrStatus.Message += fmt.Sprintf(": imagebuild %q cannot be %s", build.Name, what)
	return err
}

// instantiation is the processing of one request.
type instantiation struct {
	*requests

	image     string
	uid       types.UID // the required UID of the Image, or empty
	requestID string
	options   *metav1.CreateOptions
	check     func(image *v1alpha1.Image) error // refuses a request before it gets a number
	// compose makes the build that was asked for.
	compose func(ctx context.Context, image *v1alpha1.Image, number int64) (*v1alpha1.ImageBuild, error)

	forgotten *v1alpha1.BuildRequestRecord // the last request that allocate forgot early, or nil
}

// asked is the processing of a request for a build.
func (r *requests) asked(image string, uid types.UID, request *v1alpha1.BuildRequest, options *metav1.CreateOptions) *instantiation {
	return &instantiation{
		requests: r, image: image, uid: uid, requestID: requestID(request.RequestID), options: options,
		check: func(image *v1alpha1.Image) error {
			return r.checkParameters(image, request)
		},
		compose: func(ctx context.Context, image *v1alpha1.Image, number int64) (*v1alpha1.ImageBuild, error) {
			if trigger.IsRetest(request.RequestID) {
				return r.changedTests(ctx, image, number, request)
			}
			return newBuild(image, number, request), nil
		},
	}
}

// requestID returns the ID of a request, or a new one for a request without.
func requestID(given string) string { return cmp.Or(given, string(uuid.NewUUID())) }

func (i *instantiation) run(ctx context.Context) (runtime.Object, error) {
	if err := i.dryRun(ctx); err != nil {
		return nil, err
	}
	var taken int64 // a number of this request whose name another build has
	for {
		image, record, err := i.allocate(ctx, taken)
		if err != nil {
			return nil, err
		}
		build, err := i.find(ctx, image, record)
		switch {
		case apierrors.IsNotFound(err) && record.UID != "":
			return nil, gone(image, record)
		case apierrors.IsNotFound(err):
			build, err = i.create(ctx, image, record, i.options)
			if apierrors.IsAlreadyExists(err) {
				continue // another request was faster: a repetition on another replica, or a creation by a user
			}
			if err != nil {
				return nil, err
			}
		case err != nil:
			return nil, err
		case record.UID != "" && build.UID == record.UID:
			return build, nil
		case record.UID != "":
			return nil, gone(image, record)
		case !i.ours(build, image, record):
			taken = record.Number
			continue
		}
		switch holds, err := i.holds(ctx, image, record, build); {
		case err != nil:
			return nil, err
		case holds:
			return build, nil
		}
	}
}

// dryRun creates the build of a new request as a dry run, including admission. So a refused request takes no number. A number
// is never returned.
func (i *instantiation) dryRun(ctx context.Context) error {
	image, err := i.images.Get(subresource.For(ctx, "images", i.image), i.image)
	if err != nil {
		return err
	}
	refused := i.refuse(image)
	if refused != nil || i.known(image) >= 0 || dryrun.IsDryRun(i.options.DryRun) {
		return refused // or nil: allocate has the answer
	}
	if err := i.check(image); err != nil {
		return err
	}
	number, err := i.nextFree(ctx, image)
	if err != nil {
		return err
	}
	return i.rehearse(ctx, image, number)
}

// rehearse creates the build of a request with a number as a dry run.
func (i *instantiation) rehearse(ctx context.Context, image *v1alpha1.Image, number int64) error {
	options := i.options.DeepCopy()
	options.DryRun = []string{metav1.DryRunAll}
	_, err := i.create(ctx, image, v1alpha1.BuildRequestRecord{RequestID: i.requestID, Number: number}, options)
	if apierrors.IsAlreadyExists(err) {
		return nil // the name was taken in between: allocate finds another number
	}
	return err
}

func (i *instantiation) find(ctx context.Context, image *v1alpha1.Image, record v1alpha1.BuildRequestRecord) (*v1alpha1.ImageBuild, error) {
	name := trigger.BuildName(image.Name, record.Number)
	return i.builds.GetBuild(subresource.For(ctx, "imagebuilds", name), name)
}

// ours reports whether a build was created for this request.
func (i *instantiation) ours(build *v1alpha1.ImageBuild, image *v1alpha1.Image, record v1alpha1.BuildRequestRecord) bool {
	ref, number, started := build.Spec.ImageRef, build.Spec.Number, build.Spec.Trigger
	return ref != nil && ref.UID == image.UID && number != nil && *number == record.Number &&
		started != nil && started.RequestID == record.RequestID
}

// create creates the build, through admission like any other. The Image is as it was when the number was recorded.
func (i *instantiation) create(ctx context.Context, image *v1alpha1.Image, record v1alpha1.BuildRequestRecord, options *metav1.CreateOptions) (*v1alpha1.ImageBuild, error) {
	build, err := i.compose(ctx, image, record.Number)
	if err != nil {
		return nil, err
	}
	build.Spec.Trigger.RequestID = record.RequestID
	if err := i.judge(ctx, build, image); err != nil {
		return nil, err
	}
	ctx = templateaccess.Copying(subresource.For(ctx, "imagebuilds", build.Name), build, image)
	admit, err := subresource.Created{
		Kind: v1alpha1.Kind("ImageBuild"), Resource: "imagebuilds", Name: build.Name, Object: build, Options: options,
	}.Mutate(ctx, i.scope)
	if err != nil {
		return nil, err
	}
	return i.builds.CreateInstantiated(ctx, build, admit, options)
}

// gone returns the error for a request whose build was deleted.
func gone(image *v1alpha1.Image, record v1alpha1.BuildRequestRecord) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure,
		Code:   http.StatusGone,
		Reason: metav1.StatusReasonGone,
		Message: fmt.Sprintf("request %q created imagebuild %q, which was deleted: use a new requestID for a new build",
			record.RequestID, trigger.BuildName(image.Name, record.Number)),
		Details: &metav1.StatusDetails{Group: v1alpha1.SchemeGroupVersion.Group, Kind: "imagebuilds", Name: trigger.BuildName(image.Name, record.Number), UID: record.UID},
	}}
}
