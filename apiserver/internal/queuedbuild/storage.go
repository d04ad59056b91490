// SPDX-License-Identifier: Apache-2.0

package queuedbuild

import (
	"cmp"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/internal/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/apiserver/internal/stored"
	"goldsmith.dev/goldsmith/jobs/queue"
)

// Options are the options of the resource.
type Options struct {
	// Limits reads the limits of active builds, which are the same as for the controllers. It is called once, before the server
	// serves. Defaults to no limits.
	Limits func() (queue.Limits, error)
	// Clock tells the time. Defaults to the real one.
	Clock clock.PassiveClock
}

// Provide creates the resource.
func Provide(scope *builder.Scope, builds *imagebuild.Store, options Options) (builder.Storages, error) {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	client, err := metadata.NewForConfig(cmp.Or(scope.Core, scope.Loopback))
	if err != nil {
		return nil, fmt.Errorf("read Namespaces: %w", err)
	}
	forecaster := &forecaster{
		stored: func(ctx context.Context) (*images.ImageBuildList, error) { return storedBuilds(ctx, builds) },
		shares: &shares{namespaces: client.Resource(namespaces), clock: options.Clock},
		clock:  options.Clock,
	}
	if options.Limits != nil {
		if forecaster.limits, err = options.Limits(); err != nil {
			return nil, fmt.Errorf("read limits: %w", err)
		}
	}
	return builder.Storages{"": builder.NewReadOnly(builder.ReadOnly[*images.QueuedBuild]{
		New:        func() *images.QueuedBuild { return &images.QueuedBuild{} },
		NewList:    func() runtime.Object { return &images.QueuedBuildList{} },
		Resource:   images.Resource("queuedbuilds"),
		Singular:   "queuedbuild",
		ShortNames: []string{"qb"},
		Table:      newTable(options.Clock),
		Objects:    forecaster.builds,
	})}, nil
}

// storedBuilds returns the builds of all namespaces, on which the position of each build depends. The list must not be changed.
func storedBuilds(ctx context.Context, builds *imagebuild.Store) (*images.ImageBuildList, error) {
	found, err := builds.List(apirequest.WithNamespace(ctx, metav1.NamespaceAll), &metainternalversion.ListOptions{})
	if err != nil {
		return nil, err // with its status
	}
	list, err := stored.Builds(found)
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("queuedbuilds: %w", err))
	}
	return list, nil
}
