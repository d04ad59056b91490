// SPDX-License-Identifier: Apache-2.0

package resources

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// UserName returns the name of the user of a request, or "" if there is none.
func UserName(ctx context.Context) string {
	user, ok := apirequest.UserFrom(ctx)
	if !ok {
		return ""
	}
	return user.GetName()
}

// UserMayGet asks the Authorizer whether the user of a request may get an object, or a subresource of the object. The
// subresource is "" for the object itself. An error means that there is no decision.
func (s *Scope) UserMayGet(ctx context.Context, resource schema.GroupVersionResource, subresource, namespace, name string) (bool, error) {
	return s.UserMay(ctx, "get", resource, subresource, namespace, name)
}

// UserMay asks as UserMayGet does, about another verb.
func (s *Scope) UserMay(ctx context.Context, verb string, resource schema.GroupVersionResource, subresource, namespace, name string) (bool, error) {
	user, ok := apirequest.UserFrom(ctx)
	if !ok {
		return false, errors.New("the request has no user")
	}
	decision, _, err := s.Authorizer.Authorize(ctx, authorizer.AttributesRecord{
		User: user, Verb: verb, APIGroup: resource.Group, APIVersion: resource.Version, Resource: resource.Resource, Subresource: subresource,
		Namespace: namespace, Name: name, ResourceRequest: true,
	})
	if decision == authorizer.DecisionAllow {
		return true, nil
	}
	return false, err
}
