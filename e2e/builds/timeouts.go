// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

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
	It("While every worker is busy builds wait, and say what for", func(ctx SpecContext) {
		names := make([]string, w.environment.Workers)
		for i := range names {
			names[i] = fmt.Sprintf("busy-%d", i)
			w.CreateBuild(ctx, workspace.NewBuild(names[i], longer))
		}
		for _, name := range names {
			w.WaitForBuild(ctx, name, inPhase(v1alpha1.BuildRunning))
		}

		By("One that must start soon fails, and never had a log")
		late := workspace.NewBuild("late")
		late.Spec.Timeouts = &v1alpha1.BuildTimeouts{Start: duration(time.Second)}
		w.CreateBuild(ctx, late)
		w.CreateBuild(ctx, workspace.NewBuild("patient"))
		w.CreateBuild(ctx, workspace.NewBuild("unwanted"))
		failed := w.WaitForBuild(ctx, "late", failedWith("Timeout/StartTimeout"))
		Expect(failed.Status.Failure.Message).To(ContainSubstring("1s"))
		w.Eventually(ctx, w.buildsWithPods).ShouldNot(ContainElement("late"))
		w.hasNoLog(ctx, "late", "no log")

		By("One that is cancelled ends at once")
		w.WaitForBuild(ctx, "unwanted", And(inPhase(v1alpha1.BuildStarting), conditions("Admitted=True/Admitted", "PodReady=False/Unschedulable")))
		w.Cancel(ctx, "unwanted", "")
		Expect(outcomes(w.WaitForBuild(ctx, "unwanted", inPhase(v1alpha1.BuildCancelled)))).To(Equal([]string{"Cancelled"}))

		By("The others run when it is their turn")
		w.WaitForBuild(ctx, "patient", inPhase(v1alpha1.BuildStarting))
		w.Cancel(ctx, names[0], "")
		w.Succeeded(ctx, "patient")
	})
}
