// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/history"
	"goldsmith.dev/goldsmith/apiserver/images"
	"goldsmith.dev/goldsmith/apiserver/images/validation"
	"goldsmith.dev/goldsmith/records"
)

const statsResource = "images/stats"

// statsREST is the stats subresource: figures of the builds of an Image that finished in a window of time.
type statsREST struct{ *recorded }

var (
	_ rest.GetterWithOptions = &statsREST{}
	_ rest.StorageMetadata   = &statsREST{}
)

// New returns an empty ImageStats.
func (r *statsREST) New() runtime.Object { return &images.ImageStats{} }

// Destroy does nothing: the storage is the main resource's, which closes it.
func (r *statsREST) Destroy() {}

// NewGetOptions returns the type of the query parameters.
func (r *statsREST) NewGetOptions() (options runtime.Object, subpath bool, subpathName string) {
	return &images.ImageStatsOptions{}, false, ""
}

// ProducesMIMETypes adds none.
func (r *statsREST) ProducesMIMETypes(string) []string { return nil }

// ProducesObject says that the answer is figures.
func (r *statsREST) ProducesObject(string) any { return v1alpha1.ImageStats{} }

// Get returns the figures of an Image. Where there is no record of it there are none.
func (r *statsREST) Get(ctx context.Context, name string, object runtime.Object) (runtime.Object, error) {
	options, ok := object.(*images.ImageStatsOptions)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the figures of image %s take ImageStatsOptions, not a %T", name, object))
	}
	if errs := validation.ImageStatsOptions(options); len(errs) > 0 {
		return nil, apierrors.NewInvalid(images.Kind("ImageStatsOptions"), name, errs)
	}
	window, err := validation.Window(options.Since)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	store, err := r.open(ctx, statsResource, name)
	if err != nil {
		return nil, err
	}
	subject, err := r.find(ctx, store, statsResource, name, types.UID(options.UID))
	if err != nil {
		return nil, err
	}
	answer := &images.ImageStats{ObjectMeta: subject.ObjectMeta}
	if store == nil {
		return answer, nil
	}
	report, err := history.Report(ctx, store, subject.Namespace, subject.UID, records.Window{Since: r.clock.Now().Add(-window)})
	if err != nil {
		return nil, history.Error(err, statsResource, name)
	}
	if report != nil {
		answer.Stats = history.Stats(&report.Stats, window)
		answer.Health = history.Health(answer.Stats, subject.conditions())
	}
	return answer, nil
}

// conditions are those of the Image, if it is still there.
func (s *subject) conditions() []metav1.Condition {
	if s.image == nil {
		return nil
	}
	return s.image.Status.Conditions
}
