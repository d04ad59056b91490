// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeCreation(w *fixture) {
	Describe("An object that is created", func() {
		It("is answered as it is stored, with what the server adds", func(ctx SpecContext) {
			created := w.create(ctx, "web", labelled("team", "red"))
			Expect(created.UID).NotTo(BeEmpty())
			Expect(created.ResourceVersion).NotTo(BeEmpty())
			Expect(created.Generation).To(BeEquivalentTo(1))
			Expect(created.CreationTimestamp.Time).To(BeTemporally("~", time.Now(), time.Minute))
			Expect(created.Spec.RunPolicy).To(Equal(v1alpha1.RunPolicySerial))
			Expect(created.Status).To(beNew())
		})

		It("has no say in what is the server's", func(ctx SpecContext) {
			asked := image("web", func(image *v1alpha1.Image) {
				image.UID, image.Generation = "mine", 7
				image.CreationTimestamp = metav1.NewTime(time.Unix(0, 0))
				image.DeletionTimestamp, image.DeletionGracePeriodSeconds = new(metav1.Now()), new(int64(7))
				image.Status.BuildCounter, image.Status.ObservedGeneration = 7, 1
				image.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ImageReady, Status: metav1.ConditionTrue, Reason: "Forged", LastTransitionTime: metav1.Now()}}
			})
			created, err := w.Images().Create(ctx, asked, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(created.UID).NotTo(BeEquivalentTo("mine"))
			Expect(created.Generation).To(BeEquivalentTo(1))
			Expect(created.CreationTimestamp.Unix()).NotTo(BeZero())
			Expect(created.DeletionTimestamp).To(BeNil())
			Expect(created.DeletionGracePeriodSeconds).To(BeNil())
			Expect(created.Status).To(beNew())
		})

		It("gets a name from the server where it only says how that begins", func(ctx SpecContext) {
			Expect(w.create(ctx, "", generated)).To(HaveField("Name", MatchRegexp(`^generated-[a-z0-9]{5}$`)))
			build := newBuild("")
			build.GenerateName = "once-"
			Expect(w.Builds().Create(ctx, build, metav1.CreateOptions{})).To(HaveField("Name", MatchRegexp(`^once-[a-z0-9]{5}$`)))
		})

		It("is refused in a namespace that there is not", func(ctx SpecContext) {
			_, err := w.Goldsmith.ImagesV1alpha1().Images(w.Namespace+"-other").Create(ctx, image("web"), metav1.CreateOptions{})
			Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(ContainSubstring(`namespaces "` + w.Namespace + `-other" not found`)))
		})

		It("is refused in a namespace that ends", func(ctx SpecContext) {
			w.create(ctx, "held", held)
			Expect(w.Kube.CoreV1().Namespaces().Delete(ctx, w.Namespace, metav1.DeleteOptions{})).To(Succeed())
			w.Eventually(ctx, func(ctx context.Context) error {
				_, err := w.Images().Create(ctx, image("web"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
				return err
			}).Should(And(Satisfy(apierrors.IsForbidden), Satisfy(func(err error) bool {
				return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
			})))
			w.Eventually(ctx, func(ctx context.Context) (*v1alpha1.Image, error) {
				return w.Images().Get(ctx, "held", metav1.GetOptions{})
			}).Should(HaveField("DeletionTimestamp", Not(BeNil())))
			w.release(ctx, "held")
		})
	})
}

// beNew matches the status of an Image that the server has just created: clients that wait for the Image must not take it for finished.
func beNew() types.GomegaMatcher {
	condition := func(kind string, status metav1.ConditionStatus) types.GomegaMatcher {
		return And(HaveField("Type", kind), HaveField("Status", status), HaveField("Reason", v1alpha1.ReasonWaitingForController), HaveField("ObservedGeneration", BeZero()))
	}
	return And(
		HaveField("Conditions", ConsistOf(condition(v1alpha1.ImageReady, metav1.ConditionUnknown), condition(v1alpha1.ImageReconciling, metav1.ConditionTrue))),
		WithTransform(func(status v1alpha1.ImageStatus) v1alpha1.ImageStatus {
			status.Conditions = nil
			return status
		}, BeZero()))
}
