// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeHistory(w *fixture) {
	Describe("Of the finished builds of an image", func() {
		It("the oldest go, with their Jobs and pods, and the latest successful one stays", func(ctx SpecContext) {
			image := workspace.NewImage("web", "edition=1")
			image.Spec.History = &v1alpha1.HistoryLimits{Succeeded: new(int32(1)), Failed: new(int32(1))}
			w.CreateImage(ctx, image)
			w.waitForImage(ctx, "web", built(1))
			w.ChangeImage(ctx, "web", setting("edition=2"))
			w.waitForImage(ctx, "web", built(2))
			w.Eventually(ctx, w.buildNames).Should(ConsistOf("web-2"))

			w.ChangeImage(ctx, "web", setting("edition=3", "failAt=1"))
			w.WaitForBuild(ctx, "web-3", failedWith("User/BuilderFailed"))
			w.Eventually(ctx, w.buildNames).Should(ConsistOf("web-2", "web-3"))
			w.ChangeImage(ctx, "web", setting("edition=4"))
			w.WaitForBuild(ctx, "web-4", failedWith("User/BuilderFailed"))
			w.Eventually(ctx, w.buildNames).Should(ConsistOf("web-2", "web-4"))
			w.Eventually(ctx, w.buildsWithJobs).Should(ConsistOf("web-2", "web-4"))
			w.Eventually(ctx, w.buildsWithPods).Should(ConsistOf("web-2", "web-4"))

			after := w.waitForImage(ctx, "web", conditions("Ready=False/BuildFailed"))
			Expect(after.Status.LatestSuccessful.Name).To(Equal("web-2"))
			Expect(w.Log(ctx, "web-2", nil)).NotTo(BeEmpty())
		})
	})
}

func describeRetention(w *fixture) {
	Describe("Of the finished builds of an image", func() {
		It("none that failed is kept where that is the limit, and none of them is built again", func(ctx SpecContext) {
			image := workspace.NewImage("web", "failAt=1")
			image.Spec.History = &v1alpha1.HistoryLimits{Failed: new(int32(0))}
			w.CreateImage(ctx, image)
			w.waitForImage(ctx, "web", HaveField("Status.BuildCounter", int64(1)), conditions("Ready=False/BuildFailed"))
			w.Eventually(ctx, w.buildNames).Should(BeEmpty())

			w.ChangeImage(ctx, "web", setting("failAt"))
			w.waitForImage(ctx, "web", built(2))
			w.Eventually(ctx, w.buildNames).Should(ConsistOf("web-2"))
		})

		It("one that is held stays for as long as it is, and so do all of an image that is held", func(ctx SpecContext) {
			image := workspace.NewImage("web", "failAt=1")
			image.Spec.History = &v1alpha1.HistoryLimits{Failed: new(int32(1))}
			w.CreateImage(ctx, image)
			first := w.WaitForBuild(ctx, "web-1", failedWith("User/BuilderFailed"))
			w.hold(ctx, first, true)
			w.ChangeImage(ctx, "web", setting("edition=2"))
			w.WaitForBuild(ctx, "web-2", failedWith("User/BuilderFailed"))
			w.ChangeImage(ctx, "web", setting("edition=3"))
			w.WaitForBuild(ctx, "web-3", failedWith("User/BuilderFailed"))
			w.Eventually(ctx, w.buildNames).Should(ConsistOf("web-1", "web-3"))

			w.hold(ctx, image, true)
			w.ChangeImage(ctx, "web", setting("edition=4"))
			w.waitForImage(ctx, "web", HaveField("Status.CountedBuild", int64(4))) // with that, all that is old would go
			Expect(w.buildNames(ctx)).To(ConsistOf("web-1", "web-3", "web-4"))

			w.hold(ctx, image, false)
			w.Eventually(ctx, w.buildNames).Should(ConsistOf("web-1", "web-4"))
			w.hold(ctx, first, false)
			w.Eventually(ctx, w.buildNames).Should(ConsistOf("web-4"))
		})

		It("one that somebody deletes is not built again", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("web"))
			w.waitForImage(ctx, "web", built(1))
			Expect(w.Builds().Delete(ctx, "web-1", metav1.DeleteOptions{})).To(Succeed())
			w.Eventually(ctx, w.buildsWithPods).Should(BeEmpty())

			w.ChangeImage(ctx, "web", setting("edition=b"))
			w.waitForImage(ctx, "web", built(2))
			Expect(w.buildNames(ctx)).To(ConsistOf("web-2"))
		})
	})
}

// hold labels an object as evidence, or takes the label away again.
func (w *fixture) hold(ctx context.Context, object metav1.Object, held bool) {
	GinkgoHelper()
	label := any(nil)
	if held {
		label = v1alpha1.LegalHold
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]any{v1alpha1.LabelLegalHold: label}}})
	Expect(err).NotTo(HaveOccurred())
	if _, isImage := object.(*v1alpha1.Image); isImage {
		_, err = w.Images().Patch(ctx, object.GetName(), types.MergePatchType, patch, metav1.PatchOptions{})
	} else {
		_, err = w.Builds().Patch(ctx, object.GetName(), types.MergePatchType, patch, metav1.PatchOptions{})
	}
	Expect(err).NotTo(HaveOccurred())
}

// buildsWithJobs are the names of the builds that there are Jobs of.
func (w *fixture) buildsWithJobs(ctx context.Context) ([]string, error) {
	list, err := w.Kube.BatchV1().Jobs(w.Namespace).List(ctx, metav1.ListOptions{})
	var names []string
	for _, job := range list.Items {
		names = append(names, job.Labels[v1alpha1.LabelBuild])
	}
	return names, err
}

// buildsWithPods are the names of the builds that there are pods of.
func (w *fixture) buildsWithPods(ctx context.Context) ([]string, error) {
	list, err := w.Kube.CoreV1().Pods(w.Namespace).List(ctx, metav1.ListOptions{})
	var names []string
	for _, pod := range list.Items {
		names = append(names, pod.Labels[v1alpha1.LabelBuild])
	}
	return names, err
}
