// SPDX-License-Identifier: Apache-2.0

package archive

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeDeletion(w *fixture) {
	It("outlive the build, and are found by its name and UID together", func(ctx SpecContext) {
		image := cluster.NewImage("web", "edition=1")
		image.Spec.History.Succeeded = new(int32(1))
		w.CreateImage(ctx, image)
		w.archived(ctx, "web-1", "True/Archived")
		uid, text := w.uidOf(ctx, "web-1"), w.Log(ctx, "web-1", nil)
		Expect(text).To(ContainSubstring("step 1/1"))

		w.ChangeImage(ctx, "web", func(image *v1alpha1.Image) { workspace.SetParameters(&image.Spec.BuildInputs, "edition=2") })
		w.archived(ctx, "web-2", "True/Archived")
		w.WaitForDeletion(ctx, "web-1")

		_, err := w.ReadLog(ctx, "web-1", nil)
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "without its UID: %v", err)
		Expect(w.Log(ctx, "web-1", map[string]string{"uid": uid})).To(Equal(text))
		Expect(w.Log(ctx, "web-1", map[string]string{"uid": uid, "follow": "true"})).To(Equal(text))
		_, err = w.ReadLog(ctx, "web-2", map[string]string{"uid": uid})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "of another name: %v", err)
	})

	It("are not those of a later build of the same name", func(ctx SpecContext) {
		w.CreateBuild(ctx, workspace.NewBuild("once", "linesPerStep=2"))
		w.archived(ctx, "once", "True/Archived")
		first, before := w.uidOf(ctx, "once"), w.Log(ctx, "once", nil)
		Expect(w.Builds().Delete(ctx, "once", metav1.DeleteOptions{})).To(Succeed())
		w.WaitForDeletion(ctx, "once")

		w.CreateBuild(ctx, workspace.NewBuild("once", "linesPerStep=3"))
		w.archived(ctx, "once", "True/Archived")
		Expect(numberedLines(w.Log(ctx, "once", nil))).To(Equal(wholeLines(1, 3)))
		Expect(numberedLines(w.Log(ctx, "once", map[string]string{"uid": first}))).To(Equal(wholeLines(1, 2)))
		Expect(w.Log(ctx, "once", map[string]string{"uid": first})).To(Equal(before))
	})

	It("of a cancelled build are whole, and its pod goes once they are archived", func(ctx SpecContext) {
		w.CreateBuild(ctx, workspace.NewBuild("once", "duration=10m"))
		w.showing(ctx, "once", "step 1/1")
		w.Cancel(ctx, "once", "")

		build := w.archived(ctx, "once", "True/Archived")
		Expect(build.Status.Phase).To(Equal(v1alpha1.BuildCancelled))
		w.Eventually(ctx, w.pods).Should(BeEmpty())
		jobs, err := w.Kube.BatchV1().Jobs(w.Namespace).List(ctx, metav1.ListOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(jobs.Items).To(BeEmpty())
		Expect(w.Log(ctx, "once", nil)).To(And(ContainSubstring("step 1/1"), HaveSuffix("told to end: exiting\n")))
	})
}
