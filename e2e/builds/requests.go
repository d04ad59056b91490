// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"fmt"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// onRequest is an image that is built only on request.
func onRequest() *v1alpha1.Image {
	image := workspace.NewImage("web")
	image.Spec.Triggers = &v1alpha1.Triggers{OnSpecChange: new(false)}
	image.Spec.History = &v1alpha1.HistoryLimits{Succeeded: new(int32(100))}
	return image
}

func describeRequests(w *fixture) {
	Describe("A request for a build", func() {
		It("that is sent many times at once makes one build", func(ctx SpecContext) {
			w.CreateImage(ctx, onRequest())
			const times = 8
			uids := make([]types.UID, times)
			atOnce(times, func(i int) { uids[i] = w.Request(ctx, "web", "nightly").UID })
			Expect(uids).To(HaveEach(uids[0]))
			w.waitForImage(ctx, "web", built(1))
			Expect(w.buildNames(ctx)).To(ConsistOf("web-1"))
		})

		It("says who asked for it, and why", Label("gate"), func(ctx SpecContext) {
			w.CreateImage(ctx, onRequest())
			build, err := w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{Message: "new kernel"}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(build.Spec.Trigger).To(And(
				HaveField("Reason", v1alpha1.TriggerManual), HaveField("Message", "new kernel"),
				HaveField("RequestedBy", Not(BeEmpty())), HaveField("RequestID", Not(BeEmpty()))))
		})

		It("that is one of many gets a number of its own, and they run in the order of their numbers", func(ctx SpecContext) {
			w.CreateImage(ctx, onRequest())
			// A number comes before its build: of two at once the second may be there first, and run. So let all wait for another.
			before, err := w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{
				Parameters: []v1alpha1.Parameter{{Name: "duration", Value: "1h"}},
			}, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			const times = 20
			atOnce(times, func(i int) { w.Request(ctx, "web", fmt.Sprintf("request-%d", i)) })
			w.Cancel(ctx, before.Name, "the others are there")
			before = w.Finished(ctx, before.Name)
			for number := 2; number <= times+1; number++ {
				build := w.Succeeded(ctx, fmt.Sprintf("web-%d", number))
				Expect(build.Spec.Number).To(HaveValue(Equal(int64(number))))
				Expect(build.Status.StartTime.Time).NotTo(BeTemporally("<", before.Status.CompletionTime.Time))
				before = build
			}
			w.waitForImage(ctx, "web", built(times+1))
			Expect(w.buildNames(ctx)).To(HaveLen(times + 1))
		})
	})
}

func describeRepeatedRequests(w *fixture) {
	Describe("A request for a build", func() {
		It("that is repeated is answered with the same build", func(ctx SpecContext) {
			w.CreateImage(ctx, onRequest())
			first := w.Request(ctx, "web", "nightly")
			Expect(w.Request(ctx, "web", "nightly").UID).To(Equal(first.UID))
			w.waitForImage(ctx, "web", built(1))
			Expect(w.Request(ctx, "web", "nightly").UID).To(Equal(first.UID))

			Expect(w.Request(ctx, "web", "another").Name).To(Equal("web-2"))
			w.waitForImage(ctx, "web", built(2))
			Expect(w.buildNames(ctx)).To(ConsistOf("web-1", "web-2"))
		})

		It("whose build was deleted is not answered with another one", func(ctx SpecContext) {
			w.CreateImage(ctx, onRequest())
			w.Request(ctx, "web", "nightly")
			w.waitForImage(ctx, "web", built(1))
			Expect(w.Builds().Delete(ctx, "web-1", metav1.DeleteOptions{})).To(Succeed())

			_, err := w.Images().Instantiate(ctx, "web", &v1alpha1.BuildRequest{RequestID: "nightly"}, metav1.CreateOptions{})
			Expect(err).To(MatchError(ContainSubstring("was deleted")))
			Expect(w.Request(ctx, "web", "another").Name).To(Equal("web-2"))
		})
	})

	Describe("A build that a user creates with its image, but without a name", func() {
		It("is one of that image, or a rerun", func(ctx SpecContext) {
			w.CreateImage(ctx, onRequest())
			create := func(trigger *v1alpha1.BuildTrigger, dryRun ...string) (*v1alpha1.ImageBuild, error) {
				return w.Builds().Create(ctx, &v1alpha1.ImageBuild{
					ObjectMeta: metav1.ObjectMeta{GenerateName: "web-"},
					Spec:       v1alpha1.ImageBuildSpec{ImageRef: &v1alpha1.ImageReference{Name: "web"}, Trigger: trigger},
				}, metav1.CreateOptions{DryRun: dryRun})
			}
			_, err := create(nil, metav1.DryRunAll)
			Expect(err).NotTo(HaveOccurred())
			build, err := create(&v1alpha1.BuildTrigger{Message: "new kernel", RequestID: "nightly"})
			Expect(err).NotTo(HaveOccurred())
			Expect(build).To(And(HaveField("Name", "web-1"), HaveField("Spec.Number", HaveValue(BeEquivalentTo(1)))))
			Expect(build.Spec.Trigger).To(HaveValue(And(
				HaveField("Reason", v1alpha1.TriggerManual), HaveField("Message", "new kernel"), HaveField("RequestedBy", Not(BeEmpty())))))
			Expect(w.Request(ctx, "web", "nightly").UID).To(Equal(build.UID))
			w.waitForImage(ctx, "web", built(1))

			rerun, err := create(&v1alpha1.BuildTrigger{RerunOf: "web-1"})
			Expect(err).NotTo(HaveOccurred())
			Expect(rerun).To(And(HaveField("Name", "web-2"), HaveField("Spec.Trigger.Reason", v1alpha1.TriggerRerun), HaveField("Spec.Trigger.RerunOf", "web-1")))
			w.Succeeded(ctx, "web-2")

			_, err = create(&v1alpha1.BuildTrigger{RequestedBy: "somebody else"})
			Expect(err).To(workspace.BeInvalid("spec.trigger.requestedBy"))
			_, err = create(&v1alpha1.BuildTrigger{Message: "two\nlines"})
			Expect(err).To(workspace.BeInvalid("spec.trigger.message"))
			_, err = create(&v1alpha1.BuildTrigger{RerunOf: "web-9"})
			Expect(err).To(MatchError(ContainSubstring("web-9")))
			other := workspace.NewBuild("other")
			w.CreateBuild(ctx, other)
			_, err = create(&v1alpha1.BuildTrigger{RerunOf: "other"})
			Expect(err).To(workspace.BeInvalid("spec.trigger.rerunOf"))
			Expect(w.buildNames(ctx)).To(ConsistOf("web-1", "web-2", "other"))
		})
	})

	Describe("A build that a person has named like the next one of an image", func() {
		It("keeps its name, and the image's build gets the next number", func(ctx SpecContext) {
			w.CreateBuild(ctx, workspace.NewBuild("web-1"))
			w.CreateImage(ctx, workspace.NewImage("web"))

			image := w.waitForImage(ctx, "web", built(2))
			Expect(image.Status.LatestBuild.Name).To(Equal("web-2"))
			Expect(w.Succeeded(ctx, "web-1").Spec.ImageRef).To(BeNil())
			Expect(w.buildNames(ctx)).To(ConsistOf("web-1", "web-2"))
		})
	})
}

// atOnce calls a function for 0 to times-1, all at the same time.
func atOnce(times int, call func(int)) {
	var group sync.WaitGroup
	for i := range times {
		group.Go(func() {
			defer GinkgoRecover()
			call(i)
		})
	}
	group.Wait()
}
