// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
)

// buildsRole is the role that the component namespaced has bound in single namespaces.
const buildsRole = "goldsmith-builds"

func describeUnboundRole(w *cluster.Workspace) {
	It("Builds run only where the role of builds is bound, and start once it is", func(ctx SpecContext) {
		everywhere, err := w.Kube.RbacV1().ClusterRoleBindings().Get(ctx, buildsRole, metav1.GetOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(w.Kube.RbacV1().ClusterRoleBindings().Delete(ctx, buildsRole, metav1.DeleteOptions{})).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			again := everywhere.DeepCopy()
			again.ObjectMeta = metav1.ObjectMeta{Name: everywhere.Name, Labels: everywhere.Labels, Annotations: everywhere.Annotations}
			_, err := w.Kube.RbacV1().ClusterRoleBindings().Create(ctx, again, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
		})
		w.Eventually(ctx, func(ctx context.Context) (bool, error) { // kube-apiserver learns of it by a watch
			review, err := w.Kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
				Spec: authorizationv1.SubjectAccessReviewSpec{
					User:               "system:serviceaccount:" + cluster.Namespace + ":" + cluster.Controller,
					ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: w.Namespace, Verb: "create", Group: "batch", Resource: "jobs"},
				},
			}, metav1.CreateOptions{})
			return review.Status.Allowed, err
		}).Should(BeFalse())

		w.CreateImage(ctx, cluster.NewImage("web"))
		w.WaitForBuild(ctx, "web-1", HaveField("Status.Conditions", ContainElement(And(
			HaveField("Type", v1alpha1.BuildPodReady), HaveField("Status", metav1.ConditionFalse),
			HaveField("Message", ContainSubstring("cannot create resource \"jobs\" in API group \"batch\" in the namespace \""+w.Namespace)),
		))))

		_, err = w.Kube.RbacV1().RoleBindings(w.Namespace).Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: buildsRole}, RoleRef: everywhere.RoleRef, Subjects: everywhere.Subjects,
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		w.WaitForBuild(ctx, "web-1", HaveField("Status.Phase", v1alpha1.BuildSucceeded))
	})
}
