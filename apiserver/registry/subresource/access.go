// SPDX-License-Identifier: Apache-2.0

package subresource

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// CheckMayCreate returns Forbidden if the user of a request cannot create a subresource of an object. A request to the object itself
// that has the effect of the subresource needs that permission too.
func CheckMayCreate(ctx context.Context, scope *resources.Scope, resource, subresource, name string) error {
	namespace := apirequest.NamespaceValue(ctx)
	allowed, err := scope.UserMay(ctx, "create", v1alpha1.SchemeGroupVersion.WithResource(resource), subresource, namespace, name)
	switch {
	case err != nil:
		return apierrors.NewInternalError(fmt.Errorf("check whether the user may create %s/%s %s: %w", resource, subresource, name, err))
	case allowed:
		return nil
	}
	return apierrors.NewForbidden(v1alpha1.Resource(resource+"/"+subresource), name,
		fmt.Errorf("user %q cannot create it in namespace %q, which this request needs", resources.UserName(ctx), namespace))
}
