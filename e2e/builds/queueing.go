// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// limit lets so many builds of the namespace run at a time.
func (w *fixture) limit(ctx context.Context, builds int) {
	GinkgoHelper()
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"%d"}}}`, v1alpha1.AnnotationMaxBuilds, builds)
	_, err := w.Kube.CoreV1().Namespaces().Patch(ctx, w.Namespace, types.MergePatchType, patch, metav1.PatchOptions{})
	Expect(err).NotTo(HaveOccurred())
}

// holdAll lets no build of the namespace run, and waits until the controller holds one back: it hears of a limit some moments later.
func (w *fixture) holdAll(ctx context.Context) {
	GinkgoHelper()
	w.limit(ctx, 0)
	for held := false; !held; {
		canary := workspace.NewBuild("")
		canary.GenerateName = "canary-"
		name := w.CreateBuild(ctx, canary).Name
		waits := conditions("Admitted=False/WaitingForSlot")
		build := w.WaitForBuild(ctx, name, Or(waits, HaveField("Status.Finished", true)))
		held = !build.Status.Finished
		Expect(w.Builds().Delete(ctx, name, metav1.DeleteOptions{})).To(Succeed())
	}
}

func describeQueueing(w *fixture) {
	Describe("A namespace that may run one build at a time", func() {
		It("runs them by priority and then by age, says what they wait for, and shows the order", func(ctx SpecContext) {
			urgent := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace + "-urgent"}, Value: 1000}
			_, err := w.Kube.SchedulingV1().PriorityClasses().Create(ctx, urgent, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func(ctx SpecContext) {
				Expect(w.Kube.SchedulingV1().PriorityClasses().Delete(ctx, urgent.Name, metav1.DeleteOptions{})).To(Succeed())
			})

			w.holdAll(ctx)
			w.CreateBuild(ctx, workspace.NewBuild("first", longer))
			w.limit(ctx, 1)
			w.running(ctx, "first")
			waits := And(inPhase(v1alpha1.BuildQueued), conditions("Admitted=False/WaitingForSlot"), haveConditionMessage("Admitted", ContainSubstring("namespace")))
			w.CreateBuild(ctx, workspace.NewBuild("second"))
			w.WaitForBuild(ctx, "second", waits)
			third := workspace.NewBuild("third")
			third.Spec.Inputs.Template = &v1alpha1.BuildTemplate{PriorityClassName: urgent.Name}
			Expect(w.CreateBuild(ctx, third).Spec.Priority).To(HaveValue(Equal(int32(1000))))
			w.WaitForBuild(ctx, "third", waits)

			w.Eventually(ctx, func(ctx context.Context) (map[string]int32, error) {
				list, err := w.Goldsmith.ImagesV1alpha1().QueuedBuilds(w.Namespace).List(ctx, metav1.ListOptions{})
				positions := map[string]int32{}
				for _, queued := range list.Items {
					positions[queued.Name] = queued.Status.Position
				}
				return positions, err
			}).Should(And(HaveLen(2), WithTransform(func(p map[string]int32) int32 { return p["second"] - p["third"] }, BeNumerically(">", 0))))

			w.Cancel(ctx, "first", "")
			one, two := w.Succeeded(ctx, "third"), w.Succeeded(ctx, "second")
			Expect(two.Status.StartTime.Time).NotTo(BeTemporally("<", one.Status.CompletionTime.Time))
		})
	})

	It("Of the builds of an image that wait only the newest is built, where it says so", func(ctx SpecContext) {
		image := workspace.NewImage("web", longer)
		image.Spec.RunPolicy = v1alpha1.RunPolicySerialLatestOnly
		w.CreateImage(ctx, image)
		w.running(ctx, "web-1")
		w.ChangeImage(ctx, "web", setting("duration=0s", "edition=a"))
		w.WaitForBuild(ctx, "web-2", inPhase(v1alpha1.BuildQueued))
		w.ChangeImage(ctx, "web", setting("edition=b"))
		superseded := w.WaitForBuild(ctx, "web-2", inPhase(v1alpha1.BuildCancelled))
		Expect(superseded.Status.Failure).To(And(HaveField("Class", v1alpha1.FailureCancelled), HaveField("Reason", v1alpha1.ReasonSuperseded),
			HaveField("Message", ContainSubstring("web-3"))))
		Expect(superseded.Spec.CancelRequested.SupersededBy).To(Equal("web-3"))
		w.WaitForBuild(ctx, "web-1", inPhase(v1alpha1.BuildRunning))
		w.Cancel(ctx, "web-1", "")
		w.waitForImage(ctx, "web", built(3))
	})
}

func describeQueueDecisions(w *fixture) {
	Describe("A namespace that may run one build at a time", func() {
		It("lets go on when it may run more, and fails what waits too long", func(ctx SpecContext) {
			w.holdAll(ctx)
			late := workspace.NewBuild("late")
			late.Spec.Timeouts = &v1alpha1.BuildTimeouts{Queue: duration(time.Second)}
			w.CreateBuild(ctx, late)
			failed := w.WaitForBuild(ctx, "late", failedWith("Timeout/QueueTimeout"))
			Expect(failed.Status.Failure.Message).To(ContainSubstring("1s"))
			Expect(failed.Status.Attempts).To(BeEmpty())

			w.CreateBuild(ctx, workspace.NewBuild("patient"))
			w.WaitForBuild(ctx, "patient", inPhase(v1alpha1.BuildQueued))
			w.limit(ctx, 1)
			w.Succeeded(ctx, "patient")
		})
	})

	It("Builds of one image run beside each other, where it says so", func(ctx SpecContext) {
		image := workspace.NewImage("web", longer)
		image.Spec.RunPolicy = v1alpha1.RunPolicyParallel
		w.CreateImage(ctx, image)
		w.running(ctx, "web-1")
		w.Request(ctx, "web", "beside")
		w.running(ctx, "web-2")
		w.waitForImage(ctx, "web", HaveField("Status.ActiveBuilds", int32(2)))
		w.Cancel(ctx, "web-1", "")
		w.Cancel(ctx, "web-2", "")
		w.Finished(ctx, "web-1")
		w.Finished(ctx, "web-2")
	})
}
