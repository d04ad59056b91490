// SPDX-License-Identifier: Apache-2.0

package smoke

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

// Specs are the specs. They need the cluster for themselves. Those with the label installation leave nothing installed; the others want it installed.
func Specs(environment func() cluster.Environment) {
	Describe("Smoke", Label("smoke"), func() {
		w := cluster.NewWorkspace(environment)

		It("An image is built, and its log can be read", func(ctx SpecContext) {
			buildOne(ctx, w)
		})

		It("Goldsmith is installed, again with no change, builds, and is removed with all that belonged to it", Label("gate", "installation"), func(ctx SpecContext) {
			e := environment()
			w.Eventually(ctx, func(ctx context.Context) error { // what the cluster adds to each namespace is no part of an installation
				_, account := w.Kube.CoreV1().ServiceAccounts(w.Namespace).Get(ctx, "default", metav1.GetOptions{})
				_, authority := w.Kube.CoreV1().ConfigMaps(w.Namespace).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
				return errors.Join(account, authority)
			}).Should(Succeed())
			before := withoutInstallation(ctx, e)

			By("is installed")
			Expect(e.Install(ctx)).To(Succeed())
			installed, err := e.Inventory(ctx)
			Expect(err).NotTo(HaveOccurred())
			Expect(ownObjects(e, installed)).NotTo(BeEmpty(), "an inventory that does not see an installation would prove nothing")
			Expect(e.Changes(ctx)).To(BeEmpty())

			By("builds")
			buildOne(ctx, w)
			Expect(w.Images().Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
			w.Eventually(ctx, func(ctx context.Context) (int, error) {
				jobs, err := w.Kube.BatchV1().Jobs(w.Namespace).List(ctx, metav1.ListOptions{})
				return len(jobs.Items), err
			}).Should(BeZero())

			By("is removed")
			Expect(e.Uninstall(ctx)).To(Succeed())
			eventuallyNothingIsLeft(ctx, e, before)

			By("does not hold up the namespaces of others")
			Expect(w.Kube.CoreV1().Namespaces().Delete(ctx, w.Namespace, metav1.DeleteOptions{})).To(Succeed())
			w.Eventually(ctx, func(ctx context.Context) error {
				_, err := w.Kube.CoreV1().Namespaces().Get(ctx, w.Namespace, metav1.GetOptions{})
				return err
			}).Should(MatchError(ContainSubstring("not found")))
		})
	})
}

// withoutInstallation returns the objects of the cluster that belong to no installation. If they are not known, it discards the installation.
func withoutInstallation(ctx context.Context, e cluster.Environment) []string {
	GinkgoHelper()
	known := len(e.Empty) > 0
	if !known {
		Expect(e.Discard(ctx)).To(Succeed())
		eventuallyNothingIsLeft(ctx, e, nil)
	}
	inventory, err := e.Inventory(ctx)
	Expect(err).NotTo(HaveOccurred())
	if known {
		inventory = append(ofSpecs(e.Empty, inventory), e.Empty...)
	}
	return inventory
}

// buildOne applies an Image called web, and expects its build, its artifact and its log.
func buildOne(ctx context.Context, w *cluster.Workspace) {
	GinkgoHelper()
	w.CreateImage(ctx, cluster.NewImage("web"))
	build := w.Succeeded(ctx, "web-1")
	Expect(build.Status.Artifacts).To(ConsistOf(HaveField("Digest", MatchRegexp(`^sha256:[0-9a-f]{64}$`))))
	Expect(w.ReadLog(ctx, "web-1", nil)).To(ContainSubstring("step 1/1"))
}
