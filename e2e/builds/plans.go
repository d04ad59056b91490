// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describePlans(w *fixture) {
	Describe("The plan of an image", func() {
		It("says that and why it is not built, or would be, and starts nothing", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("web", "edition=a"))
			w.waitForImage(ctx, "web", built(1))
			plan, err := w.Images().GetPlan(ctx, "web", metav1.GetOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(plan.Status).To(And(HaveField("Build", false), HaveField("Message", Not(BeEmpty())), HaveField("Changes", BeEmpty()), HaveField("BuildName", "web-2")))

			w.ChangeImage(ctx, "web", func(image *v1alpha1.Image) { image.Spec.Suspend = new(true) })
			w.ChangeImage(ctx, "web", setting("edition=b"))
			w.waitForImage(ctx, "web", conditions("UpToDate=False/InputsChanged"))
			plan, err = w.Images().GetPlan(ctx, "web", metav1.GetOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(plan.Status).To(And(HaveField("Build", false), HaveField("Reason", v1alpha1.ReasonSuspended),
				HaveField("Changes", ConsistOf(v1alpha1.InputChange{Path: "parameters[edition]", From: "a", To: "b"}))))

			changed := workspace.NewImage("web", "edition=c")
			plan, err = w.Goldsmith.ImagesV1alpha1().ImagePlans(w.Namespace).Create(ctx, &v1alpha1.ImagePlan{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: changed.Spec}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(plan.Status).To(And(HaveField("Build", true), HaveField("Reason", string(v1alpha1.TriggerSpecChange)),
				HaveField("Changes", ConsistOf(v1alpha1.InputChange{Path: "parameters[edition]", From: "a", To: "c"}))))
			Expect(w.buildNames(ctx)).To(ConsistOf("web-1"))
		})

		It("of one that is not applied yet has the Job that would run, with the defaults", func(ctx SpecContext) {
			plan, err := w.Goldsmith.ImagesV1alpha1().ImagePlans(w.Namespace).Create(ctx,
				&v1alpha1.ImagePlan{ObjectMeta: metav1.ObjectMeta{Name: "new"}, Spec: workspace.NewImage("new").Spec}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(plan.Status).To(And(HaveField("Build", true), HaveField("Reason", string(v1alpha1.TriggerCreated)), HaveField("BuildName", "new-1"),
				HaveField("InputsDigest", HavePrefix("sha256:"))))
			job := &batchv1.Job{}
			Expect(json.Unmarshal(plan.Status.Job.Raw, job)).To(Succeed())
			Expect(job.Spec.Template.Spec.ActiveDeadlineSeconds).To(HaveValue(Equal(int64(v1alpha1.DefaultRunTimeout.Seconds()))))
			Expect(job.Spec.Template.Spec.Containers).To(HaveLen(1))
			images, err := w.Images().List(ctx, metav1.ListOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(images.Items).To(BeEmpty())
		})

		It("of one whose inputs do not resolve says which, and one that would be refused is", func(ctx SpecContext) {
			missing := workspace.NewImage("new")
			missing.Spec.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}}
			plan, err := w.Goldsmith.ImagesV1alpha1().ImagePlans(w.Namespace).Create(ctx, &v1alpha1.ImagePlan{ObjectMeta: metav1.ObjectMeta{Name: "new"}, Spec: missing.Spec}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(plan.Status).To(And(HaveField("Build", false), HaveField("Reason", string(v1alpha1.ReasonSourceNotFound)), HaveField("Message", ContainSubstring("files")), HaveField("Job", BeNil())))

			missing.Spec.Targets = nil
			_, err = w.Goldsmith.ImagesV1alpha1().ImagePlans(w.Namespace).Create(ctx, &v1alpha1.ImagePlan{ObjectMeta: metav1.ObjectMeta{Name: "new"}, Spec: missing.Spec}, metav1.CreateOptions{})
			Expect(err).To(workspace.BeInvalid("spec.targets"))
		})
	})
}
