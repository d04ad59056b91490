// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeDeletion(w *fixture) {
	// buildAndQueue leaves an Image with a finished, a running and a waiting build.
	buildAndQueue := func(ctx context.Context) *v1alpha1.Image {
		GinkgoHelper()
		w.CreateImage(ctx, workspace.NewImage("web"))
		w.waitForImage(ctx, "web", built(1))
		image := w.ChangeImage(ctx, "web", setting(longer))
		w.running(ctx, "web-2")
		w.Request(ctx, "web", "third")
		w.WaitForBuild(ctx, "web-3", inPhase(v1alpha1.BuildQueued))
		return image
	}
	nothingIsLeft := func(ctx context.Context) {
		GinkgoHelper()
		w.Eventually(ctx, w.buildNames).Should(BeEmpty())
		w.Eventually(ctx, w.buildsWithJobs).Should(BeEmpty())
		w.Eventually(ctx, w.buildsWithPods).Should(BeEmpty())
	}

	Describe("An image that is deleted", func() {
		DescribeTable("takes its builds with it, finished, running and waiting", func(ctx SpecContext, policy metav1.DeletionPropagation) {
			buildAndQueue(ctx)
			Expect(w.Images().Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: &policy})).To(Succeed())
			nothingIsLeft(ctx)
			w.Eventually(ctx, func(ctx context.Context) (*v1alpha1.Image, error) {
				image, err := w.Images().Get(ctx, "web", metav1.GetOptions{})
				return image, ignoreNotFound(err)
			}).Should(HaveField("UID", BeEmpty()))
		},
			Entry("in the background", metav1.DeletePropagationBackground),
			Entry("in the foreground", metav1.DeletePropagationForeground),
		)

		It("and made again at once has builds of its own only", func(ctx SpecContext) {
			buildAndQueue(ctx)
			Expect(w.Images().Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
			again := w.CreateImage(ctx, workspace.NewImage("web"))

			image := w.waitForImage(ctx, "web", conditions("Ready=True/BuildSucceeded", "UpToDate=True/InputsUnchanged", "Building=False/Idle"))
			build := w.Succeeded(ctx, image.Status.LatestBuild.Name)
			Expect(build.Spec.ImageRef.UID).To(Equal(again.UID))
			Expect(image.Status.BuildCounter).To(BeElementOf(int64(1), int64(2), int64(3), int64(4)))
			w.Eventually(ctx, w.buildNames).Should(ConsistOf(build.Name))
			w.Eventually(ctx, w.buildsWithPods).Should(ConsistOf(build.Name))
		})

		It("and made again later starts at 1", func(ctx SpecContext) {
			buildAndQueue(ctx)
			Expect(w.Images().Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
			nothingIsLeft(ctx)
			w.CreateImage(ctx, workspace.NewImage("web"))
			w.waitForImage(ctx, "web", built(1))
		})
	})

	It("A content that is revoked outlives its build and its image", func(ctx SpecContext) {
		w.CreateImage(ctx, workspace.NewImage("web"))
		w.waitForImage(ctx, "web", built(1))
		_, err := w.Builds().Revoke(ctx, "web-1", &v1alpha1.RevokeRequest{Reason: "wrong key"}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(w.Images().Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
		nothingIsLeft(ctx)
		for _, name := range []string{"web", "shop"} {
			w.CreateImage(ctx, workspace.NewImage(name))
			w.WaitForBuild(ctx, name+"-1", And(inPhase(v1alpha1.BuildCancelled), HaveField("Status.Failure.Reason", v1alpha1.ReasonRevoked),
				HaveField("Status.Failure.Message", ContainSubstring("an artifact is one of build web-1, which is revoked"))))
			w.waitForImage(ctx, name, conditions("Stalled=True/Revoked"))
		}
	})

	It("A build that is deleted while a finalizer keeps it is cancelled, and the next build of its image starts", func(ctx SpecContext) {
		keep := func(finalizers string) {
			GinkgoHelper()
			_, err := w.Builds().Patch(ctx, "web-2", types.MergePatchType, []byte(`{"metadata":{"finalizers":`+finalizers+`}}`), metav1.PatchOptions{})
			Expect(err).NotTo(HaveOccurred())
		}
		buildAndQueue(ctx)
		keep(`["example.com/keep"]`)
		Expect(w.Builds().Delete(ctx, "web-2", metav1.DeleteOptions{})).To(Succeed())

		kept := w.WaitForBuild(ctx, "web-2", inPhase(v1alpha1.BuildCancelled))
		Expect(kept.Status.Failure.Message).To(Equal("cancelled: the build is being deleted"))
		Expect(outcomes(kept)).To(Equal([]string{"Cancelled"}))
		w.running(ctx, "web-3")
		keep("null")
		w.WaitForDeletion(ctx, "web-2")
	})

	It("A namespace that is deleted while builds run ends, with all that is in it", Label("gate"), func(ctx SpecContext) {
		buildAndQueue(ctx)
		w.CreateBuild(ctx, workspace.NewBuild("once", longer))
		w.running(ctx, "once")
		held := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "held", Finalizers: []string{"example.com/keep"}}}
		_, err := w.Kube.CoreV1().ConfigMaps(w.Namespace).Create(ctx, held, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(w.Kube.CoreV1().Namespaces().Delete(ctx, w.Namespace, metav1.DeleteOptions{})).To(Succeed())

		w.Eventually(ctx, func(ctx context.Context) ([]corev1.NamespaceCondition, error) {
			namespace, err := w.Kube.CoreV1().Namespaces().Get(ctx, w.Namespace, metav1.GetOptions{})
			return namespace.Status.Conditions, err
		}).Should(ContainElements(
			HaveField("Message", MatchRegexp(`configmaps\.? has 1 resource instances`)),
			HaveField("Message", ContainSubstring("example.com/keep in 1 resource instances")),
		))
		_, err = w.Kube.CoreV1().ConfigMaps(w.Namespace).Patch(ctx, held.Name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		Expect(err).NotTo(HaveOccurred())
		w.Eventually(ctx, func(ctx context.Context) bool {
			_, err := w.Kube.CoreV1().Namespaces().Get(ctx, w.Namespace, metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		}).Should(BeTrue())
		nothingIsLeft(ctx)
		images, err := w.Images().List(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(images.Items).To(BeEmpty())
		_, err = w.Images().Create(ctx, workspace.NewImage("web"), metav1.CreateOptions{})
		Expect(err).To(MatchError(ContainSubstring(w.Namespace)))
	})
}
