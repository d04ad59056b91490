// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

const tempFail = "Failed Infrastructure/BuilderTempFail"

func describeRetries(w *fixture) {
	Describe("An attempt that fails", func() {
		DescribeTable("in a way that may pass is followed by another", func(ctx SpecContext, parameters ...string) {
			w.CreateBuild(ctx, workspace.NewBuild("once", append(parameters, "failAttempts=1")...))
			build := w.Succeeded(ctx, "once")
			Expect(outcomes(build)).To(Equal([]string{tempFail, "Succeeded"}))
			Expect(build.Status.CurrentAttempt).To(Equal(int32(2)))
			Expect(build.Status.Failure).To(BeNil())
			failed, next := build.Status.Attempts[0], build.Status.Attempts[1]
			Expect(failed.Failure.LogTail).To(ContainSubstring("attempt 1"))
			Expect(failed.JobName).NotTo(Equal(next.JobName))
			Expect(failed.PodUID).NotTo(Equal(next.PodUID))
			Expect(next.StartTime.Time).NotTo(BeTemporally("<", failed.CompletionTime.Time))
			w.waitForEvents(ctx, "ImageBuild", "once", ConsistOf(HavePrefix("Warning Retrying attempt 1 ended with BuilderTempFail"), HavePrefix("Normal Succeeded")))
		},
			Entry("by its result", Label("gate"), "retryable=true"),
			Entry("by its exit code", "exitCode=75"),
			Entry("by its exit code alone", "exitCode=75", "result=none"),
		)
	})
}

func describeRetryPolicies(w *fixture) {
	Describe("An attempt that fails", func() {
		It("is followed by no more than the limit", func(ctx SpecContext) {
			build := workspace.NewBuild("once", "failAttempts=9", "retryable=true")
			build.Spec.Retry.Limit = new(int32(1))
			w.CreateBuild(ctx, build)
			failed := w.WaitForBuild(ctx, "once", failedWith("Infrastructure/BuilderTempFail"))
			Expect(outcomes(failed)).To(Equal([]string{tempFail, tempFail}))
			Expect(failed.Status.Failure.LogTail).To(ContainSubstring("attempt 2"))
		})

		It("is followed by none where the policy does not name its class", func(ctx SpecContext) {
			build := workspace.NewBuild("once", "failAttempts=1", "retryable=true")
			build.Spec.Retry.Classes = []v1alpha1.FailureClass{v1alpha1.FailureRegistry}
			w.CreateBuild(ctx, build)
			failed := w.WaitForBuild(ctx, "once", failedWith("Infrastructure/BuilderTempFail"))
			Expect(outcomes(failed)).To(Equal([]string{tempFail}))
		})

		It("for good is followed by another where the policy names its class", func(ctx SpecContext) {
			build := workspace.NewBuild("once", "failAttempts=1")
			build.Spec.Retry.Classes = []v1alpha1.FailureClass{v1alpha1.FailureUser}
			w.CreateBuild(ctx, build)
			Expect(outcomes(w.Succeeded(ctx, "once"))).To(Equal([]string{"Failed User/BuilderFailed", "Succeeded"}))
		})

		It("is followed by another only after the backoff", func(ctx SpecContext) {
			build := workspace.NewBuild("once", "failAttempts=1", "retryable=true")
			build.Spec.Retry.Backoff.Initial = duration(time.Second)
			w.CreateBuild(ctx, build)
			w.WaitForBuild(ctx, "once", And(inPhase(v1alpha1.BuildRetrying), conditions("PodReady=False/BackingOff"),
				haveConditionMessage(v1alpha1.BuildPodReady, ContainSubstring("BuilderTempFail"))))
			attempts := w.Succeeded(ctx, "once").Status.Attempts
			Expect(attempts[1].StartTime.Time).NotTo(BeTemporally("<", attempts[0].CompletionTime.Add(time.Second)))
		})
	})
}
