// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

func describeSchedules(w *fixture) {
	It("A schedule builds at its time, whether anything has changed or not", func(ctx SpecContext) {
		image := workspace.NewImage("nightly")
		image.Spec.Triggers = &v1alpha1.Triggers{Schedule: &v1alpha1.Schedule{Cron: "* * * * *"}}
		w.CreateImage(ctx, image)
		before := w.waitForImage(ctx, "nightly", HaveField("Status.NextScheduleTime", Not(BeNil())), conditions("ScheduleActive=True/Scheduled"))
		next := before.Status.NextScheduleTime.Time
		if first := before.Status.LastScheduleTime; first != nil { // a minute began meanwhile
			next = first.Time
		}

		Eventually(ctx, func(ctx context.Context) (*v1alpha1.Image, error) {
			return w.Images().Get(ctx, "nightly", metav1.GetOptions{})
		}).WithTimeout(time.Minute + w.environment.Patience).WithPolling(time.Second).Should(HaveField("Status.LastScheduleTime", Not(BeNil())))
		after := w.waitForImage(ctx, "nightly", HaveField("Status.LatestSuccessful.Number", BeNumerically(">=", 2)))
		Expect(after.Status.NextScheduleTime.Time).To(BeTemporally(">", next))
		build := w.Succeeded(ctx, "nightly-2")
		Expect(build.Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerSchedule))
		Expect(build.CreationTimestamp.Time).NotTo(BeTemporally("<", next))
		Expect(digests(build.Status.Artifacts)).To(Equal(digests(w.Succeeded(ctx, "nightly-1").Status.Artifacts)))
	})

	It("A schedule rests while the image is suspended, and after too many failures until somebody helps", func(ctx SpecContext) {
		image := workspace.NewImage("weekly", "failAt=1")
		image.Spec.Triggers = &v1alpha1.Triggers{Schedule: &v1alpha1.Schedule{Cron: "@weekly", TimeZone: "Europe/Berlin"}, DisableAfterFailures: new(int32(2))}
		w.CreateImage(ctx, image)
		w.WaitForBuild(ctx, "weekly-1", failedWith("User/BuilderFailed"))
		w.waitForImage(ctx, "weekly", conditions("ScheduleActive=True/Scheduled"), HaveField("Status.ConsecutiveFailures", int32(1)))
		w.Request(ctx, "weekly", "second")
		w.WaitForBuild(ctx, "weekly-2", failedWith("User/BuilderFailed"))
		disabled := w.waitForImage(ctx, "weekly", conditions("ScheduleActive=False/TooManyFailures", "Stalled=True/TooManyFailures"), HaveField("Status.ConsecutiveFailures", int32(2)))
		Expect(disabled.Status.NextScheduleTime).To(BeNil())
		w.waitForEvents(ctx, "Image", "weekly", ContainElement(ContainSubstring("ScheduleDisabled")))

		w.ChangeImage(ctx, "weekly", setting("failAt"))
		w.waitForImage(ctx, "weekly", built(3), conditions("ScheduleActive=True/Scheduled"), HaveField("Status.ConsecutiveFailures", int32(0)), HaveField("Status.NextScheduleTime", Not(BeNil())))
		w.ChangeImage(ctx, "weekly", func(image *v1alpha1.Image) { image.Spec.Suspend = new(true) })
		w.waitForImage(ctx, "weekly", conditions("ScheduleActive=False/Suspended"), HaveField("Status.NextScheduleTime", BeNil()))
	})

	DescribeTable("A schedule that cannot be kept is refused", func(ctx SpecContext, schedule v1alpha1.Schedule, field string) {
		image := workspace.NewImage("never")
		image.Spec.Triggers = &v1alpha1.Triggers{Schedule: &schedule}
		_, err := w.Images().Create(ctx, image, metav1.CreateOptions{})
		Expect(err).To(workspace.BeInvalid(field))
	},
		Entry("because it is none", v1alpha1.Schedule{Cron: "now and then"}, "spec.triggers.schedule.cron"),
		Entry("because there is no such minute", v1alpha1.Schedule{Cron: "61 * * * *"}, "spec.triggers.schedule.cron"),
		Entry("because it has a time zone of its own", v1alpha1.Schedule{Cron: "TZ=Europe/Berlin 0 3 * * *"}, "spec.triggers.schedule.cron"),
		Entry("because there is no such time zone", v1alpha1.Schedule{Cron: "@daily", TimeZone: "Middle/Earth"}, "spec.triggers.schedule.timeZone"),
		Entry("because its mode is none", v1alpha1.Schedule{Cron: "@daily", Mode: "Sometimes"}, "spec.triggers.schedule.mode"),
		Entry("because its jitter is negative", v1alpha1.Schedule{Cron: "@daily", Jitter: duration(-time.Second)}, "spec.triggers.schedule.jitter"),
	)
}
