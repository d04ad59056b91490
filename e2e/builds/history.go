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
)

func describeHistory(w *fixture) {
	Describe("Of the finished builds of an image", func() {
		It("the oldest go, with their Jobs and pods, and the latest successful one stays", func(ctx SpecContext) {
			image := newImage("web", "edition=1")
			image.Spec.History = &v1alpha1.HistoryLimits{Succeeded: new(int32(1)), Failed: new(int32(1))}
			w.createImage(ctx, image)
			w.image(ctx, "web", built(1))
			w.changeImage(ctx, "web", setting("edition=2"))
			w.image(ctx, "web", built(2))
			w.eventually(ctx, w.buildNames).Should(ConsistOf("web-2"))

			w.changeImage(ctx, "web", setting("edition=3", "failAt=1"))
			w.build(ctx, "web-3", failedWith("User/BuilderFailed"))
			w.eventually(ctx, w.buildNames).Should(ConsistOf("web-2", "web-3"))
			w.changeImage(ctx, "web", setting("edition=4"))
			w.build(ctx, "web-4", failedWith("User/BuilderFailed"))
			w.eventually(ctx, w.buildNames).Should(ConsistOf("web-2", "web-4"))
			w.eventually(ctx, w.buildsWithJobs).Should(ConsistOf("web-2", "web-4"))
			w.eventually(ctx, w.buildsWithPods).Should(ConsistOf("web-2", "web-4"))

			after := w.image(ctx, "web", conditions("Ready=False/BuildFailed"))
			Expect(after.Status.LatestSuccessful.Name).To(Equal("web-2"))
			Expect(w.log(ctx, "web-2", nil)).NotTo(BeEmpty())
		})

		It("none that failed is kept where that is the limit, and none of them is built again", func(ctx SpecContext) {
			image := newImage("web", "failAt=1")
			image.Spec.History = &v1alpha1.HistoryLimits{Failed: new(int32(0))}
			w.createImage(ctx, image)
			w.image(ctx, "web", HaveField("Status.BuildCounter", int64(1)), conditions("Ready=False/BuildFailed"))
			w.eventually(ctx, w.buildNames).Should(BeEmpty())

			w.changeImage(ctx, "web", setting("failAt"))
			w.image(ctx, "web", built(2))
			w.eventually(ctx, w.buildNames).Should(ConsistOf("web-2"))
		})

		It("one that is held stays for as long as it is, and so do all of an image that is held", func(ctx SpecContext) {
			image := newImage("web", "failAt=1")
			image.Spec.History = &v1alpha1.HistoryLimits{Failed: new(int32(1))}
			w.createImage(ctx, image)
			first := w.build(ctx, "web-1", failedWith("User/BuilderFailed"))
			w.hold(ctx, first, true)
			w.changeImage(ctx, "web", setting("edition=2"))
			w.build(ctx, "web-2", failedWith("User/BuilderFailed"))
			w.changeImage(ctx, "web", setting("edition=3"))
			w.build(ctx, "web-3", failedWith("User/BuilderFailed"))
			w.eventually(ctx, w.buildNames).Should(ConsistOf("web-1", "web-3"))

			w.hold(ctx, image, true)
			w.changeImage(ctx, "web", setting("edition=4"))
			w.image(ctx, "web", HaveField("Status.CountedBuild", int64(4))) // with that, all that is old would go
			Expect(w.buildNames(ctx)).To(ConsistOf("web-1", "web-3", "web-4"))

			w.hold(ctx, image, false)
			w.eventually(ctx, w.buildNames).Should(ConsistOf("web-1", "web-4"))
			w.hold(ctx, first, false)
			w.eventually(ctx, w.buildNames).Should(ConsistOf("web-4"))
		})

		It("one that somebody deletes is not built again", func(ctx SpecContext) {
			w.createImage(ctx, newImage("web"))
			w.image(ctx, "web", built(1))
			Expect(w.builds().Delete(ctx, "web-1", metav1.DeleteOptions{})).To(Succeed())
			w.eventually(ctx, w.buildsWithPods).Should(BeEmpty())

			w.changeImage(ctx, "web", setting("edition=b"))
			w.image(ctx, "web", built(2))
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
		_, err = w.images().Patch(ctx, object.GetName(), types.MergePatchType, patch, metav1.PatchOptions{})
	} else {
		_, err = w.builds().Patch(ctx, object.GetName(), types.MergePatchType, patch, metav1.PatchOptions{})
	}
	Expect(err).NotTo(HaveOccurred())
}

// buildsWithJobs are the names of the builds that there are Jobs of.
func (w *fixture) buildsWithJobs(ctx context.Context) ([]string, error) {
	list, err := w.kube.BatchV1().Jobs(w.namespace).List(ctx, metav1.ListOptions{})
	var names []string
	for _, job := range list.Items {
		names = append(names, job.Labels[v1alpha1.LabelBuild])
	}
	return names, err
}

// buildsWithPods are the names of the builds that there are pods of.
func (w *fixture) buildsWithPods(ctx context.Context) ([]string, error) {
	list, err := w.kube.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{})
	var names []string
	for _, pod := range list.Items {
		names = append(names, pod.Labels[v1alpha1.LabelBuild])
	}
	return names, err
}
