// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
)

func describeHistory(w *fixture) {
	It("are the history of their image, although they were pruned, and although it was deleted", Label("gate"), func(ctx SpecContext) {
		image := w.CreateImage(ctx, cluster.NewImage("web", "edition=1"))
		first := w.recorded(ctx, "web-1", "True/Recorded")
		w.ChangeImage(ctx, "web", func(image *v1alpha1.Image) {
			withInputs("edition=2")(image)
			image.Spec.History.Succeeded = new(int32(1))
		})
		second := w.recorded(ctx, "web-2", "True/Recorded")
		w.WaitForDeletion(ctx, "web-1")

		var builds []v1alpha1.BuildRecord
		w.Eventually(ctx, func(ctx context.Context) *metav1.Time {
			builds = w.history(ctx, nil)
			return builds[len(builds)-1].DeletionTime
		}).ShouldNot(BeNil())
		Expect(names(builds)).To(Equal([]string{"web-2", "web-1"}))
		Expect(builds[1]).To(And(
			HaveField("UID", first.UID), HaveField("Number", int64(1)), HaveField("Phase", v1alpha1.BuildSucceeded),
			HaveField("Trigger", v1alpha1.TriggerCreated), HaveField("Attempts", int32(1)), HaveField("Failure", BeNil()),
			HaveField("CreationTime.Time", BeTemporally("==", first.CreationTimestamp.Time)),
			HaveField("Duration.Duration", Equal(first.Status.CompletionTime.Sub(first.Status.StartTime.Time))),
		))
		Expect(builds[0]).To(And(HaveField("Trigger", v1alpha1.TriggerSpecChange), HaveField("DeletionTime", BeNil())))

		Expect(w.Images().Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
		w.WaitForDeletion(ctx, "web-2")
		Expect(apierrors.IsNotFound(w.read(ctx, "web", "history", nil, &v1alpha1.ImageHistory{}))).To(BeTrue(), "without its UID")
		uid := string(image.UID)
		w.Eventually(ctx, func(ctx context.Context) []v1alpha1.BuildRecord {
			builds = w.history(ctx, parameters{"uid": uid})
			return builds
		}).Should(HaveEach(HaveField("DeletionTime", Not(BeNil()))))
		Expect(names(builds)).To(Equal([]string{"web-2", "web-1"}))
		Expect(apierrors.IsNotFound(w.read(ctx, "other", "history", parameters{"uid": uid}, &v1alpha1.ImageHistory{}))).To(BeTrue(), "of another name")

		difference := &v1alpha1.ImageBuildDiff{}
		Expect(w.Goldsmith.ImagesV1alpha1().RESTClient().Get().Namespace(w.Namespace).Resource("imagebuilds").Name("web-2").SubResource("diff").
			Param("with", "web-1").Param("uid", string(second.UID)).Param("withUID", string(first.UID)).Do(ctx).Into(difference)).To(Succeed())
		Expect(difference.Inputs).To(ConsistOf(And(HaveField("Path", ContainSubstring("edition")), HaveField("From", "1"), HaveField("To", "2"))))
	})

	It("are found by outcome, trigger, user and time, and read page by page", func(ctx SpecContext) {
		w.CreateImage(ctx, cluster.NewImage("web", "edition=1"))
		w.recorded(ctx, "web-1", "True/Recorded")
		w.ChangeImage(ctx, "web", withInputs("edition=2", "failAt=1"))
		w.recorded(ctx, "web-2", "True/Recorded")
		build := w.recorded(ctx, w.Request(ctx, "web", "again").Name, "True/Recorded")

		for _, question := range []struct {
			asked parameters
			want  []string
		}{
			{parameters{}, []string{"web-3", "web-2", "web-1"}},
			{parameters{"limit": "1"}, []string{"web-3", "web-2", "web-1"}},
			{parameters{"limit": "2"}, []string{"web-3", "web-2", "web-1"}},
			{parameters{"outcome": "Succeeded"}, []string{"web-1"}},
			{parameters{"outcome": "Failed", "limit": "1"}, []string{"web-3", "web-2"}},
			{parameters{"trigger": "Manual"}, []string{"web-3"}},
			{parameters{"trigger": "Schedule"}, []string{}},
			{parameters{"user": build.Spec.Trigger.RequestedBy, "outcome": "Failed"}, []string{"web-3"}},
			{parameters{"user": "nobody' OR 'a' = 'a"}, []string{}},
			{parameters{"since": "1h"}, []string{"web-3", "web-2", "web-1"}},
			{parameters{"until": "1h"}, []string{}},
			{parameters{"since": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"}, []string{}},
		} {
			Expect(names(w.history(ctx, question.asked))).To(Equal(question.want), "%v", question.asked)
		}
		for _, bad := range []parameters{{"limit": "501"}, {"limit": "-1"}, {"since": "yesterday"}, {"continue": "nothing"}, {"outcome": "Good"}, {"uid": "../x"}} {
			err := w.read(ctx, "web", "history", bad, &v1alpha1.ImageHistory{})
			Expect(apierrors.IsBadRequest(err) || apierrors.IsInvalid(err)).To(BeTrue(), "%v: %v", bad, err)
		}
		Expect(apierrors.IsNotFound(w.read(ctx, "nothing", "history", nil, &v1alpha1.ImageHistory{}))).To(BeTrue())
	})
}
