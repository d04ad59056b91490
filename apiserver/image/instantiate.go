// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apiserver/pkg/admission"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/util/dryrun"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/images"
	"goldsmith.dev/goldsmith/apiserver/images/validation"
)

// instantiateREST is the instantiate subresource: it gives a request for a build a number, once, and creates the build.
//
// The number is recorded in the Image before the build is created. So whatever happens in between, and on however many
// replicas the request arrives, the same request finds the same number and with it the same build.
type instantiateREST struct {
	images *genericregistry.Store
	scope  *builder.Scope
}

var (
	_ rest.NamedCreater    = &instantiateREST{}
	_ rest.StorageMetadata = &instantiateREST{}
)

func newInstantiateREST(store *builder.Store, scope *builder.Scope) *instantiateREST {
	images := *store.Store
	images.UpdateStrategy = newAllocationStrategy(scope.Scheme)
	return &instantiateREST{images: &images, scope: scope}
}

// New returns an empty BuildRequest.
func (r *instantiateREST) New() runtime.Object { return &images.BuildRequest{} }

// Destroy does nothing: the storage is the main resource's, which closes it.
func (r *instantiateREST) Destroy() {}

// ProducesMIMETypes adds none.
func (r *instantiateREST) ProducesMIMETypes(string) []string { return nil }

// ProducesObject says that the answer is a build.
func (r *instantiateREST) ProducesObject(string) any { return v1alpha1.ImageBuild{} }

// Create returns the build of a request, which it creates unless it was created before.
func (r *instantiateREST) Create(ctx context.Context, name string, object runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	request, ok := object.(*images.BuildRequest)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("instantiating image %s takes a BuildRequest, not a %T", name, object))
	}
	if errs := validation.BuildRequest(request, name); len(errs) > 0 {
		return nil, apierrors.NewInvalid(images.Kind("BuildRequest"), name, errs)
	}
	if validate != nil {
		if err := validate(ctx, request.DeepCopy()); err != nil {
			return nil, err
		}
	}
	if request.RequestID == "" {
		request.RequestID = string(uuid.NewUUID())
	}
	builds, ok := r.scope.Storage(images.Resource("imagebuilds"), "").(*imagebuild.Store)
	if !ok {
		return nil, apierrors.NewInternalError(fmt.Errorf("instantiating image %s: imagebuilds are not served", name))
	}
	instantiation := &instantiation{
		images: r.images, builds: builds, admit: r.scope.Admission, scheme: r.scope.Scheme,
		image: name, request: request, options: options,
	}
	return instantiation.run(ctx)
}

// instantiation is one request on its way to its build.
type instantiation struct {
	images *genericregistry.Store
	builds *imagebuild.Store
	admit  admission.Interface
	scheme *runtime.Scheme

	image   string
	request *images.BuildRequest
	options *metav1.CreateOptions
}

func (i *instantiation) run(ctx context.Context) (runtime.Object, error) {
	var taken int64 // a number of ours whose name is somebody else's
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
			build, err = i.create(ctx, image, record)
			if apierrors.IsAlreadyExists(err) {
				continue // somebody was faster: we, on another replica, or a stranger
			}
			return asObject(build, err)
		case err != nil:
			return nil, err
		case record.UID != "" && build.UID == record.UID, record.UID == "" && i.ours(build, image, record):
			return build, nil
		case record.UID != "":
			return nil, gone(image, record)
		}
		taken = record.Number
	}
}

// asObject keeps a nil build from becoming an object that is not nil.
func asObject(build *images.ImageBuild, err error) (runtime.Object, error) {
	if err != nil {
		return nil, err
	}
	return build, nil
}

func (i *instantiation) find(ctx context.Context, image *images.Image, record images.BuildRequestRecord) (*images.ImageBuild, error) {
	name := buildName(image, record.Number)
	return i.builds.GetBuild(onBuilds(ctx, name), name)
}

// ours says whether a build is the one that this request asked for.
func (i *instantiation) ours(build *images.ImageBuild, image *images.Image, record images.BuildRequestRecord) bool {
	ref, number, trigger := build.Spec.ImageRef, build.Spec.Number, build.Spec.Trigger
	return ref != nil && ref.UID == image.UID && number != nil && *number == record.Number &&
		trigger != nil && trigger.RequestID == record.RequestID
}

// create creates the build, through admission like any other. The Image is as it was when the number was recorded.
func (i *instantiation) create(ctx context.Context, image *images.Image, record images.BuildRequestRecord) (*images.ImageBuild, error) {
	build := newBuild(image, record.Number, i.request)
	ctx = onBuilds(ctx, build.Name)
	user, _ := apirequest.UserFrom(ctx)
	attributes := admission.NewAttributesRecord(build, nil, v1alpha1.Kind("ImageBuild"), build.Namespace, build.Name,
		v1alpha1.SchemeGroupVersion.WithResource("imagebuilds"), "", admission.Create, i.options, dryrun.IsDryRun(i.options.DryRun), user)
	interfaces := admission.NewObjectInterfacesFromScheme(i.scheme)

	if mutating, ok := i.admit.(admission.MutationInterface); ok && mutating.Handles(admission.Create) {
		if err := mutating.Admit(ctx, attributes, interfaces); err != nil {
			return nil, err
		}
	}
	return i.builds.CreateInstantiated(ctx, build, rest.AdmissionToValidateObjectFunc(i.admit, attributes, interfaces), i.options)
}

// onBuilds makes the storage speak of builds in its errors: the request came in for an Image.
func onBuilds(ctx context.Context, name string) context.Context {
	info, ok := apirequest.RequestInfoFrom(ctx)
	if !ok {
		return ctx
	}
	builds := *info
	builds.Resource, builds.Subresource, builds.Name = "imagebuilds", "", name
	return apirequest.WithRequestInfo(ctx, &builds)
}

// gone says that the build of a request was deleted.
func gone(image *images.Image, record images.BuildRequestRecord) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure,
		Code:   http.StatusGone,
		Reason: metav1.StatusReasonGone,
		Message: fmt.Sprintf("request %q made imagebuild %q, which was deleted since: ask for another build with another requestID",
			record.RequestID, buildName(image, record.Number)),
		Details: &metav1.StatusDetails{Group: images.SchemeGroupVersion.Group, Kind: "imagebuilds", Name: buildName(image, record.Number), UID: record.UID},
	}}
}
