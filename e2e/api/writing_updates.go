// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strconv"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubetypes "k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

const writers = 20

func describeUpdates(w *fixture) {
	Describe("An update", func() {
		It("without a version overwrites whatever there is", func(ctx SpecContext) {
			first := w.create(ctx, "web", labelled("a", "b"))
			updated, err := w.Images().Update(ctx, image("web", func(image *v1alpha1.Image) { image.Spec.Base.Reference = "debian:trixie" }), metav1.UpdateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(updated.UID).To(Equal(first.UID))
			Expect(updated.CreationTimestamp).To(Equal(first.CreationTimestamp))
			Expect(updated.ResourceVersion).NotTo(Equal(first.ResourceVersion))
			Expect(updated.Labels).To(BeEmpty())
			Expect(updated.Spec.Base.Reference).To(Equal("debian:trixie"))
		})

		It("of the spec is a new generation, and of nothing else", func(ctx SpecContext) {
			w.create(ctx, "web")
			image := w.observedImage(ctx, "web")
			image.Labels = map[string]string{"a": "b"}
			image, err := w.Images().Update(ctx, image, metav1.UpdateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(image.Generation).To(BeEquivalentTo(1))
			image.Spec.Base.Reference = "debian:trixie"
			image, err = w.Images().Update(ctx, image, metav1.UpdateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(image.Generation).To(BeEquivalentTo(2))

			image = w.observedImage(ctx, "web")
			image.Generation = 7
			image, err = w.Images().Update(ctx, image, metav1.UpdateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(image.Generation).To(BeEquivalentTo(2))
		})

		It("that changes nothing is no new version", func(ctx SpecContext) {
			w.create(ctx, "web")
			before := w.observedImage(ctx, "web")
			after, err := w.Images().Update(ctx, before.DeepCopy(), metav1.UpdateOptions{FieldManager: before.ManagedFields[0].Manager})
			Expect(err).NotTo(HaveOccurred())
			Expect(after).To(BeComparableTo(before))

			build := w.finishedBuild(ctx, "once")
			again, err := w.Builds().Update(ctx, build.DeepCopy(), metav1.UpdateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(again.ResourceVersion).To(Equal(build.ResourceVersion))
		})

		It("of the spec leaves the status alone, and of the status the rest", func(ctx SpecContext) {
			w.create(ctx, "web", labelled("a", "b"))
			before := w.observedImage(ctx, "web")
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

		It("leaves the time of the creation as it was, and cannot start a deletion", func(ctx SpecContext) {
			created := w.create(ctx, "web")
			changed := w.observedImage(ctx, "web")
			changed.CreationTimestamp = metav1.NewTime(time.Unix(1, 0))
			changed, err := w.Images().Update(ctx, changed, metav1.UpdateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(changed.CreationTimestamp).To(Equal(created.CreationTimestamp))
			changed.DeletionTimestamp = new(metav1.Now())
			_, err = w.Images().Update(ctx, changed, metav1.UpdateOptions{})
			Expect(err).To(workspace.BeInvalid("metadata.deletionTimestamp"))
		})
	})

	Describe("Of many writers at once", func() {
		It("one wins where all have seen the same version", func(ctx SpecContext) {
			w.create(ctx, "web")
			seen := w.observedImage(ctx, "web")
			errs := atOnce(func(i int) error {
				changed := seen.DeepCopy()
				changed.Annotations = map[string]string{"writer": strconv.Itoa(i)}
				_, err := w.Images().Update(ctx, changed, metav1.UpdateOptions{})
				return err
			})
			Expect(errs).To(ContainElement(Succeed()))
			var lost []error
			for _, err := range errs {
				if err != nil {
					lost = append(lost, err)
				}
			}
			Expect(lost).To(And(HaveLen(writers-1), HaveEach(Satisfy(apierrors.IsConflict))))
		})

		It("none loses what it has counted where each tries again", Label("gate"), func(ctx SpecContext) {
			w.create(ctx, "web")
			Expect(atOnce(func(int) error {
				for {
					counted := w.getImage(ctx, "web")
					count, _ := strconv.Atoi(counted.Annotations["count"])
					counted.Annotations = map[string]string{"count": strconv.Itoa(count + 1)}
					_, err := w.Images().Update(ctx, counted, metav1.UpdateOptions{})
					if !apierrors.IsConflict(err) {
						return err
					}
				}
			})).To(HaveEach(Succeed()))
			Expect(w.getImage(ctx, "web").Annotations).To(HaveKeyWithValue("count", strconv.Itoa(writers)))
		})

		It("all succeed where each patches what is its own", func(ctx SpecContext) {
			w.create(ctx, "web")
			Expect(atOnce(func(i int) error {
				_, err := w.Images().Patch(ctx, "web", kubetypes.MergePatchType, []byte(`{"metadata":{"labels":{"l`+strconv.Itoa(i)+`":"x"}}}`), metav1.PatchOptions{})
				return err
			})).To(HaveEach(Succeed()))
			Expect(w.getImage(ctx, "web").Labels).To(HaveLen(writers))
		})

		It("one creates", func(ctx SpecContext) {
			errs := atOnce(func(int) error {
				_, err := w.Images().Create(ctx, image("web"), metav1.CreateOptions{})
				return err
			})
			created := 0
			for _, err := range errs {
				if err == nil {
					created++
					continue
				}
				Expect(apierrors.IsAlreadyExists(err)).To(BeTrue(), "%v", err)
			}
			Expect(created).To(Equal(1))
		})
	})

	It("A status that is written by an old version is a conflict", func(ctx SpecContext) {
		w.create(ctx, "web")
		old := w.observedImage(ctx, "web")
		w.patch(ctx, "web", kubetypes.MergePatchType, `{"metadata":{"labels":{"a":"b"}}}`)
		old.Status.ActiveBuilds = 7
		_, err := w.Images().UpdateStatus(ctx, old, metav1.UpdateOptions{})
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring("the object has been modified; please apply your changes to the latest version and try again")))
		_, err = w.Images().UpdateStatus(ctx, image("absent"), metav1.UpdateOptions{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
	})
}

// atOnce calls a function for each of the writers, all at the same time, and returns what each of them returned.
func atOnce(call func(int) error) []error {
	errs := make([]error, writers)
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			defer GinkgoRecover()
			errs[i] = call(i)
		})
	}
	group.Wait()
	return errs
}
