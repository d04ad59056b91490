// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

func TestTestsThatDifferInOutcomeAreListed(t *testing.T) {
	got := testChanges(
		[]v1alpha1.TestStatus{{Name: "web", Outcome: v1alpha1.TestPassed}, {Name: "same", Outcome: v1alpha1.TestFlaky}, {Name: "old", Outcome: v1alpha1.TestError}},
		[]v1alpha1.TestStatus{{Name: "waits"}, {Name: "same", Outcome: v1alpha1.TestFlaky}, {Name: "new", Outcome: v1alpha1.TestPassed}, {Name: "web", Outcome: v1alpha1.TestFailed}})
	want := []v1alpha1.TestChange{
		{Name: "new", To: v1alpha1.TestPassed}, {Name: "old", From: v1alpha1.TestError}, {Name: "web", From: v1alpha1.TestPassed, To: v1alpha1.TestFailed},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

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
