// SPDX-License-Identifier: Apache-2.0

package imageplan

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
)

// Subresource returns the subresource plan of images.
func (p *REST) Subresource() *SubresourceREST {
	return &SubresourceREST{planner: p.planner}
}

var _ rest.Getter = &SubresourceREST{}

// SubresourceREST is the subresource plan of images.
type SubresourceREST struct {
	subresource.Base
	planner *planner
}

// New returns an empty ImagePlan.
func (s *SubresourceREST) New() runtime.Object { return &v1alpha1.ImagePlan{} }

// Get plans the stored Image.
func (s *SubresourceREST) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	image, err := store.Get[*v1alpha1.Image](ctx, s.planner.images, name)
	if err != nil {
		return nil, err
	}
	return s.planner.plan(ctx, image, nil)
}
