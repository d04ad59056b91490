// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// TestARequestedBuildNeedsTheSubresource requests builds as a user with permission to create builds, and to use no subresource.
func TestARequestedBuildNeedsTheSubresource(t *testing.T) {
	var asked []string
	none := authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
		asked = append(asked, a.GetVerb()+" "+a.GetResource()+"/"+a.GetSubresource()+" "+a.GetNamespace()+"/"+a.GetName())
		return authorizer.DecisionNoOpinion, "", nil
	})
	r := &requests{scope: &resources.Scope{Authorizer: none}}
	ctx := apirequest.WithUser(apirequest.WithNamespace(t.Context(), "team"), &user.DefaultInfo{Name: "ada"})
	for want, trigger := range map[string]*v1alpha1.BuildTrigger{
		"create images/instantiate team/web":  nil,
		"create imagebuilds/rerun team/web-1": {RerunOf: "web-1"},
	} {
		asked = nil
		build := &v1alpha1.ImageBuild{}
		v1alpha1.SetObjectDefaults_ImageBuild(build)
		build.GenerateName, build.Spec.ImageRef, build.Spec.Trigger = "web-", &v1alpha1.ImageReference{Name: "web"}, trigger
		_, err := r.Request(ctx, build, &metav1.CreateOptions{})
		if !apierrors.IsForbidden(err) || len(asked) != 1 || asked[0] != want {
			t.Errorf("got %v after asking for %q, want a 403 after asking for %q", err, asked, want)
		}
	}
}
