// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// TestAnUpdateThatCancelsNeedsTheSubresource updates builds as a user with permission to cancel one build, and to change all.
func TestAnUpdateThatCancelsNeedsTheSubresource(t *testing.T) {
	var failure error
	only := authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
		if a.GetUser().GetName() == "ada" && a.GetNamespace() == "team" && a.GetVerb() == "create" && a.GetAPIGroup() == v1alpha1.GroupName &&
			a.GetResource() == "imagebuilds" && a.GetSubresource() == "cancel" && a.GetName() == "web-1" && a.IsResourceRequest() {
			return authorizer.DecisionAllow, "", nil
		}
		return authorizer.DecisionNoOpinion, "", failure
	})
	store := &REST{Store: &Store{scope: &resources.Scope{Authorizer: only}}}
	ctx := apirequest.WithUser(apirequest.WithNamespace(t.Context(), "team"), &user.DefaultInfo{Name: "ada"})
	check := store.cancelling(&metav1.UpdateOptions{})
	build := func(name string, request *v1alpha1.CancelRequested) *v1alpha1.ImageBuild {
		build := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{CancelRequested: request}}
		build.Name, build.UID = name, "u"
		return build
	}
	request := &v1alpha1.CancelRequested{}
	missing := &v1alpha1.ImageBuild{}
	for name, may := range map[string][2]*v1alpha1.ImageBuild{
		"a build that the user may cancel": {build("web-1", request), build("web-1", nil)},
		"another change":                   {build("web-2", nil), build("web-2", nil)},
		"another change of one that ends":  {build("web-2", request), build("web-2", request)},
		"a build that does not exist":      {build("web-2", request), missing}, // validation refuses it
	} {
		if updated, err := check(ctx, may[0], may[1]); err != nil || !equality.Semantic.DeepEqual(updated, may[0]) {
			t.Errorf("%s: %v, %v", name, updated, err)
		}
	}
	if _, err := check(ctx, build("web-2", request), build("web-2", nil)); !apierrors.IsForbidden(err) {
		t.Errorf("another build: %v, want a 403", err)
	}
	failure = errors.New("nobody answers")
	if _, err := check(ctx, build("web-2", request), build("web-2", nil)); !apierrors.IsInternalError(err) {
		t.Errorf("while nobody knows: %v, want a 500", err)
	}
}
