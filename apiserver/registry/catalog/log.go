// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/buildlog"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// logREST is the subresource log: the log of a build of an object, as text. A stream goes on when the kind is replaced, because
// the build does.
type logREST struct {
	main   *REST
	builds Builds
	log    rest.GetterWithOptions
}

var (
	_ rest.GetterWithOptions = &logREST{}
	_ rest.StorageMetadata   = &logREST{}
)

// New returns an empty object of the kind.
func (l *logREST) New() runtime.Object { return l.main.New() }

// Destroy does nothing.
func (l *logREST) Destroy() {}

// ProducesMIMETypes returns the media type of text.
func (l *logREST) ProducesMIMETypes(string) []string { return []string{"text/plain"} }

// ProducesObject returns a text.
func (l *logREST) ProducesObject(string) any { return "" }

// NewGetOptions returns the options.
func (l *logREST) NewGetOptions() (runtime.Object, bool, string) { return &LogOptions{}, false, "" }

// validateNumber validates the number of a build, if there is one.
func validateNumber(number *int64) field.ErrorList {
	if number == nil || *number > 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("build"), *number, "must be 1 or more")}
}

// found is a build of an object.
type found struct {
	name   string
	uid    types.UID
	number int64
	// stored is the build as it was read, nil if it is deleted.
	stored *v1alpha1.ImageBuild
}

// Get returns the log of a build as a stream.
func (l *logREST) Get(ctx context.Context, name string, object runtime.Object) (runtime.Object, error) {
	options, ok := object.(*LogOptions)
	if !ok {
		return nil, apierrors.NewInternalError(fmt.Errorf("read the log of %s: the options are a %T", name, object))
	}
	errs := append(buildlog.ValidateLogOptions(options.ofBuild("")), validateNumber(options.Build)...)
	if len(errs) > 0 {
		return nil, l.main.invalid(name, errs)
	}
	owner, err := l.main.owned(ctx, name)
	if err != nil {
		return nil, err
	}
	build, err := l.main.findBuild(ctx, l.builds, owner, options.Build, "log")
	if err != nil {
		return nil, err
	}
	terms := &logTerms{main: l.main, owner: owner, build: build, context: ctx}
	log, err := l.log.Get(terms.of(ctx), build.name, options.ofBuild(build.uid))
	if err != nil {
		return nil, terms.explain(err)
	}
	streamer, ok := log.(rest.ResourceStreamer)
	if !ok {
		return nil, apierrors.NewInternalError(fmt.Errorf("read the log of build %s: a %T is no stream", build.name, log))
	}
	return &logStream{Object: log, streamer: streamer, terms: terms}, nil
}

// findBuild returns the build with a number or, without a number, the running build, or else the latest one. A build of another Image with
// this name is not found: the UID of the Image decides.
func (r *REST) findBuild(ctx context.Context, all Builds, owner *v1alpha1.Image, number *int64, subresource string) (*found, error) {
	if number != nil {
		build, err := all.GetBuild(ctx, trigger.BuildName(owner.Name, *number))
		switch {
		case err == nil && build.Spec.ImageRef != nil && build.Spec.ImageRef.UID == owner.UID:
			return foundOf(build), nil
		case err != nil && !apierrors.IsNotFound(err):
			return nil, err
		}
		if deleted := deletedBuild(owner, *number); deleted != nil {
			return deleted, nil
		}
		return nil, r.noBuild(owner, subresource, fmt.Sprintf("has no build %d", *number))
	}
	builds, err := all.BuildsOf(ctx, owner)
	if err != nil {
		return nil, err
	}
	for _, build := range slices.Backward(builds) {
		if build.Status.CurrentAttempt > 0 && !build.Status.Finished {
			return foundOf(&build), nil
		}
	}
	if len(builds) > 0 {
		return foundOf(&builds[len(builds)-1]), nil
	}
	for _, request := range slices.Backward(owner.Status.RecentRequests) {
		if deleted := deletedBuild(owner, request.Number); deleted != nil {
			return deleted, nil
		}
	}
	return nil, r.noBuild(owner, subresource, "has no build yet")
}

