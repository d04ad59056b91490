// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeTimeouts(w *fixture) {
	It("A build that runs too long is told to end, and its log stays", Label("gate"), func(ctx SpecContext) {
		run := w.environment.BuilderStart + time.Second
		build := workspace.NewBuild("once", longer)
		build.Spec.Timeouts = &v1alpha1.BuildTimeouts{Run: duration(run)}
		w.CreateBuild(ctx, build)
		failed := w.WaitForBuild(ctx, "once", failedWith("Timeout/RunTimeout"))
		Expect(outcomes(failed)).To(Equal([]string{"Failed Timeout/RunTimeout"}))
		Expect(failed.Status.Failure.Message).To(ContainSubstring(run.String()))
		Expect(failed.Status.Failure.LogTail).To(ContainSubstring("step 1/1"))
		Expect(w.Log(ctx, "once", nil)).To(And(ContainSubstring("step 1/1"), ContainSubstring("told to end")))
	})
}

func describeBusyWorkers(w *fixture) {
	It("While every worker is busy builds are queued, and say what for", func(ctx SpecContext) {
		foreign := w.occupyWorker(ctx)
		names := make([]string, w.environment.Workers-1)
		for i := range names {
			names[i] = fmt.Sprintf("busy-%d", i)
			w.CreateBuild(ctx, workspace.NewBuild(names[i], longer))
		}
		for _, name := range names {
			w.WaitForBuild(ctx, name, inPhase(v1alpha1.BuildRunning))
		}

		By("A build that is admitted, and finds no worker because of a Job that is no build's, is queued too")
		first := workspace.NewBuild("first")
		first.Spec.Timeouts = &v1alpha1.BuildTimeouts{Start: duration(time.Second)}
		w.CreateBuild(ctx, first)
		waits := conditions("Admitted=False/WaitingForWorker", "PodReady=False/WaitingForPod")
		waiting := w.WaitForBuild(ctx, "first", And(inPhase(v1alpha1.BuildQueued), waits, haveConditionMessage("Admitted", ContainSubstring("workers are busy"))))
		Expect(waiting.Status.StartTime).To(BeNil())
		w.CreateBuild(ctx, workspace.NewBuild("second"))
		w.WaitForBuild(ctx, "second", And(inPhase(v1alpha1.BuildQueued), conditions("Admitted=False/WaitingForSlot")))
		w.Eventually(ctx, func(ctx context.Context) (map[string]int32, error) {
			list, err := w.Goldsmith.ImagesV1alpha1().QueuedBuilds(w.Namespace).List(ctx, metav1.ListOptions{})
			positions := map[string]int32{}
			for _, queued := range list.Items {
				positions[queued.Name] = queued.Status.Position
			}
			return positions, err
		}).Should(Equal(map[string]int32{"first": 1, "second": 2}))

		By("A build that is cancelled ends at once, and the next build is admitted")
		w.Cancel(ctx, "first", "")
		Expect(outcomes(w.WaitForBuild(ctx, "first", inPhase(v1alpha1.BuildCancelled)))).To(Equal([]string{"Cancelled"}))
		w.hasNoLog(ctx, "first", "no log")
		w.Eventually(ctx, w.buildsWithPods).ShouldNot(ContainElement("first"))
		w.WaitForBuild(ctx, "second", And(inPhase(v1alpha1.BuildQueued), waits))

		By("A free worker runs the build, whose time begins then")
		Expect(w.Kube.BatchV1().Jobs(w.Namespace).Delete(ctx, foreign, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)})).To(Succeed())
		built := w.Succeeded(ctx, "second")
		Expect(built.Status.Attempts).To(HaveLen(1))
		Expect(built.Status.Attempts[0].StartTime).To(Equal(*built.Status.StartTime))
	})
}

// occupyWorker lets a Job that belongs to no build run until it is deleted, and returns its name.
func (w *fixture) occupyWorker(ctx context.Context) string {
	GinkgoHelper()
	const name = "foreign"
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: batchv1.JobSpec{BackoffLimit: new(int32(0)), Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "builder", Image: "goldsmith.local/builders/family"}},
		}}},
	}
	_, err := w.Kube.BatchV1().Jobs(w.Namespace).Create(ctx, job, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	w.Eventually(ctx, func(ctx context.Context) (*int32, error) {
		job, err := w.Kube.BatchV1().Jobs(w.Namespace).Get(ctx, name, metav1.GetOptions{})
		return job.Status.Ready, err
	}).Should(HaveValue(Equal(int32(1))))
	return name
}
