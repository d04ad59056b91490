// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeCreation(w *subject) {
	Describe("An object that is created", func() {
		It("is answered as it is stored, with what the server adds", func(ctx SpecContext) {
			created := w.create(ctx, "web", labelled("team", "red"))
			Expect(created.GetUID()).NotTo(BeEmpty())
			Expect(created.GetResourceVersion()).NotTo(BeEmpty())
			Expect(created.GetGeneration()).To(BeEquivalentTo(1))
			Expect(created.GetCreationTimestamp().Time).To(BeTemporally("~", time.Now(), time.Minute))
			Expect(field(created, "spec.retry.limit")).To(BeEquivalentTo(2), "the default")
			Expect(created).To(beNew())
		})

		It("has no say in what is the server's", func(ctx SpecContext) {
			asked := w.object("web", set("status", map[string]any{
				"buildCounter": int64(7), "observedGeneration": int64(1), "activeBuilds": int64(7),
				"conditions": []any{map[string]any{"type": v1alpha1.ImageReady, "status": "True", "reason": "Forged", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}},
			}))
			asked.SetUID("mine")
			asked.SetGeneration(7)
			asked.SetCreationTimestamp(metav1.NewTime(time.Unix(0, 0)))
			asked.SetDeletionTimestamp(new(metav1.Now()))
			asked.SetDeletionGracePeriodSeconds(new(int64(7)))
			created, err := w.client().Create(ctx, asked, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(created.GetUID()).NotTo(BeEquivalentTo("mine"))
			Expect(created.GetGeneration()).To(BeEquivalentTo(1))
			Expect(created.GetCreationTimestamp().Unix()).NotTo(BeZero())
			Expect(created.GetDeletionTimestamp()).To(BeNil())
			Expect(created.GetDeletionGracePeriodSeconds()).To(BeNil())
			Expect(created).To(beNew())
		})

		It("gets a name from the server where it only says how that begins", func(ctx SpecContext) {
			Expect(w.create(ctx, "", generated).GetName()).To(MatchRegexp(`^generated-[a-z0-9]{5}$`))
		})

		It("is refused in a namespace that there is not", func(ctx SpecContext) {
			_, err := w.clientIn(w.Namespace+"-other").Create(ctx, w.object("web"), metav1.CreateOptions{})
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring(`namespaces "` + w.Namespace + `-other" not found`)))
		})

		It("is refused in a namespace that ends", func(ctx SpecContext) {
			w.create(ctx, "held", addFinalizer)
			Expect(w.Kube.CoreV1().Namespaces().Delete(ctx, w.Namespace, metav1.DeleteOptions{})).To(Succeed())
			w.Eventually(ctx, func(ctx context.Context) error {
				_, err := w.client().Create(ctx, w.object("web"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
				return err
			}).Should(And(Satisfy(apierrors.IsForbidden), Satisfy(func(err error) bool {
				return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
			})))
			w.Eventually(ctx, func(ctx context.Context) (*unstructured.Unstructured, error) {
				return w.client().Get(ctx, "held", metav1.GetOptions{})
			}).Should(HaveField("GetDeletionTimestamp()", Not(BeNil())))
			w.release(ctx, "held")
		})
	})
}
