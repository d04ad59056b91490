// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/client-go/kubernetes"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// ranks set the priority of new builds: the value of the PriorityClass that the template names.
type ranks struct {
	client kubernetes.Interface
}

// begin sets the priority of a new build. A class that does not exist counts as 0. If the class cannot be read, the request
// fails, so that no build gets a wrong queue position.
func (r *ranks) begin(ctx context.Context, object runtime.Object, _ *metav1.CreateOptions) (genericregistry.FinishFunc, error) {
	build, err := store.As[*v1alpha1.ImageBuild](object)
	if err != nil {
		return nil, err
	}
	if errs := ValidateRanked(build); len(errs) > 0 {
		return nil, apierrors.NewInvalid(v1alpha1.Kind("ImageBuild").GroupKind(), build.Name, errs)
	}
	// An invalid name is not looked up. Validation refuses it next.
	if template := build.Spec.Inputs.Template; template != nil && len(utilvalidation.IsDNS1123Subdomain(template.PriorityClassName)) == 0 {
		value, err := r.value(ctx, template.PriorityClassName)
		if err != nil {
			return nil, unranked(build, err)
		}
		build.Spec.Priority = new(value)
	}
	return func(context.Context, bool) {}, nil
}

func (r *ranks) value(ctx context.Context, class string) (int32, error) {
	found, err := r.client.SchedulingV1().PriorityClasses().Get(ctx, class, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("read priority class %s: %w", class, err)
	}
	return found.Value, nil
}

func unranked(build *v1alpha1.ImageBuild, err error) error {
	return requesterrors.Unavailable(fmt.Sprintf("create imagebuild %s: %v; try again", build.Name, err), metav1.StatusDetails{RetryAfterSeconds: 1})
}
