// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/jobs/catalog/metadata"
)

// buildREST is the subresource build: a request for a build of an object, which the Image builds with all of its admission. It also
// returns a build, so that users without permissions for builds learn how it ends.
type buildREST struct {
	*subresource.Action[v1alpha1.BuildRequest, *v1alpha1.BuildRequest]
	main   *REST
	builds Builds
}

var _ rest.GetterWithOptions = &buildREST{}

func newBuildREST(main *REST, builds Builds) *buildREST {
	b := &buildREST{main: main, builds: builds}
	b.Action = subresource.NewAction(main.kind.Name()+"/build", v1alpha1.ImageBuild{},
		subresource.Valid(v1alpha1.Kind("BuildRequest").GroupKind(), b.validate), b.run)
	return b
}

// validate validates a request. What its builds have in addition to the object, or instead of it, would go around the schema of the kind.
func (b *buildREST) validate(request *v1alpha1.BuildRequest, name string) field.ErrorList {
	object := b.main.kind.GroupVersionKind().Kind
	var errs field.ErrorList
	if len(request.Parameters) > 0 {
		errs = append(errs, field.Forbidden(field.NewPath("parameters"), "change the fields of the "+object+" instead"))
	}
	if len(request.Changes) > 0 {
		errs = append(errs, field.Forbidden(field.NewPath("changes"), "only triggers set it"))
	}
	if request.Reason != "" && request.Reason != v1alpha1.TriggerManual {
		errs = append(errs, field.NotSupported(field.NewPath("reason"), request.Reason, []v1alpha1.TriggerReason{v1alpha1.TriggerManual}))
	}
	if len(errs) > 0 {
		return errs
	}
	return image.ValidateBuildRequest(request, name)
}

// run returns the build of a request, which it creates unless it was created before.
func (b *buildREST) run(ctx context.Context, name string, request *v1alpha1.BuildRequest, options *metav1.CreateOptions) (runtime.Object, error) {
	owned, err := b.main.owned(ctx, name)
	if err != nil {
		return nil, err
	}
	build, err := b.main.images.Build(ctx, name, owned.UID, request, options)
	if err != nil {
		return nil, b.main.explainBuild(err, owned, "build")
	}
	return shown(build), nil
}

// NewGetOptions returns the options of Get.
func (b *buildREST) NewGetOptions() (runtime.Object, bool, string) { return &BuildOptions{}, false, "" }

// Get returns the build with a number or, without a number, the running build, or else the latest one.
func (b *buildREST) Get(ctx context.Context, name string, object runtime.Object) (runtime.Object, error) {
	options, ok := object.(*BuildOptions)
	if !ok {
		return nil, apierrors.NewInternalError(fmt.Errorf("read a build of %s: the options are a %T", name, object))
	}
	if errs := validateNumber(options.Build); len(errs) > 0 {
		return nil, b.main.invalid(name, errs)
	}
	owner, err := b.main.owned(ctx, name)
	if err != nil {
		return nil, err
	}
	build, err := b.main.findBuild(ctx, b.builds, owner, options.Build, "build")
	if err != nil {
		return nil, err
	}
	if build.stored == nil {
		return nil, b.main.noBuild(owner, "build", fmt.Sprintf("has no build %d any more", build.number))
	}
	return shown(build.stored), nil
}

// shown returns what users of a kind see of a build. It omits the inputs, which have all that the kind sets, and the messages, which can
// name that.
func shown(build *v1alpha1.ImageBuild) *v1alpha1.ImageBuild {
	view := &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Name: build.Name, Namespace: build.Namespace, UID: build.UID, CreationTimestamp: build.CreationTimestamp},
		Spec:       v1alpha1.ImageBuildSpec{Number: build.Spec.Number},
		Status: v1alpha1.ImageBuildStatus{
			Phase: build.Status.Phase, Finished: build.Status.Finished, CurrentAttempt: build.Status.CurrentAttempt,
			StartTime: build.Status.StartTime, CompletionTime: build.Status.CompletionTime,
		},
	}
	if failure := build.Status.Failure; failure != nil {
		view.Status.Failure = &v1alpha1.BuildFailure{Class: failure.Class, Reason: failure.Reason}
	}
	if of := build.Spec.ImageRef; of != nil {
		view.Spec.ImageRef = &v1alpha1.ImageReference{Name: of.Name}
	}
	if asked := build.Spec.Trigger; asked != nil {
		view.Spec.Trigger = &v1alpha1.BuildTrigger{Reason: asked.Reason, Message: asked.Message, RequestID: asked.RequestID}
	}
	return view
}

var (
	// resourceOfImages finds how errors name the Image, or a build with its name, as a resource.
	resourceOfImages = regexp.MustCompile(`\b(?:images|imagebuilds)\.images\.goldsmith\.dev "[^"]*"`)
	// imageWord finds the Image in a sentence.
	imageWord = regexp.MustCompile(`\bImage\b`)
)

// explainBuild returns an error about a build of an object in the terms of the kind.
func (r *REST) explainBuild(err error, owner *v1alpha1.Image, subresource string) error {
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Details == nil || status.ErrStatus.Details.Group != v1alpha1.GroupName {
		return err
	}
	own := status.ErrStatus.DeepCopy()
	if own.Reason == metav1.StatusReasonInvalid {
		for i := range own.Details.Causes { // the Image has the inputs in its spec
			own.Details.Causes[i].Field = strings.Replace(own.Details.Causes[i].Field, "spec.inputs.", "spec.", 1)
		}
		return r.explain(&apierrors.StatusError{ErrStatus: *own}, owner)
	}
	own.Details.Group, own.Details.Kind, own.Details.Name, own.Details.UID = v1alpha1.CatalogGroup, r.kind.Name()+"/"+subresource, owner.Name, metadata.ViewUID(owner.UID)
	own.Message = resourceOfImages.ReplaceAllLiteralString(own.Message, r.resource().String()+` "`+owner.Name+`"`)
	own.Message = imageWord.ReplaceAllLiteralString(own.Message, r.kind.GroupVersionKind().Kind)
	own.Message = strings.ReplaceAll(own.Message, "imagebuild ", "build ")
	return &apierrors.StatusError{ErrStatus: *own}
}
