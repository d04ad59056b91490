// SPDX-License-Identifier: Apache-2.0

package builds

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeProgress(w *fixture) {
	It("A builder's reports show how far it is, and nobody else's do", Label("gate"), func(ctx SpecContext) {
		w.CreateBuild(ctx, workspace.NewBuild("once", "steps=3", w.lasting(6e9)))
		running := w.WaitForBuild(ctx, "once", HaveField("Status.Progress", And(Not(BeNil()), HaveField("Stage", Not(BeEmpty())), HaveField("Percent", HaveValue(BeNumerically("<", 100))))))
		Expect(running.Status.Stages).NotTo(BeEmpty())

		_, err := w.Builds().Report(ctx, "once", &v1alpha1.BuildReport{Percent: new(int32(50))}, metav1.CreateOptions{})
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		done := w.Succeeded(ctx, "once")
		Expect(done.Status.Stages).To(HaveEach(HaveField("CompletionTime", Not(BeNil()))))
	})

	It("A report that makes no sense is refused", func(ctx SpecContext) {
		w.CreateBuild(ctx, workspace.NewBuild("once"))
		w.Succeeded(ctx, "once")
		_, err := w.Builds().Report(ctx, "once", &v1alpha1.BuildReport{Percent: new(int32(101))}, metav1.CreateOptions{})
		Expect(err).To(Or(workspace.BeInvalid("percent"), MatchError(apierrors.IsForbidden, "IsForbidden")))
	})
}
