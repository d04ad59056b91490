// SPDX-License-Identifier: Apache-2.0

package security

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

const (
	account = "deployer"
	secret  = "registry-password"
)

// The controller creates pods with its own permissions. A template must not give a pod more than the permissions of its author.
func describeTemplates(w *cluster.Workspace) {
	withAccount := func() *v1alpha1.BuildTemplate { return &v1alpha1.BuildTemplate{ServiceAccountName: account} }
	withSecret := func() *v1alpha1.BuildTemplate {
		return &v1alpha1.BuildTemplate{Env: []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: "password"},
		}}}}
	}
	var editor user

	Describe("A template with what is not its author's to give", func() {
		BeforeEach(func(ctx SpecContext) {
			_, err := w.Kube.CoreV1().ServiceAccounts(w.Namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			_, err = w.Kube.CoreV1().Secrets(w.Namespace).Create(ctx, &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: secret}, StringData: map[string]string{"password": "s3cret"},
			}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			editor = newUser(ctx, w, "some-editor", "goldsmith-view", "goldsmith-edit")
		})

		DescribeTable("is refused until they have the right", func(ctx SpecContext, template func() *v1alpha1.BuildTemplate, verb, resource, name string) {
			image, build := cluster.NewImage("web"), workspace.NewBuild("once")
			image.Spec.Template, build.Spec.Inputs.Template = template(), template()
			refused := func(err error) {
				GinkgoHelper()
				expectForbidden(err, editor.name)
				Expect(err).To(MatchError(And(ContainSubstring(verb), ContainSubstring(resource), ContainSubstring(name))))
			}

			By("in a new image, and in a build")
			_, err := editor.images().Create(ctx, image, metav1.CreateOptions{})
			refused(err)
			_, err = editor.builds().Create(ctx, build, metav1.CreateOptions{})
			refused(err)

			By("in a change")
			_, err = editor.images().Create(ctx, cluster.NewImage("plain"), metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			refused(change(ctx, editor, "plain", func(image *v1alpha1.Image) { image.Spec.Template = template() }))

			By("in a change of something else, where somebody else has put it")
			w.CreateImage(ctx, image)
			w.Succeeded(ctx, "web-1")
			refused(change(ctx, editor, "web", func(image *v1alpha1.Image) { image.Spec.Builder = v1alpha1.BuilderReference{Name: "other"} }))
			refused(change(ctx, editor, "web", func(image *v1alpha1.Image) { image.Spec.Parameters[0].Value = "1s" }))

			By("not in a request for another build of the same, nor in a change of a label")
			_, err = editor.images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			w.Succeeded(ctx, "web-2")
			Expect(change(ctx, editor, "web", func(image *v1alpha1.Image) { image.Labels = map[string]string{"team": "a"} })).To(Succeed())

			By("not of those who have it")
			grant(ctx, w, editor, verb, resource, name)
			w.Eventually(ctx, func(ctx context.Context) error {
				return change(ctx, editor, "web", func(image *v1alpha1.Image) { image.Spec.Parameters[0].Value = "1s" })
			}).Should(Succeed())
			w.Succeeded(ctx, "web-3")
			w.Eventually(ctx, func(ctx context.Context) error { // another replica may remember for ten seconds that it was refused
				_, err := editor.builds().Create(ctx, build, metav1.CreateOptions{})
				return err
			}).Should(Succeed())
			w.Succeeded(ctx, "once")
		},
			Entry("a service account", withAccount, "use", "serviceaccounts", account),
			Entry("a Secret", withSecret, "get", "secrets", secret),
		)

		It("is not refused of those who manage the namespace", func(ctx SpecContext) {
			manager := newUser(ctx, w, "some-admin", "admin")
			image := cluster.NewImage("web")
			image.Spec.Template = &v1alpha1.BuildTemplate{ServiceAccountName: account, Env: withSecret().Env}
			w.Eventually(ctx, func(ctx context.Context) error {
				_, err := manager.images().Create(ctx, image, metav1.CreateOptions{})
				return err
			}).Should(Succeed())
			w.Succeeded(ctx, "web-1")
		})

		It("may name the namespace's default account, which every pod may have", func(ctx SpecContext) {
			image := cluster.NewImage("web")
			image.Spec.Template = &v1alpha1.BuildTemplate{ServiceAccountName: "default"}
			_, err := editor.images().Create(ctx, image, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			w.Succeeded(ctx, "web-1")
		})
	})
}

// change changes a stored Image with the permissions of a user.
func change(ctx context.Context, who user, name string, change func(*v1alpha1.Image)) error {
	_, err := workspace.ChangeImage(ctx, who.images(), name, change)
	return err
}
