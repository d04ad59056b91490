// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// NewStorage creates the resource. Nil means that no builder is registered.
func NewStorage(allowed *inputs.Builders) resources.Storages {
	if allowed == nil {
		allowed = &inputs.Builders{}
	}
	return resources.Storages{"": resources.NewReadOnly(resources.ReadOnly[*v1alpha1.Builder]{
		New:      func() *v1alpha1.Builder { return &v1alpha1.Builder{} },
		NewList:  func() runtime.Object { return &v1alpha1.BuilderList{} },
		Resource: v1alpha1.Resource("builders"),
		Singular: "builder",
		Table:    newTable(),
		// Images of all namespaces use the same builders.
		ClusterScoped: true,
		Objects: func(context.Context) ([]*v1alpha1.Builder, error) {
			var all []*v1alpha1.Builder
			for name, registered := range allowed.All() {
				described, err := describe(name, registered)
				if err != nil {
					return nil, err
				}
				all = append(all, described)
			}
			return all, nil
		},
	})}
}

// describe returns what users see of a registered builder.
func describe(name string, registered inputs.Builder) (*v1alpha1.Builder, error) {
	described := &v1alpha1.Builder{
		ObjectMeta:  metav1.ObjectMeta{Name: name},
		Description: registered.Description,
		Reports:     registered.Reports,
	}
	if registered.Executable != nil {
		described.Executable = registered.Executable()
	} else {
		described.Image = registered.Image
	}
	return described, registered.Capabilities.Describe(described)
}
