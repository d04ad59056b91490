// SPDX-License-Identifier: Apache-2.0

package subresource

import (
	"context"

	apirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// For returns a context for reading or writing an object of another resource than the request is for. The storage names the resource in
// its errors, and watches only the object with the name of the request.
func For(ctx context.Context, resource, name string) context.Context {
	info, ok := apirequest.RequestInfoFrom(ctx)
	if !ok {
		return ctx
	}
	other := *info
	other.Resource, other.Subresource, other.Name = resource, "", name
	return apirequest.WithRequestInfo(ctx, &other)
}
