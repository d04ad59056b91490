// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strconv"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"

	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeUpdates(w *fixture) {
	Describe("An update", func() {
		It("of the spec is a new generation, and of nothing else", func(ctx SpecContext) {
			w.create(ctx, "web")
			image := w.observedImage(ctx)
			image.Labels = map[string]string{"a": "b"}
			image, err := w.Images().Update(ctx, image, metav1.UpdateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(image.Generation).To(BeEquivalentTo(1))
			image.Spec.Base.Reference = "debian:trixie"
			image, err = w.Images().Update(ctx, image, metav1.UpdateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(image.Generation).To(BeEquivalentTo(2))

			image = w.observedImage(ctx)
			image.Generation = 7
			image, err = w.Images().Update(ctx, image, metav1.UpdateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(image.Generation).To(BeEquivalentTo(2))
		})

		It("of the spec leaves the status alone, and of the status the rest", func(ctx SpecContext) {
			w.create(ctx, "web", labelled("a", "b"))
			before := w.observedImage(ctx)
			changed := before.DeepCopy()
			changed.Status.ActiveBuilds = 7
			changed.Status.Conditions = nil
			after, err := w.Images().Update(ctx, changed, metav1.UpdateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(after.Status).To(Equal(before.Status))

			changed = after.DeepCopy()
			changed.Spec.Suspend = new(false)
			changed.Labels, changed.Annotations = map[string]string{"a": "c"}, map[string]string{"a": "c"}
			changed.Finalizers = []string{finalizer}
			changed.Status.ActiveBuilds = 7
			status, err := w.Images().UpdateStatus(ctx, changed, metav1.UpdateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(status.Status.ActiveBuilds).To(BeEquivalentTo(7))
			Expect(status.Spec).To(Equal(before.Spec))
			Expect(status.Labels).To(Equal(before.Labels))
			Expect(status.Annotations).To(BeEmpty())
			Expect(status.Finalizers).To(BeEmpty())
			Expect(status.Generation).To(Equal(before.Generation))
		})

		It("of a build changes its metadata only", func(ctx SpecContext) {
			build := w.finishedBuild(ctx, "once")
			build.Labels = map[string]string{"a": "b"}
			build, err := w.Builds().Update(ctx, build, metav1.UpdateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(build.Labels).To(HaveKeyWithValue("a", "b"))
			Expect(build.Generation).To(BeEquivalentTo(1))
			build.Spec.Inputs.Base.Reference = "debian:trixie"
			_, err = w.Builds().Update(ctx, build, metav1.UpdateOptions{})
			Expect(err).To(workspace.BeInvalid("spec.inputs.base"))
		})
	})

	It("Many writers at once lose nothing that they count, where each tries again", Label("gate"), func(ctx SpecContext) {
		const writers = 20
		w.create(ctx, "web")
		var counting sync.WaitGroup
		for range writers {
			counting.Go(func() {
				defer GinkgoRecover()
				Expect(retry.RetryOnConflict(wait.Backoff{Steps: 10 * writers}, func() error {
					counted := w.getImage(ctx)
					count, _ := strconv.Atoi(counted.Annotations["count"])
					counted.Annotations = map[string]string{"count": strconv.Itoa(count + 1)}
					_, err := w.Images().Update(ctx, counted, metav1.UpdateOptions{})
					return err
				})).To(Succeed())
			})
		}
		counting.Wait()
		Expect(w.getImage(ctx).Annotations).To(HaveKeyWithValue("count", strconv.Itoa(writers)))
	})
}
