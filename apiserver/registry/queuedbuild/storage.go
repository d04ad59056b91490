// SPDX-License-Identifier: Apache-2.0

package queuedbuild

import (
	"cmp"
	"context"
	"fmt"

	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/resources"
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

// NewForecaster creates the forecaster of the resource, which plans ask too.
func NewForecaster(scope *resources.Scope, builds *imagebuild.Store, options Options) (*Forecaster, error) {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	client, err := metadata.NewForConfig(cmp.Or(scope.Core, scope.Loopback))
	if err != nil {
		return nil, fmt.Errorf("read Namespaces: %w", err)
	}
	forecaster := &Forecaster{
		builds: storedBuilds{builds},
		shares: &shares{namespaces: client.Resource(namespaces), clock: options.Clock},
		clock:  options.Clock,
	}
	if options.Limits != nil {
		if forecaster.limits, err = options.Limits(); err != nil {
			return nil, fmt.Errorf("read limits: %w", err)
		}
	}
	return forecaster, nil
}

// NewStorage creates the resource.
func NewStorage(forecaster *Forecaster) resources.Storages {
	return resources.Storages{"": resources.NewReadOnly(resources.ReadOnly[*v1alpha1.QueuedBuild]{
		New:        func() *v1alpha1.QueuedBuild { return &v1alpha1.QueuedBuild{} },
		NewList:    func() runtime.Object { return &v1alpha1.QueuedBuildList{} },
		Resource:   v1alpha1.Resource("queuedbuilds"),
		Singular:   "queuedbuild",
		ShortNames: []string{"qb"},
		Table:      newTable(forecaster.clock),
		Objects:    forecaster.all,
		Object:     forecaster.one,
	})}
}

// storedBuilds are the builds of a store.
type storedBuilds struct{ store *imagebuild.Store }

func (s storedBuilds) list(ctx context.Context, namespace string) (*v1alpha1.ImageBuildList, error) {
	return store.List[*v1alpha1.ImageBuildList](apirequest.WithNamespace(ctx, namespace), s.store.Store, &metainternalversion.ListOptions{})
}

func (s storedBuilds) unfinished(ctx context.Context) (*v1alpha1.ImageBuildList, error) {
	selected := &metainternalversion.ListOptions{FieldSelector: fields.OneTermEqualSelector("status.finished", "false")}
	return store.List[*v1alpha1.ImageBuildList](apirequest.WithNamespace(ctx, metav1.NamespaceAll), s.store.Store, selected)
}

func (s storedBuilds) get(ctx context.Context, name string) (*v1alpha1.ImageBuild, error) {
	return s.store.GetBuild(ctx, name)
}