func (r *REST) noBuild(owner *v1alpha1.Image, subresource, what string) error {
	err := apierrors.NewNotFound(r.resource(), owner.Name)
	err.ErrStatus.Message = fmt.Sprintf("%s %q %s", r.GetSingularName(), owner.Name, what)
	err.ErrStatus.Details.Kind = r.kind.Name() + "/" + subresource
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeFieldValueNotFound, Field: "build"}}
	return err
}

func foundOf(build *v1alpha1.ImageBuild) *found {
	return &found{name: build.Name, uid: build.UID, number: *build.Spec.Number, stored: build}
}

// deletedBuild returns a deleted build that the Image remembers, nil if there is none. An archive can have its log.
func deletedBuild(owner *v1alpha1.Image, number int64) *found {
	for _, request := range owner.Status.RecentRequests {
		if request.Number == number && request.UID != "" {
			return &found{name: trigger.BuildName(owner.Name, number), uid: request.UID, number: number}
		}
	}
	return nil
}

// logStream is a log whose errors and warnings have the terms of the kind.
type logStream struct {
	runtime.Object
	streamer rest.ResourceStreamer
	terms    *logTerms
}

// InputStream opens the log.
func (s *logStream) InputStream(ctx context.Context, version, accept string) (io.ReadCloser, bool, string, error) {
	stream, flush, media, err := s.streamer.InputStream(s.terms.of(ctx), version, accept)
	if err != nil {
		return nil, false, "", s.terms.explain(err)
	}
	return stream, flush, media, nil
}

// logTerms says in the terms of the kind what is wrong with a log.
type logTerms struct {
	main    *REST
	owner   *v1alpha1.Image
	build   *found
	context context.Context // of the request, whose client gets the warnings
}

// of returns a context for reading the log of the build, whose warnings have these terms.
func (t *logTerms) of(ctx context.Context) context.Context {
	return warning.WithWarningRecorder(subresource.For(ctx, "imagebuilds", t.build.name), t)
}

// AddWarning passes a warning on.
func (t *logTerms) AddWarning(agent, text string) {
	warning.AddWarning(t.context, agent, t.text(text))
}

// text replaces the names of the build and of its pods.
func (t *logTerms) text(text string) string {
	build := fmt.Sprintf("build %d of %s %q", t.build.number, t.main.GetSingularName(), t.owner.Name)
	pairs := []string{fmt.Sprintf("imagebuild %q", t.build.name), build, "imagebuild " + t.build.name, build}
	if t.build.stored != nil {
		for _, attempt := range t.build.stored.Status.Attempts {
			if attempt.PodName != "" {
				pairs = append(pairs, "pod "+attempt.PodName, "its pod")
			}
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// explain returns an error about the log of the build. An internal error may name any object of the cluster, so that only the server's
// log has it.
func (t *logTerms) explain(err error) error {
	if apierrors.IsInternalError(err) {
		klog.FromContext(t.context).Error(err, "Read a log", "image", klog.KObj(t.owner), "build", t.build.name)
		return apierrors.NewInternalError(fmt.Errorf("read the log of build %d of %s %q: the log of the server has the cause",
			t.build.number, t.main.GetSingularName(), t.owner.Name))
	}
	status, ok := err.(apierrors.APIStatus)
	if !ok {
		return err
	}
	own := status.Status()
	if own.Reason == metav1.StatusReasonNotFound && len(own.Details.Causes) == 0 {
		own.Message = fmt.Sprintf("build %d of %s %q was deleted, and the archive has no log of it", t.build.number, t.main.GetSingularName(), t.owner.Name)
	}
	own.Message = t.text(own.Message)
	return t.main.explainBuild(&apierrors.StatusError{ErrStatus: own}, t.owner, "log")
}
