// SPDX-License-Identifier: Apache-2.0

package security

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/generated/discovery"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/permissions"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeRoles(w *cluster.Workspace) {
	DescribeTable("The cluster's roles cover images and builds: what is asked of", func(ctx SpecContext, role string) {
		who := newUser(ctx, w, "nobody")
		if role != "" {
			who = newUser(ctx, w, "some-"+role, role)
		}
		byRole, err := permissions.ByRole()
		Expect(err).NotTo(HaveOccurred())
		var wanted []string
		for _, included := range permissions.Roles[:slices.Index(permissions.Roles, role)+1] {
			wanted = append(wanted, byRole[included]...)
		}
		served, err := discovery.Resources()
		Expect(err).NotTo(HaveOccurred())
		for _, resource := range append(served, metav1.APIResource{Name: "imagebuilds/finalizers"}, metav1.APIResource{Name: "serviceaccounts"}) {
			for verb := range strings.FieldsSeq("get list watch create update patch delete deletecollection use") {
				if resource.Name == "serviceaccounts" && verb != "use" {
					continue // these permissions are the cluster's own
				}
				Expect(isAllowed(ctx, who, verb, resource.Name)).To(Equal(slices.Contains(wanted, verb+" "+resource.Name)), "%s %s %s", who.name, verb, resource.Name)
			}
		}
	},
		Entry("nobody", Label("gate"), ""),
		Entry("view", Label("gate"), "view"),
		Entry("edit", Label("gate"), "edit"),
		Entry("admin", "admin"),
	)

	It("What a role may not do is refused, and what it may is done", Label("gate"), func(ctx SpecContext) {
		nobody, viewer, editor := newUser(ctx, w, "nobody"), newUser(ctx, w, "some-view", "view"), newUser(ctx, w, "some-edit", "edit")
		image := cluster.NewImage("web")

		for _, who := range []user{nobody, viewer} {
			_, err := who.images().Create(ctx, image, metav1.CreateOptions{})
			expectForbidden(err, who.name)
		}
		_, err := editor.images().Create(ctx, image, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		build := w.Succeeded(ctx, "web-1")

		Expect(viewer.builds().List(ctx, metav1.ListOptions{})).To(HaveField("Items", HaveLen(1)))
		Expect(workspace.ReadLog(ctx, viewer.goldsmith, w.Namespace, "web-1", nil)).To(ContainSubstring("step 1/1"))
		_, err = workspace.ReadLog(ctx, nobody.goldsmith, w.Namespace, "web-1", nil)
		expectForbidden(err, nobody.name)
		_, err = nobody.builds().List(ctx, metav1.ListOptions{})
		expectForbidden(err, nobody.name)

		_, err = viewer.images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{}, metav1.CreateOptions{})
		expectForbidden(err, viewer.name)
		_, err = viewer.builds().Cancel(ctx, "web-1", &v1alpha1.CancelRequest{}, metav1.CreateOptions{})
		expectForbidden(err, viewer.name)
		requested, err := editor.images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{Message: "please"}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(requested.Spec.Trigger.RequestedBy).To(Equal(editor.name), "the user of the request, not kube-apiserver")

		build.Status.Phase = v1alpha1.BuildRunning
		_, err = editor.builds().UpdateStatus(ctx, build, metav1.UpdateOptions{})
		expectForbidden(err, editor.name)
	})

	It("What a role may do ends where its namespace ends", func(ctx SpecContext) {
		editor := newUser(ctx, w, "some-edit", "edit")
		_, err := editor.goldsmith.ImagesV1alpha1().Images(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{})
		expectForbidden(err, editor.name)
		_, err = editor.goldsmith.ImagesV1alpha1().Images(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
		expectForbidden(err, editor.name)
	})
}

// isAllowed reports whether a user may do this to all objects of the resource in the namespace.
func isAllowed(ctx context.Context, who user, verb, resource string) bool {
	GinkgoHelper()
	group := v1alpha1.GroupName
	if resource == "serviceaccounts" {
		group = ""
	}
	resource, subresource, _ := strings.Cut(resource, "/")
	review, err := who.kube.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: who.namespace, Verb: verb, Group: group, Resource: resource, Subresource: subresource,
		}},
	}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	return review.Status.Allowed
}

// expectForbidden expects a 403 that names who was refused.
func expectForbidden(err error, who string) {
	GinkgoHelper()
	Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	Expect(err).To(MatchError(ContainSubstring(fmt.Sprintf("%q", who))))
}
