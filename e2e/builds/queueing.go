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
)

// limit lets so many builds of the namespace run at a time.
func (w *fixture) limit(ctx context.Context, builds int) {
	GinkgoHelper()
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"%d"}}}`, v1alpha1.AnnotationMaxBuilds, builds)
	_, err := w.kube.CoreV1().Namespaces().Patch(ctx, w.namespace, types.MergePatchType, patch, metav1.PatchOptions{})
	Expect(err).NotTo(HaveOccurred())
}

func describeQueueing(w *fixture) {
	Describe("A namespace that may run one build at a time", func() {
		It("runs them by priority and then by age, says what they wait for, and shows the order", func(ctx SpecContext) {
			urgent := &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: w.namespace + "-urgent"}, Value: 1000}
			_, err := w.kube.SchedulingV1().PriorityClasses().Create(ctx, urgent, metav1.CreateOptions{})
			Expect(err).NotTo(HaveOccurred())
			DeferCleanup(func(ctx SpecContext) {
				Expect(w.kube.SchedulingV1().PriorityClasses().Delete(ctx, urgent.Name, metav1.DeleteOptions{})).To(Succeed())
			})

			w.limit(ctx, 1)
			w.createBuild(ctx, newBuild("first", longer))
			w.running(ctx, "first")
			waits := And(inPhase(v1alpha1.BuildQueued), conditions("Admitted=False/WaitingForSlot"), saying("Admitted", ContainSubstring("namespace")))
			w.createBuild(ctx, newBuild("second"))
			w.build(ctx, "second", waits)
			third := newBuild("third")
			third.Spec.Inputs.Template = &v1alpha1.BuildTemplate{PriorityClassName: urgent.Name}
			Expect(w.createBuild(ctx, third).Spec.Priority).To(HaveValue(Equal(int32(1000))))
			w.build(ctx, "third", waits)

			w.eventually(ctx, func(ctx context.Context) (map[string]int32, error) {
				list, err := w.goldsmith.ImagesV1alpha1().QueuedBuilds(w.namespace).List(ctx, metav1.ListOptions{})
				positions := map[string]int32{}
				for _, queued := range list.Items {
					positions[queued.Name] = queued.Status.Position
				}
				return positions, err
			}).Should(And(HaveLen(2), WithTransform(func(p map[string]int32) int32 { return p["second"] - p["third"] }, BeNumerically(">", 0))))

			w.cancel(ctx, "first", "")
			one, two := w.succeeded(ctx, "third"), w.succeeded(ctx, "second")
			Expect(two.Status.StartTime.Time).NotTo(BeTemporally("<", one.Status.CompletionTime.Time))
		})

		It("lets go on when it may run more, and fails what waits too long", func(ctx SpecContext) {
			w.limit(ctx, 0)
			late := newBuild("late")
			late.Spec.Timeouts = &v1alpha1.BuildTimeouts{Queue: duration(time.Second)}
			w.createBuild(ctx, late)
			failed := w.build(ctx, "late", failedWith("Timeout/QueueTimeout"))
			Expect(failed.Status.Failure.Message).To(ContainSubstring("1s"))
			Expect(failed.Status.Attempts).To(BeEmpty())

			w.createBuild(ctx, newBuild("patient"))
			w.build(ctx, "patient", inPhase(v1alpha1.BuildQueued))
			w.limit(ctx, 1)
			w.succeeded(ctx, "patient")
		})
	})

	It("Of the builds of an image that wait only the newest is built, where it says so", func(ctx SpecContext) {
		image := newImage("web", longer)
		image.Spec.RunPolicy = v1alpha1.RunPolicySerialLatestOnly
		w.createImage(ctx, image)
		w.running(ctx, "web-1")
		w.changeImage(ctx, "web", setting("duration=0s", "edition=a"))
		w.build(ctx, "web-2", inPhase(v1alpha1.BuildQueued))
		w.changeImage(ctx, "web", setting("edition=b"))
		superseded := w.build(ctx, "web-2", inPhase(v1alpha1.BuildCancelled))
		Expect(superseded.Status.Failure).To(And(HaveField("Class", v1alpha1.FailureCancelled), HaveField("Reason", v1alpha1.ReasonSuperseded),
			HaveField("Message", ContainSubstring("web-3"))))
		Expect(superseded.Spec.CancelRequested.SupersededBy).To(Equal("web-3"))
		w.build(ctx, "web-1", inPhase(v1alpha1.BuildRunning))
		w.cancel(ctx, "web-1", "")
		w.image(ctx, "web", built(3))
	})

	It("Builds of one image run beside each other, where it says so", func(ctx SpecContext) {
		image := newImage("web", longer)
		image.Spec.RunPolicy = v1alpha1.RunPolicyParallel
		w.createImage(ctx, image)
		w.running(ctx, "web-1")
		w.request(ctx, "web", "beside")
		w.running(ctx, "web-2")
		w.image(ctx, "web", HaveField("Status.ActiveBuilds", int32(2)))
		w.cancel(ctx, "web-1", "")
		w.cancel(ctx, "web-2", "")
		w.finished(ctx, "web-1")
		w.finished(ctx, "web-2")
	})
}
