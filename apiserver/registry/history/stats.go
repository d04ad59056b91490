// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/records"
)

const statsResource = "images/stats"

// statsView returns the stats subresource: figures of the builds of an Image that finished in a window of time.
func (r *recorded) statsView() *subresource.View[v1alpha1.ImageStatsOptions, *v1alpha1.ImageStatsOptions] {
	return subresource.NewView(statsResource, &v1alpha1.ImageStats{}, v1alpha1.ImageStats{}, r.stats)
}

// stats returns the figures of an Image. They are empty if the Image has no record.
func (r *recorded) stats(ctx context.Context, name string, options *v1alpha1.ImageStatsOptions) (runtime.Object, error) {
	if err := subresource.Invalid(v1alpha1.Kind("ImageStatsOptions").GroupKind(), name, ValidateStatsOptions(options)); err != nil {
		return nil, err
	}
	window, err := Window(options.Since)
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
	answer := &v1alpha1.ImageStats{ObjectMeta: subject.ObjectMeta}
	if store == nil {
		return answer, nil
	}
	since := records.Window{Since: r.clock.Now().Add(-window)}
	figures, err := ImageStats(ctx, store, subject.Namespace, subject.UID, since)
	if err != nil {
		return nil, Error(err, statsResource, name)
	}
	if figures != nil {
		tests, err := store.TestStats(ctx, subject.UID, since)
		if err != nil {
			return nil, Error(err, statsResource, name)
		}
		fixes, err := store.Fixes(ctx, []types.UID{subject.UID}, since)
		if err != nil {
			return nil, Error(err, statsResource, name)
		}
		answer.Stats = Stats(&figures.Stats, window)
		answer.Stats.Tests, answer.Stats.Fixes = Tests(tests), Fixes(fixes)
		answer.Health = Health(answer.Stats, subject.conditions())
	}
	return answer, nil
}

// conditions are the conditions of the Image, if it exists.
func (s *subject) conditions() []metav1.Condition {
	if s.image == nil {
		return nil
	}
	return s.image.Status.Conditions
}
