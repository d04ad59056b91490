// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

// Images is the resource images.
type Images interface {
	rest.StandardStorage
	// Build answers a request for a build as the subresource instantiate does, for the Image with a UID.
	Build(ctx context.Context, name string, uid types.UID, request *v1alpha1.BuildRequest, options *metav1.CreateOptions) (*v1alpha1.ImageBuild, error)
}

// Builds is the resource imagebuilds.
type Builds interface {
	// GetBuild returns a build.
	GetBuild(ctx context.Context, name string) (*v1alpha1.ImageBuild, error)
	// BuildsOf returns the builds of an Image, in the order of their numbers.
	BuildsOf(ctx context.Context, image *v1alpha1.Image) ([]v1alpha1.ImageBuild, error)
}

// Sources are the resources that the kinds of the catalog show.
type Sources struct {
	Images Images
	Builds Builds
	// Log is the subresource log of builds.
	Log rest.GetterWithOptions
}

func newStorages(kind *catalog.Kind, sources Sources, scope *resources.Scope, memo *memo, published *published) (resources.Storages, error) {
	main, err := newREST(kind, sources.Images, scope, memo, published)
	if err != nil {
		return nil, err
	}
	return resources.Storages{
		"": main, "status": &statusREST{main}, "build": newBuildREST(main, sources.Builds), "log": &logREST{main: main, builds: sources.Builds, log: sources.Log},
	}, nil
}

// statusREST is the status subresource, which is only read: the status is that of the Image.
type statusREST struct {
	main *REST
}

var _ rest.Getter = &statusREST{}

// New returns an empty object of the kind.
func (s *statusREST) New() runtime.Object { return s.main.New() }

// Destroy does nothing.
func (s *statusREST) Destroy() {}

// Get returns the whole object.
func (s *statusREST) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	return s.main.Get(ctx, name, options)
}
