// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeDisruptions(w *fixture) {
	background := metav1.DeletePropagationBackground
	deleteJob := func(ctx context.Context, attempt v1alpha1.BuildAttempt) error {
		return w.Kube.BatchV1().Jobs(w.Namespace).Delete(ctx, attempt.JobName, metav1.DeleteOptions{PropagationPolicy: &background})
	}
	orphanPod := func(ctx context.Context, attempt v1alpha1.BuildAttempt) error {
		orphan := metav1.DeletePropagationOrphan
		return w.Kube.BatchV1().Jobs(w.Namespace).Delete(ctx, attempt.JobName, metav1.DeleteOptions{PropagationPolicy: &orphan})
	}
	deletePod := func(ctx context.Context, attempt v1alpha1.BuildAttempt) error {
		return w.Kube.CoreV1().Pods(w.Namespace).Delete(ctx, attempt.PodName, metav1.DeleteOptions{})
	}

	DescribeTable("An attempt that is disrupted is followed by another, whatever the limit",
		func(ctx SpecContext, disrupt func(context.Context, v1alpha1.BuildAttempt) error, reason string) {
			build := workspace.NewBuild("once", "duration=10m,0s")
			build.Spec.Retry.Limit = new(int32(0))
			w.CreateBuild(ctx, build)
			Expect(disrupt(ctx, w.running(ctx, "once").Status.Attempts[0])).To(Succeed())

			disrupted := w.Succeeded(ctx, "once")
			Expect(outcomes(disrupted)).To(Equal([]string{"Disrupted Infrastructure/" + reason, "Succeeded"}))
			attempts := disrupted.Status.Attempts
			Expect(attempts[1].StartTime.Time).NotTo(BeTemporally("<", attempts[0].CompletionTime.Time))
			Expect(attempts[1].JobUID).NotTo(Equal(attempts[0].JobUID))
			pods, err := w.Kube.CoreV1().Pods(w.Namespace).List(ctx, metav1.ListOptions{})
			Expect(err).NotTo(HaveOccurred())
			// The kubelet may remove a pod later than its containers have ended.
			Expect(pods.Items).NotTo(ContainElement(And(HaveField("UID", attempts[0].PodUID), HaveField("Status.Phase", Not(Equal(corev1.PodFailed))))),
				"the first attempt's pod has ended or is deleted before the second begins")
		},
		Entry("its Job is deleted", deleteJob, "JobDeleted"),
		Entry("its Job is deleted, and leaves the pod behind", orphanPod, "JobDeleted"),
		Entry("its pod is deleted", Label("gate"), deletePod, "PodDeleted"),
	)

	It("A finished build is not disturbed by what happens to its Job", func(ctx SpecContext) {
		w.CreateBuild(ctx, workspace.NewBuild("once"))
		w.Succeeded(ctx, "once")
		before, log := w.Settled(ctx, "once"), w.Log(ctx, "once", nil)
		Expect(deleteJob(ctx, before.Status.Attempts[0])).To(Succeed())
		w.Eventually(ctx, func(ctx context.Context) (int, error) {
			pods, err := w.Kube.CoreV1().Pods(w.Namespace).List(ctx, metav1.ListOptions{})
			return len(pods.Items), err
		}).Should(BeZero())

		w.CreateBuild(ctx, workspace.NewBuild("after"))
		w.Succeeded(ctx, "after")
		Expect(w.Finished(ctx, "once").ResourceVersion).To(Equal(before.ResourceVersion))
		text, err := w.ReadLog(ctx, "once", nil)
		if w.environment.Archived {
			Expect(err).NotTo(HaveOccurred())
			Expect(text).To(Equal(log))
			return
		}
		Expect(err).To(MatchError(ContainSubstring("gone")))
	})
}
