// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeDeletion(w *fixture) {
	// buildAndQueue leaves an Image with a finished, a running and a waiting build.
	buildAndQueue := func(ctx context.Context) *v1alpha1.Image {
		GinkgoHelper()
		w.createImage(ctx, newImage("web"))
		w.image(ctx, "web", built(1))
		image := w.changeImage(ctx, "web", setting(longer))
		w.running(ctx, "web-2")
		w.request(ctx, "web", "third")
		w.build(ctx, "web-3", inPhase(v1alpha1.BuildQueued))
		return image
	}
	nothingIsLeft := func(ctx context.Context) {
		GinkgoHelper()
		w.eventually(ctx, w.buildNames).Should(BeEmpty())
		w.eventually(ctx, w.buildsWithJobs).Should(BeEmpty())
		w.eventually(ctx, w.buildsWithPods).Should(BeEmpty())
	}

	Describe("An image that is deleted", func() {
		DescribeTable("takes its builds with it, finished, running and waiting", func(ctx SpecContext, policy metav1.DeletionPropagation) {
			buildAndQueue(ctx)
			Expect(w.images().Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: &policy})).To(Succeed())
			nothingIsLeft(ctx)
			w.eventually(ctx, func(ctx context.Context) (*v1alpha1.Image, error) {
				image, err := w.images().Get(ctx, "web", metav1.GetOptions{})
				return image, ignoreNotFound(err)
			}).Should(HaveField("UID", BeEmpty()))
		},
			Entry("in the background", metav1.DeletePropagationBackground),
			Entry("in the foreground", metav1.DeletePropagationForeground),
		)

		It("and made again at once has builds of its own only", func(ctx SpecContext) {
			buildAndQueue(ctx)
			Expect(w.images().Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
			again := w.createImage(ctx, newImage("web"))

			image := w.image(ctx, "web", conditions("Ready=True/BuildSucceeded", "UpToDate=True/InputsUnchanged", "Building=False/Idle"))
			build := w.succeeded(ctx, image.Status.LatestBuild.Name)
			Expect(build.Spec.ImageRef.UID).To(Equal(again.UID))
			Expect(image.Status.BuildCounter).To(BeElementOf(int64(1), int64(2), int64(3), int64(4)))
			w.eventually(ctx, w.buildNames).Should(ConsistOf(build.Name))
			w.eventually(ctx, w.buildsWithPods).Should(ConsistOf(build.Name))
		})

		It("and made again later starts at 1", func(ctx SpecContext) {
			buildAndQueue(ctx)
			Expect(w.images().Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
			nothingIsLeft(ctx)
			w.createImage(ctx, newImage("web"))
			w.image(ctx, "web", built(1))
		})
	})

	It("A namespace that is deleted while builds run ends, with all that is in it", func(ctx SpecContext) {
		buildAndQueue(ctx)
		w.createBuild(ctx, newBuild("once", longer))
		w.running(ctx, "once")
		Expect(w.kube.CoreV1().Namespaces().Delete(ctx, w.namespace, metav1.DeleteOptions{})).To(Succeed())

		w.eventually(ctx, func(ctx context.Context) bool {
			_, err := w.kube.CoreV1().Namespaces().Get(ctx, w.namespace, metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		}).Should(BeTrue())
		nothingIsLeft(ctx)
		images, err := w.images().List(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(images.Items).To(BeEmpty())
		_, err = w.images().Create(ctx, newImage("web"), metav1.CreateOptions{})
		Expect(err).To(MatchError(ContainSubstring(w.namespace)))
	})
}
