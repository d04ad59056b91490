// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// TestBothBuildsTakeTheRight asks as a user with permission to compare the build of the request, and no other build. The
// server has checked the permission for the build of the request already.
func TestBothBuildsTakeTheRight(t *testing.T) {
	var failure error
	only := authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
		if a.GetUser().GetName() == "ada" && a.GetNamespace() == "team" && a.GetVerb() == "get" && a.GetAPIGroup() == v1alpha1.GroupName &&
			a.GetResource() == "imagebuilds" && a.GetSubresource() == "diff" && a.GetName() == "web-1" && a.IsResourceRequest() {
			return authorizer.DecisionAllow, "", nil
		}
		return authorizer.DecisionNoOpinion, "", failure
	})
	diff := &differ{scope: &resources.Scope{Authorizer: only}}
	ctx := apirequest.WithUser(apirequest.WithNamespace(t.Context(), "team"), &user.DefaultInfo{Name: "ada"})
	if err := diff.mayCompare(ctx, "web-1"); err != nil {
		t.Errorf("with a build that the user may compare: %v", err)
	}
	_, err := diff.compare(ctx, "web-1", &v1alpha1.ImageBuildDiffOptions{With: "web-2"})
	if !apierrors.IsForbidden(err) {
		t.Errorf("with another build: %v, want a 403", err)
	}
	failure = errors.New("nobody answers")
	if err := diff.mayCompare(ctx, "web-2"); !apierrors.IsInternalError(err) {
		t.Errorf("while nobody knows: %v, want a 500", err)
	}
	if err := diff.mayCompare(t.Context(), "web-1"); !apierrors.IsInternalError(err) {
		t.Errorf("without a user: %v, want a 500", err)
	}
}
