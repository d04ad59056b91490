// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
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
	store := &REST{scope: &resources.Scope{Authorizer: only}}
	ctx := apirequest.WithUser(apirequest.WithNamespace(t.Context(), "team"), &user.DefaultInfo{Name: "ada"})
	refused := errors.New("refused by an admission policy")
	admit := store.mayCancel(func(context.Context, runtime.Object, runtime.Object) error { return refused })
	build := func(name string, request *v1alpha1.CancelRequested) *v1alpha1.ImageBuild {
		build := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{CancelRequested: request}}
		build.Name = name
		return build
	}
	request := &v1alpha1.CancelRequested{}
	if err := admit(ctx, build("web-1", request), build("web-1", nil)); !errors.Is(err, refused) {
		t.Errorf("a build that the user may cancel: %v, want the answer of admission", err)
	}
	if err := admit(ctx, build("web-2", request), build("web-2", nil)); !apierrors.IsForbidden(err) {
		t.Errorf("another build: %v, want a 403", err)
	}
	for _, requested := range []*v1alpha1.CancelRequested{nil, request} {
		if err := admit(ctx, build("web-2", requested), build("web-2", requested)); !errors.Is(err, refused) {
			t.Errorf("another change: %v, want the answer of admission", err)
		}
	}
	failure = errors.New("nobody answers")
	if err := admit(ctx, build("web-2", request), build("web-2", nil)); !apierrors.IsInternalError(err) {
		t.Errorf("while nobody knows: %v, want a 500", err)
	}
}
