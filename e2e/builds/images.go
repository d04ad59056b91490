// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeImages(w *fixture) {
	Describe("An image that is applied", func() {
		It("is built, once", func(ctx SpecContext) {
			created := w.CreateImage(ctx, workspace.NewImage("web"))
			build := w.Succeeded(ctx, "web-1")

			Expect(build.Spec.ImageRef).To(Equal(&v1alpha1.ImageReference{Name: "web", UID: created.UID}))
			Expect(build.Spec.Number).To(HaveValue(Equal(int64(1))))
			Expect(build.Spec.ImageGeneration).To(HaveValue(Equal(created.Generation)))
			Expect(build.Spec.Inputs).To(Equal(created.Spec.BuildInputs))
			Expect(build.Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerCreated))
			Expect(build.Spec.Trigger.RequestedBy).NotTo(BeEmpty())
			Expect(metav1.IsControlledBy(build, created)).To(BeTrue())
			Expect(build).To(conditions("Admitted=True/Admitted", "PodReady=True/ContainerStarted", "Succeeded=True/Succeeded", "Finished=True/Succeeded"))
			Expect(outcomes(build)).To(Equal([]string{"Succeeded"}))

			image := w.waitForImage(ctx, "web", built(1), conditions("InputsResolved=True/Resolved"))
			Expect(image.Status.InputsDigest).To(Equal(build.Status.Resolved.InputsDigest))
			Expect(image.Status.LastAttempted).To(Equal(&v1alpha1.AttemptedBuild{Number: 1, InputsDigest: image.Status.InputsDigest}))
			Expect(image.Status.LatestBuild).To(Equal(&v1alpha1.LatestBuild{Name: "web-1", Number: 1, Phase: v1alpha1.BuildSucceeded}))
			Expect(image.Status.LatestSuccessful.Artifacts).To(Equal(build.Status.Artifacts))
			Expect(w.buildNames(ctx)).To(ConsistOf("web-1"))
		})

		It("gets the artifacts that its builder has reported, one for each target", Label("gate"), func(ctx SpecContext) {
			image := workspace.NewImage("web")
			image.Spec.Targets = append(image.Spec.Targets, v1alpha1.Target{Platform: "linux/arm64/v8", Format: v1alpha1.ArtifactFormatOCI})
			w.CreateImage(ctx, image)
			build := w.Succeeded(ctx, "web-1")

			digests := w.resultDigests(ctx, build)
			Expect(build.Status.Artifacts).To(HaveLen(2))
			for i, name := range []string{target, "linux/arm64/v8/oci"} {
				artifact := build.Status.Artifacts[i]
				Expect(artifact.Target).To(Equal(name))
				Expect(artifact.Digest).To(MatchRegexp(`^sha256:[0-9a-f]{64}$`))
				Expect(artifact.Digest).To(Equal(digests[name]))
				Expect(artifact.SizeBytes).To(BeNumerically(">", 0))
				Expect(artifact.MediaType).NotTo(BeEmpty())
			}
		})

		It("leaves a Job and a pod, owned by the build and the Job", Label("gate"), func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("web"))
			build := w.Succeeded(ctx, "web-1")
			attempt := build.Status.Attempts[0]

			job, err := w.Kube.BatchV1().Jobs(w.Namespace).Get(ctx, attempt.JobName, metav1.GetOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(job.UID).To(Equal(attempt.JobUID))
			Expect(metav1.IsControlledBy(job, build)).To(BeTrue())
			Expect(job.Labels).To(HaveKeyWithValue(v1alpha1.LabelImage, "web"))
			Expect(job.Labels).To(HaveKeyWithValue(v1alpha1.LabelBuild, "web-1"))

			pod, err := w.Kube.CoreV1().Pods(w.Namespace).Get(ctx, attempt.PodName, metav1.GetOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(pod.UID).To(Equal(attempt.PodUID))
			Expect(metav1.IsControlledBy(pod, job)).To(BeTrue())
			Expect(pod.Spec.NodeName).To(Equal(attempt.NodeName))
			w.Eventually(ctx, func(ctx context.Context) (int32, error) {
				job, err := w.Kube.BatchV1().Jobs(w.Namespace).Get(ctx, attempt.JobName, metav1.GetOptions{})
				return job.Status.Succeeded, err
			}).Should(Equal(int32(1)))
		})

		It("leaves events and a log", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("web"))
			build := w.Succeeded(ctx, "web-1")

			w.waitForEvents(ctx, "Image", "web", ConsistOf(HavePrefix("Normal BuildCreated build web-1")))
			w.waitForEvents(ctx, "ImageBuild", "web-1", ConsistOf(And(HavePrefix("Normal Succeeded "), ContainSubstring(build.Status.Artifacts[0].Digest))))
			Expect(w.Log(ctx, "web-1", nil)).To(And(ContainSubstring("web-1"), ContainSubstring("step 1/1")))
		})
	})
}

