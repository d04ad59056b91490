// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strconv"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"

	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeUpdates(w *subject) {
	Describe("An update", func() {
		It("of the spec is a new generation, and of nothing else", func(ctx SpecContext) {
			w.create(ctx, "web")
			update := func(change func(*unstructured.Unstructured)) *unstructured.Unstructured {
				GinkgoHelper()
				object := w.waitUntilObserved(ctx)
				change(object)
				updated, err := w.client().Update(ctx, object, metav1.UpdateOptions{})
				Expect(err).NotTo(HaveOccurred())
				return updated
			}
			Expect(update(labelled("a", "b")).GetGeneration()).To(BeEquivalentTo(1))
			status := field(w.waitUntilObserved(ctx), "status")
			Expect(field(update(set("status.activeBuilds", int64(7))), "status")).To(Equal(status))
			Expect(update(set(w.edited, w.other)).GetGeneration()).To(BeEquivalentTo(2))
			Expect(update(set("metadata.generation", int64(7))).GetGeneration()).To(BeEquivalentTo(2))
		})

		It("without a version is done whatever the version is, and with an old one it is a conflict", func(ctx SpecContext) {
			old := w.create(ctx, "web")
			w.change(ctx, "web", labelled("a", "b"))
			_, err := w.client().Update(ctx, old, metav1.UpdateOptions{})
			Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
			updated, err := w.client().Update(ctx, w.object("web", set(w.edited, w.other)), metav1.UpdateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(field(updated, w.edited)).To(Equal(w.other))
			Expect(updated.GetLabels()).To(BeEmpty())
		})

		It("to a value that the field cannot have is refused with the path of the field", func(ctx SpecContext) {
			w.create(ctx, "web")
			_, err := w.client().Update(ctx, w.object("web", set(w.edited, w.refused)), metav1.UpdateOptions{})
			Expect(err).To(workspace.BeInvalid(w.edited))
			Expect(field(w.read(ctx), w.edited)).To(Equal(w.value))
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
					counted := w.read(ctx)
					count, _ := strconv.Atoi(counted.GetAnnotations()["count"])
					counted.SetAnnotations(map[string]string{"count": strconv.Itoa(count + 1)})
					_, err := w.client().Update(ctx, counted, metav1.UpdateOptions{})
					return err
				})).To(Succeed())
			})
		}
		counting.Wait()
		Expect(w.read(ctx).GetAnnotations()).To(HaveKeyWithValue("count", strconv.Itoa(writers)))
	})
}

func describeImageUpdates(w *fixture) {
	Describe("An update", func() {
		It("of the status leaves the rest alone", func(ctx SpecContext) {
			images(w).create(ctx, "web", labelled("a", "b"))
			before := w.observedImage(ctx)
			changed := before.DeepCopy()
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
}
