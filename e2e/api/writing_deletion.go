// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeDeletion(w *fixture) {
	remove := func(ctx context.Context, name string, options metav1.DeleteOptions) {
		GinkgoHelper()
		Expect(w.Images().Delete(ctx, name, options)).To(Succeed())
	}

	Describe("A deletion", func() {
		It("is answered with what was deleted, in a Status", func(ctx SpecContext) {
			created := w.create(ctx, "web")
			answer := w.ask(ctx, http.MethodDelete, w.at("images/web"), "")
			Expect(answer.code).To(Equal(http.StatusOK))
			status := answer.status()
			Expect(status.Status).To(Equal(metav1.StatusSuccess))
			Expect(status.Details).To(HaveValue(Equal(metav1.StatusDetails{
				Name: "web", Group: "images.goldsmith.dev", Kind: "images", UID: created.UID,
			})))
			_, err := w.Images().Get(ctx, "web", metav1.GetOptions{})
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
		})

		It("is done at once, whatever grace is given", func(ctx SpecContext) {
			w.create(ctx, "web")
			remove(ctx, "web", metav1.DeleteOptions{GracePeriodSeconds: new(int64(300))})
			_, err := w.Images().Get(ctx, "web", metav1.GetOptions{})
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
		})

		It("of the object and the version that is meant is done", func(ctx SpecContext) {
			w.create(ctx, "web")
			image := w.observedImage(ctx, "web")
			remove(ctx, "web", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &image.UID, ResourceVersion: &image.ResourceVersion}})
			w.waitForImageDeletion(ctx, "web")

			build := w.finishedBuild(ctx, "once")
			err := w.Builds().Delete(ctx, "once", metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions("other")})
			Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
			Expect(w.Builds().Delete(ctx, "once", metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(build.UID))})).To(Succeed())
		})
	})

	Describe("A deletion that a finalizer holds", func() {
		It("is announced, and done when the last finalizer goes", func(ctx SpecContext) {
			w.create(ctx, "web", held)
			before := w.observedImage(ctx, "web")
			answer := w.ask(ctx, http.MethodDelete, w.at("images/web"), "")
			Expect(answer.code).To(Equal(http.StatusOK))
			var announced v1alpha1.Image
			answer.into(&announced)
			Expect(announced.Kind).To(Equal("Image"))
			Expect(announced.DeletionTimestamp).NotTo(BeNil())
			Expect(announced.DeletionGracePeriodSeconds).To(HaveValue(BeZero()))
			Expect(announced.Generation).To(Equal(before.Generation + 1))

			remove(ctx, "web", metav1.DeleteOptions{})
			Expect(w.getImage(ctx, "web").ResourceVersion).To(Equal(announced.ResourceVersion), "a second deletion changes nothing")
			_, err := w.Images().Create(ctx, image("web"), metav1.CreateOptions{})
			Expect(apierrors.IsAlreadyExists(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring("object is being deleted")))
			w.release(ctx, "web")
			w.waitForImageDeletion(ctx, "web")
		})

		It("cannot be held by another finalizer, nor taken back", func(ctx SpecContext) {
			w.create(ctx, "web", held)
			remove(ctx, "web", metav1.DeleteOptions{})
			deleted := w.getImage(ctx, "web")
			_, err := w.Images().Patch(ctx, "web", types.MergePatchType, []byte(`{"metadata":{"finalizers":["`+finalizer+`","example.com/another"]}}`), metav1.PatchOptions{})
			Expect(err).To(workspace.BeInvalid("metadata.finalizers"))
			Expect(err).To(MatchError(ContainSubstring("no new finalizers can be added if the object is being deleted")))
			kept := w.patch(ctx, "web", types.MergePatchType, `{"metadata":{"deletionTimestamp":null,"deletionGracePeriodSeconds":null,"labels":{"a":"b"}}}`)
			Expect(kept.DeletionTimestamp).To(Equal(deleted.DeletionTimestamp))
			Expect(kept.Labels).To(HaveKey("a"))
			w.release(ctx, "web")
			w.waitForImageDeletion(ctx, "web")
		})

		It("gets no more builds", func(ctx SpecContext) {
			w.create(ctx, "web", held)
			remove(ctx, "web", metav1.DeleteOptions{})
			_, err := w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{}, metav1.CreateOptions{})
			Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
			w.release(ctx, "web")
		})

		It("is that of a build, too", func(ctx SpecContext) {
			w.finishedBuild(ctx, "once")
			hold := func(finalizers string) {
				GinkgoHelper()
				_, err := w.Builds().Patch(ctx, "once", types.MergePatchType, []byte(`{"metadata":{"finalizers":`+finalizers+`}}`), metav1.PatchOptions{})
				Expect(err).NotTo(HaveOccurred())
			}
			hold(`["` + finalizer + `"]`)
			Expect(w.Builds().Delete(ctx, "once", metav1.DeleteOptions{})).To(Succeed())
			Expect(w.Builds().Get(ctx, "once", metav1.GetOptions{})).To(HaveField("DeletionTimestamp", Not(BeNil())))
			hold(`null`)
			_, err := w.Builds().Get(ctx, "once", metav1.GetOptions{})
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
		})
	})

	Describe("A deletion of many", func() {
		left := func(ctx context.Context) []string {
			GinkgoHelper()
			list, err := w.Images().List(ctx, metav1.ListOptions{})
			Expect(err).NotTo(HaveOccurred())
			return names(list)
		}

		It("takes those that labels and fields select, and answers with them", func(ctx SpecContext) {
			for _, name := range []string{"a", "b", "c"} {
				w.create(ctx, name, labelled("name", name))
			}
			w.create(ctx, "d")
			var answered v1alpha1.ImageList
			w.ask(ctx, http.MethodDelete, w.at("images?labelSelector=name+in+(a,b)&fieldSelector=metadata.name!%3Db"), "").into(&answered)
			Expect(answered.Kind).To(Equal("ImageList"))
			Expect(names(&answered)).To(ConsistOf("a"))
			Expect(left(ctx)).To(ConsistOf("b", "c", "d"))
			Expect(w.Images().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{FieldSelector: "spec.builder.name=other"})).To(Succeed())
			Expect(left(ctx)).To(HaveLen(3))
			Expect(w.Images().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})).To(Succeed())
			Expect(left(ctx)).To(BeEmpty())
		})

		It("marks those that finalizers hold", func(ctx SpecContext) {
			w.create(ctx, "held", held)
			w.create(ctx, "free")
			Expect(w.Images().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{})).To(Succeed())
			Expect(left(ctx)).To(ConsistOf("held"))
			Expect(w.getImage(ctx, "held").DeletionTimestamp).NotTo(BeNil())
			w.release(ctx, "held")
		})
	})
}