func describeFailedImages(w *fixture) {
	Describe("An image whose build failed", func() {
		It("is not built again for the same inputs, and is once they are changed", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("web", "failAt=1", "failReason=NoSuchPackage"))
			build := w.WaitForBuild(ctx, "web-1", failedWith("User/BuilderFailed"))
			Expect(build.Status.Failure.Message).To(ContainSubstring("NoSuchPackage"))
			w.waitForImage(ctx, "web",
				conditions("Ready=False/BuildFailed", "UpToDate=False/NeverBuilt", "Building=False/Idle", "Stalled=True/BuilderFailed"),
				haveConditionMessage(v1alpha1.ImageReady, ContainSubstring("NoSuchPackage")),
				haveConditionMessage(v1alpha1.ImageStalled, And(ContainSubstring("change the inputs"), Not(ContainSubstring("NoSuchPackage")))))
			Expect(build).To(And(conditions("Succeeded=False/BuilderFailed", "Finished=True/BuilderFailed"), haveConditionMessage("Succeeded", Equal("see status.failure"))))
			w.waitForEvents(ctx, "ImageBuild", "web-1", ConsistOf("Warning BuilderFailed the build failed: see status.failure"))
			w.waitForEvents(ctx, "Image", "web", ContainElement(HavePrefix("Warning Stalled BuilderFailed: build web-1 ended with ")))

			w.ChangeImage(ctx, "web", setting("failAt", "failReason"))
			w.waitForImage(ctx, "web", built(2))
			Expect(w.buildNames(ctx)).To(ConsistOf("web-1", "web-2"))
		})

		It("keeps what was made before, and tells clients that wait", func(ctx SpecContext) {
			watch, err := w.Images().Watch(ctx, metav1.ListOptions{})
			Expect(err).NotTo(HaveOccurred())
			defer watch.Stop()
			w.CreateImage(ctx, workspace.NewImage("web"))
			before := w.waitForImage(ctx, "web", built(1))

			w.ChangeImage(ctx, "web", setting("failAt=1"))
			after := w.waitForImage(ctx, "web", conditions("Ready=False/BuildFailed", "UpToDate=False/InputsChanged", "Stalled=True/BuilderFailed"))
			Expect(after.Status.LatestSuccessful).To(Equal(before.Status.LatestSuccessful))

			w.ChangeImage(ctx, "web", setting("failAt"))
			last := w.waitForImage(ctx, "web", built(3))
			Expect(kstatuses(ctx, watch, last.ResourceVersion)).To(Equal([]string{
				"1 InProgress", "1 Current", "2 InProgress", "2 Failed", "3 InProgress", "3 Current",
			}), "each version of the image, by its generation, as Flux, Helm and kpt see it")
		})

		It("is built again when somebody asks for it", func(ctx SpecContext) {
			w.CreateImage(ctx, workspace.NewImage("web", "failAt=1"))
			w.WaitForBuild(ctx, "web-1", failedWith("User/BuilderFailed"))

			w.Request(ctx, "web", "once-more")
			w.WaitForBuild(ctx, "web-2", failedWith("User/BuilderFailed"))
			w.waitForImage(ctx, "web", HaveField("Status.BuildCounter", int64(2)), conditions("Stalled=True/BuilderFailed"))
		})
	})
}

// kstatuses reads the versions of an image until one of them, and returns their generations and what kstatus calls them, without repetitions.
func kstatuses(ctx context.Context, images watch.Interface, until string) []string {
	GinkgoHelper()
	var all []string
	for {
		var event watch.Event
		Eventually(ctx, images.ResultChan()).Should(Receive(&event))
		image, ok := event.Object.(*v1alpha1.Image)
		Expect(ok).To(BeTrue(), "%+v", event.Object)
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(image)
		Expect(err).NotTo(HaveOccurred())
		result, err := status.Compute(&unstructured.Unstructured{Object: content})
		Expect(err).NotTo(HaveOccurred())
		all = append(all, fmt.Sprintf("%d %s", image.Generation, result.Status))
		if image.ResourceVersion == until {
			return slices.Compact(all)
		}
	}
}

// resultDigests are the digests in the result that the builder left in its termination message, by target.
func (w *fixture) resultDigests(ctx context.Context, build *v1alpha1.ImageBuild) map[string]string {
	GinkgoHelper()
	pod, err := w.Kube.CoreV1().Pods(w.Namespace).Get(ctx, build.Status.Attempts[0].PodName, metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	Expect(pod.Status.ContainerStatuses).To(ConsistOf(HaveField("State.Terminated", Not(BeNil()))))
	var left struct {
		Artifacts []struct{ Target, Digest string }
	}
	Expect(json.Unmarshal([]byte(terminationMessage(pod)), &left)).To(Succeed())
	digests := map[string]string{}
	for _, artifact := range left.Artifacts {
		digests[artifact.Target] = artifact.Digest
	}
	return digests
}

func terminationMessage(pod *corev1.Pod) string {
	return pod.Status.ContainerStatuses[0].State.Terminated.Message
}
