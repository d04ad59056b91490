// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func describeSchedules(w *fixture) {
	It("A schedule builds at its time, whether anything has changed or not", func(ctx SpecContext) {
		image := newImage("nightly")
		image.Spec.Triggers = &v1alpha1.Triggers{Schedule: &v1alpha1.Schedule{Cron: "* * * * *"}}
		w.createImage(ctx, image)
		before := w.image(ctx, "nightly", HaveField("Status.NextScheduleTime", Not(BeNil())), conditions("ScheduleActive=True/Scheduled"))
		next := before.Status.NextScheduleTime.Time

		Eventually(ctx, func(ctx context.Context) (*v1alpha1.Image, error) {
			return w.images().Get(ctx, "nightly", metav1.GetOptions{})
		}).WithTimeout(time.Minute + w.environment.Patience).WithPolling(time.Second).Should(HaveField("Status.LastScheduleTime", Not(BeNil())))
		after := w.image(ctx, "nightly", HaveField("Status.LatestSuccessful.Number", BeNumerically(">=", 2)))
		Expect(after.Status.NextScheduleTime.Time).To(BeTemporally(">", next))
		build := w.succeeded(ctx, "nightly-2")
		Expect(build.Spec.Trigger.Reason).To(Equal(v1alpha1.TriggerSchedule))
		Expect(build.CreationTimestamp.Time).NotTo(BeTemporally("<", next))
		Expect(build.Status.Artifacts).To(Equal(w.succeeded(ctx, "nightly-1").Status.Artifacts))
	})

	It("A schedule rests while the image is suspended, and after too many failures until somebody helps", func(ctx SpecContext) {
		image := newImage("weekly", "failAt=1")
		image.Spec.Triggers = &v1alpha1.Triggers{Schedule: &v1alpha1.Schedule{Cron: "@weekly", TimeZone: "Europe/Berlin"}, DisableAfterFailures: new(int32(2))}
		w.createImage(ctx, image)
		w.build(ctx, "weekly-1", failedWith("User/BuilderFailed"))
		w.image(ctx, "weekly", conditions("ScheduleActive=True/Scheduled"), HaveField("Status.ConsecutiveFailures", int32(1)))
		w.request(ctx, "weekly", "second")
		w.build(ctx, "weekly-2", failedWith("User/BuilderFailed"))
		disabled := w.image(ctx, "weekly", conditions("ScheduleActive=False/TooManyFailures", "Stalled=True/TooManyFailures"), HaveField("Status.ConsecutiveFailures", int32(2)))
		Expect(disabled.Status.NextScheduleTime).To(BeNil())
		w.events(ctx, "Image", "weekly", ContainElement(ContainSubstring("ScheduleDisabled")))

		w.changeImage(ctx, "weekly", setting("failAt"))
		w.image(ctx, "weekly", built(3), conditions("ScheduleActive=True/Scheduled"), HaveField("Status.ConsecutiveFailures", int32(0)), HaveField("Status.NextScheduleTime", Not(BeNil())))
		w.changeImage(ctx, "weekly", func(image *v1alpha1.Image) { image.Spec.Suspend = new(true) })
		w.image(ctx, "weekly", conditions("ScheduleActive=False/Suspended"), HaveField("Status.NextScheduleTime", BeNil()))
	})

	DescribeTable("A schedule that cannot be kept is refused", func(ctx SpecContext, schedule v1alpha1.Schedule, field string) {
		image := newImage("never")
		image.Spec.Triggers = &v1alpha1.Triggers{Schedule: &schedule}
		_, err := w.images().Create(ctx, image, metav1.CreateOptions{})
		Expect(err).To(beInvalid(field))
	},
		Entry("because it is none", v1alpha1.Schedule{Cron: "now and then"}, "spec.triggers.schedule.cron"),
		Entry("because there is no such minute", v1alpha1.Schedule{Cron: "61 * * * *"}, "spec.triggers.schedule.cron"),
		Entry("because it has a time zone of its own", v1alpha1.Schedule{Cron: "TZ=Europe/Berlin 0 3 * * *"}, "spec.triggers.schedule.cron"),
		Entry("because there is no such time zone", v1alpha1.Schedule{Cron: "@daily", TimeZone: "Middle/Earth"}, "spec.triggers.schedule.timeZone"),
		Entry("because its mode is none", v1alpha1.Schedule{Cron: "@daily", Mode: "Sometimes"}, "spec.triggers.schedule.mode"),
		Entry("because its jitter is negative", v1alpha1.Schedule{Cron: "@daily", Jitter: duration(-time.Second)}, "spec.triggers.schedule.jitter"),
	)
}
