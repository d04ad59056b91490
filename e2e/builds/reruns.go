// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeReruns(w *fixture) {
	It("A rerun makes the same out of what the old build was made from, whatever that says by now", func(ctx SpecContext) {
		files := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "files"}, Data: map[string]string{"motd": "a"}}
		_, err := w.Kube.CoreV1().ConfigMaps(w.Namespace).Create(ctx, files, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		w.CreateImage(ctx, workspace.NewImage("debian", "edition=a"))
		image := basedOn(workspace.NewImage("web", "edition=a"), "debian", "")
		image.Spec.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}}
		image.Spec.History = &v1alpha1.HistoryLimits{Succeeded: new(int32(5))}
		w.CreateImage(ctx, image)
		w.waitForImage(ctx, "web", built(1))
		first := w.Succeeded(ctx, "web-1")

		By("Everything changes")
		w.ChangeImage(ctx, "web", func(image *v1alpha1.Image) { image.Spec.Suspend = new(true) })
		w.ChangeImage(ctx, "debian", setting("edition=b"))
		w.waitForImage(ctx, "debian", built(2))
		files.Data["motd"] = "b"
		_, err = w.Kube.CoreV1().ConfigMaps(w.Namespace).Update(ctx, files, metav1.UpdateOptions{})
		Expect(err).NotTo(HaveOccurred())
		w.ChangeImage(ctx, "web", setting("edition=b"))

		rerun, err := w.Builds().Rerun(ctx, "web-1", &v1alpha1.RerunRequest{RequestID: "again", Message: "is it reproducible?"}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(rerun.Name).To(Equal("web-2"))
		Expect(rerun.Spec.Trigger).To(And(HaveField("Reason", v1alpha1.TriggerRerun), HaveField("RerunOf", "web-1"), HaveField("RequestedBy", Not(BeEmpty()))))
		second := w.Succeeded(ctx, "web-2")
		Expect(second.Spec.Inputs).To(Equal(first.Spec.Inputs))
		Expect(second.Status.Resolved).To(Equal(first.Status.Resolved))
		Expect(digests(second.Status.Artifacts)).To(Equal(digests(first.Status.Artifacts)))

		By("Nothing is different")
		difference := &v1alpha1.ImageBuildDiff{}
		Expect(w.Goldsmith.ImagesV1alpha1().RESTClient().Get().Namespace(w.Namespace).Resource("imagebuilds").Name("web-2").
			SubResource("diff").Param("with", "web-1").Do(ctx).Into(difference)).To(Succeed())
		Expect(difference.Inputs).To(BeEmpty())
		Expect(difference.Artifacts).To(BeEmpty())
		Expect(difference.From.InputsDigest).To(Equal(difference.To.InputsDigest))

		By("The same request is the same build, and says nothing of the image's own inputs")
		again, err := w.Builds().Rerun(ctx, "web-1", &v1alpha1.RerunRequest{RequestID: "again"}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(again.UID).To(Equal(second.UID))
		Expect(second.Spec.OneOff).To(HaveValue(BeTrue()))
		w.waitForImage(ctx, "web", HaveField("Status.CountedBuild", int64(2)), HaveField("Status.LastAttempted.Number", int64(1)),
			HaveField("Status.LatestBuild.Number", int64(1)), HaveField("Status.LatestSuccessful.Number", int64(1)))
		w.ChangeImage(ctx, "web", func(image *v1alpha1.Image) { image.Spec.Suspend = new(false) })
		w.waitForImage(ctx, "web", built(3))

		By("A rerun of what the inputs are now counts")
		_, err = w.Builds().Rerun(ctx, "web-3", &v1alpha1.RerunRequest{}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		w.waitForImage(ctx, "web", built(4), HaveField("Status.LastAttempted.Number", int64(4)))
		Expect(w.Succeeded(ctx, "web-4").Spec.OneOff).To(HaveValue(BeFalse()))

		By("A rerun that makes the artifacts again tells the old build the result, and nothing else")
		Expect(w.rebuild(ctx, "web-1")).To(Equal("web-5"))
		reproduced := w.WaitForCondition(ctx, "web-1", v1alpha1.BuildReproduced, "True/SameContent")
		Expect(reproduced).To(haveConditionMessage(v1alpha1.BuildReproduced, HavePrefix("build web-5 made the same content")))
		w.waitForEvents(ctx, "ImageBuild", "web-1", ContainElement(HavePrefix("Normal SameContent build web-5 made the same content")))
		w.waitForImage(ctx, "web", HaveField("Status.CountedBuild", int64(5)), HaveField("Status.LatestSuccessful.Number", int64(4)),
			HaveField("Status.LastAttempted.Number", int64(4)))
	})

	It("A builder that is not reproducible is found out, by a rerun that does not wait for builds of the image", func(ctx SpecContext) {
		image := workspace.NewImage("web", "reproducible=false")
		image.Spec.RunPolicy = v1alpha1.RunPolicySerialLatestOnly
		w.CreateImage(ctx, image)
		w.waitForImage(ctx, "web", built(1))
		w.ChangeImage(ctx, "web", setting(w.lasting(time.Hour)))
		w.running(ctx, "web-2")

		Expect(w.rebuild(ctx, "web-1")).To(Equal("web-3"))
		w.WaitForCondition(ctx, "web-1", v1alpha1.BuildReproduced, "False/ContentDiffers")
		w.waitForEvents(ctx, "ImageBuild", "web-1", ContainElement(HavePrefix("Warning ContentDiffers build web-3 made other content of the same inputs: linux/amd64/raw has ")))
		w.Cancel(ctx, "web-2", "")
		w.waitForImage(ctx, "web", HaveField("Status.CountedBuild", int64(3)), HaveField("Status.LatestSuccessful.Number", int64(1)))
	})
}

