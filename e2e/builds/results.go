// SPDX-License-Identifier: Apache-2.0

package builds

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeResults(w *fixture) {
	DescribeTable("A builder that ends badly", func(ctx SpecContext, reason string, exitCode int, message string, parameters ...string) {
		w.CreateBuild(ctx, workspace.NewBuild("bad", parameters...))
		build := w.WaitForBuild(ctx, "bad", failedWith(reason))
		Expect(build.Status.Artifacts).To(BeEmpty())
		Expect(build.Status.Failure.ExitCode).To(HaveValue(BeEquivalentTo(exitCode)))
		Expect(build.Status.Failure.Message).To(ContainSubstring(message))
		Expect(build.Status.Failure.LogTail).To(ContainSubstring("step 1/1"))
		Expect(outcomes(build)).To(Equal([]string{"Failed " + reason}))
		Expect(w.Log(ctx, "bad", nil)).To(ContainSubstring("step 1/1"))
	},
		Entry("saying why", Label("gate"), "User/BuilderFailed", 3, "NoSuchPackage", "failAt=1", "exitCode=3", "failReason=NoSuchPackage"),
		Entry("saying that its configuration is wrong", "Config/BuilderMisconfigured", 1, "WrongKey", "failAt=1", "failClass=Config", "failReason=WrongKey"),
		Entry("saying nothing", "User/BuilderFailed", 3, "no result: ", "result=none", "exitCode=3"),
		Entry("saying it failed, with exit code 0", "User/BuilderFailed", 0, "NoSuchPackage", "failAt=1", "exitCode=0", "failReason=NoSuchPackage"),
		Entry("saying it succeeded, with exit code 3", "User/BuilderFailed", 3, "Succeeded", "exitCode=3"),
		Entry("without a result, with exit code 0", "Config/NoResult", 0, "no result: ", "result=none"),
		Entry("with a malformed result", "Config/InvalidResult", 0, "not JSON", "result=malformed"),
		Entry("with a malformed result and exit code 3", "User/BuilderFailed", 3, "not JSON", "result=malformed", "exitCode=3"),
		Entry("with an oversized result", "Config/InvalidResult", 0, "4096 bytes", "result=oversized"),
		Entry("with something else for a digest", "Config/InvalidResult", 0, "not-a-digest", "result=baddigest"),
	)

	It("A builder that is killed by the system has failed, and the server has not", func(ctx SpecContext) {
		w.CreateBuild(ctx, workspace.NewBuild("bad", "crash=segv"))
		build := w.WaitForBuild(ctx, "bad", failedWith("User/BuilderFailed"))
		Expect(build.Status.Failure.ExitCode).To(HaveValue(BeNumerically(">", 0)))
		w.CreateBuild(ctx, workspace.NewBuild("good"))
		w.Succeeded(ctx, "good")
	})
}
