// SPDX-License-Identifier: Apache-2.0

package security

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

// describeDirectCalls has the specs of direct calls to the pods of goldsmith-apiserver, whose callers must authenticate as with
// kube-apiserver.
func describeDirectCalls(w *cluster.Workspace) {
	// The headers with which only kube-apiserver may name the user of a request.
	forged := func() http.Header {
		return http.Header{"X-Remote-User": {"system:admin"}, "X-Remote-Group": {"system:masters"}, "X-Remote-Extra-Scopes": {"all"}}
	}
	bearing := func(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
	token := func(ctx context.Context, account string, audiences ...string) string {
		GinkgoHelper()
		request, err := w.Kube.CoreV1().ServiceAccounts(w.Namespace).CreateToken(ctx, account, &authenticationv1.TokenRequest{
			Spec: authenticationv1.TokenRequestSpec{Audiences: audiences},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		return request.Status.Token
	}
	refusedAs := func(user string) func(answer) {
		return func(got answer) {
			GinkgoHelper()
			Expect(got.Code).To(Equal(http.StatusForbidden), got.Body)
			Expect(got.Body).To(And(ContainSubstring(user), Not(ContainSubstring("system:admin"))))
		}
	}
	unknown := func(got answer) {
		GinkgoHelper()
		Expect(got.Code).To(Equal(http.StatusUnauthorized), got.Body)
	}

	Describe("A call past kube-apiserver", func() {
		It("with forged headers is one of whoever really makes it", func(ctx SpecContext) {
			s := newServer(ctx, w)
			By("nobody")
			refusedAs("system:anonymous")(s.list(ctx, forged()))
			By("somebody with a certificate of their own making, in the name of kube-apiserver's proxy")
			unknownOrAnonymous := s.list(ctx, forged(), selfSigned("front-proxy-client"))
			Expect(unknownOrAnonymous.Code).To(Or(Equal(http.StatusUnauthorized), Equal(http.StatusForbidden)), unknownOrAnonymous.Body)
			Expect(unknownOrAnonymous.Body).NotTo(ContainSubstring("system:admin"))
			By("a user of the cluster")
			refusedAs("mallory")(s.list(ctx, forged(), signedByCluster(ctx, w, "mallory")))
			By("a service account without rights")
			headers := forged()
			headers.Set("Authorization", "Bearer "+token(ctx, "default"))
			refusedAs("system:serviceaccount:" + w.Namespace + ":default")(s.list(ctx, headers))
		})

		It("is answered to those who are known and have the right, and to nobody else", func(ctx SpecContext) {
			s := newServer(ctx, w)
			By("no token")
			refusedAs("system:anonymous")(s.list(ctx, http.Header{}))
			By("no such token")
			unknown(s.list(ctx, bearing("made-up")))
			By("a token for somebody else")
			unknown(s.list(ctx, bearing(token(ctx, "default", "vault.example.com"))))
			By("a token of a service account without rights")
			refusedAs("system:serviceaccount:" + w.Namespace + ":default")(s.list(ctx, bearing(token(ctx, "default"))))

			By("a token of a service account with rights")
			_, err := w.Kube.CoreV1().ServiceAccounts(w.Namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "auditor"}}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			binding, err := w.Kube.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-auditor-"},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "goldsmith-view"},
				Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.Namespace, Name: "auditor"}},
			}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func(ctx SpecContext) {
				Expect(w.Kube.RbacV1().ClusterRoleBindings().Delete(ctx, binding.Name, metav1.DeleteOptions{})).To(Succeed())
			})
			auditor := token(ctx, "auditor")
			w.Eventually(ctx, func(ctx context.Context) int { return s.list(ctx, bearing(auditor)).Code }).Should(Equal(http.StatusOK))
		})
	})
}