// rebuild requests a build that makes the artifacts of a build again, and returns its name.
func (w *fixture) rebuild(ctx context.Context, name string) string {
	GinkgoHelper()
	build, err := w.Builds().Rerun(ctx, name, &v1alpha1.RerunRequest{Reproduce: true}, metav1.CreateOptions{})
	Expect(err).NotTo(HaveOccurred())
	Expect(build.Spec.OneOff).To(HaveValue(BeTrue()))
	return build.Name
}

func describeRerunRequests(w *fixture) {
	It("A request may change parameters for one build, which does not count for the image, and which a channel can name", func(ctx SpecContext) {
		w.CreateImage(ctx, workspace.NewImage("debian", "edition=a"))
		w.CreateImage(ctx, basedOn(workspace.NewImage("web"), "debian", ""))
		w.CreateImage(ctx, basedOn(workspace.NewImage("edge"), "debian", "candidate"))
		first := w.waitForImage(ctx, "debian", built(1))
		w.waitForImage(ctx, "web", built(1))
		build, err := w.Images().Instantiate(ctx, "debian", &v1alpha1.BuildRequest{
			RequestID: "try", Parameters: []v1alpha1.Parameter{{Name: "edition", Value: "b"}, {Name: "more", Value: "c"}},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		Expect(build.Spec.Inputs.Parameters).To(ContainElements(v1alpha1.Parameter{Name: "edition", Value: "b"}, v1alpha1.Parameter{Name: "more", Value: "c"}))
		Expect(build.Spec.Trigger.Parameters).To(HaveLen(2))
		Expect(build.Spec.OneOff).To(HaveValue(BeTrue()))
		experiment := w.Succeeded(ctx, "debian-2").Status.Artifacts[0].Digest
		Expect(experiment).NotTo(Equal(first.Status.LatestSuccessful.Artifacts[0].Digest))
		w.waitForImage(ctx, "debian", HaveField("Status.CountedBuild", int64(2)), HaveField("Status.LatestBuild.Number", int64(1)), HaveField("Status.LatestSuccessful", Equal(first.Status.LatestSuccessful)),
			HaveField("Status.LastAttempted.Number", int64(1)), conditions("Ready=True/BuildSucceeded", "UpToDate=True/InputsUnchanged"))

		By("Only who is based on a channel that names it follows it")
		w.promote(ctx, "candidate", "debian-2")
		w.waitForImage(ctx, "edge", built(1))
		Expect(w.Succeeded(ctx, "edge-1").Status.Resolved.BaseDigest).To(Equal(experiment))
		Expect(w.waitForImage(ctx, "web", built(1)).Status.BuildCounter).To(Equal(int64(1)))

		By("An experiment that fails changes nothing of the image")
		_, err = w.Images().Instantiate(ctx, "debian", &v1alpha1.BuildRequest{
			RequestID: "fail", Parameters: []v1alpha1.Parameter{{Name: "failAt", Value: "1"}},
		}, metav1.CreateOptions{})
		Expect(err).NotTo(HaveOccurred())
		w.WaitForBuild(ctx, "debian-3", failedWith("User/BuilderFailed"))
		w.waitForImage(ctx, "debian", HaveField("Status.CountedBuild", int64(3)), HaveField("Status.LatestBuild.Number", int64(1)),
			HaveField("Status.LatestSuccessful.Number", int64(1)), HaveField("Status.ConsecutiveFailures", BeZero()), conditions("Ready=True/BuildSucceeded", "UpToDate=True/InputsUnchanged", "Stalled=False/Progressing"))

		_, err = w.Images().Instantiate(ctx, "debian", &v1alpha1.BuildRequest{Parameters: []v1alpha1.Parameter{{Name: "b c"}}}, metav1.CreateOptions{})
		Expect(err).To(workspace.BeInvalid("parameters[0].name"))
	})

	It("A build without an image is not rerun, but created again", func(ctx SpecContext) {
		w.CreateBuild(ctx, workspace.NewBuild("once"))
		w.Succeeded(ctx, "once")
		_, err := w.Builds().Rerun(ctx, "once", &v1alpha1.RerunRequest{}, metav1.CreateOptions{})
		Expect(err).To(MatchError(ContainSubstring("create an ImageBuild with the same inputs")))
	})
}
