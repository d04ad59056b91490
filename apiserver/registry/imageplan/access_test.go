// SPDX-License-Identifier: Apache-2.0

package imageplan_test

import (
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func basedOn(name string) v1alpha1.ImageSpec {
	given := spec()
	given.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: name}}
	return given
}

func TestWhoMayNotGetAnImageDoesNotPlanIt(t *testing.T) {
	t.Parallel()
	g, admins := NewWithT(t), newSpace(t, admin)
	s := admins.as(t, viewer)
	refused := s.plannedAs(t, secretName, spec())
	g.Expect(refused.Status).To(Equal(v1alpha1.ImagePlanStatus{Reason: "Forbidden", Message: `user "viewer" may not get images "secret" in namespace "` + s.namespace +
		`", which the plan needs for the comparison with the stored Image; an administrator can grant the permission`}))

	first := spec()
	first.Triggers = &v1alpha1.Triggers{Schedule: &v1alpha1.Schedule{Cron: "30 4 * * *"}}
	admins.create(t, secretName, first)
	admins.attempt(t, secretName)
	g.Expect(s.plannedAs(t, secretName, spec())).To(Equal(refused), "nor do they learn whether there is one")
	g.Expect(admins.plannedAs(t, secretName, spec()).Status.BuildName).To(Equal("secret-2"), "a user with permission to get the Secret plans with it")

	bad := spec()
	bad.Targets[0].Format = "tape"
	_, err := s.client.ImagesV1alpha1().ImagePlans(s.namespace).Create(t.Context(), asked(secretName, bad), metav1.CreateOptions{})
	g.Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
}

func TestWhoMayNotGetABaseDoesNotReadItInAPlan(t *testing.T) {
	t.Parallel()
	g, admins := NewWithT(t), newSpace(t, admin)
	s := admins.as(t, viewer)
	forbidden := And(
		HaveField("Build", false), HaveField("Reason", "Forbidden"), HaveField("Changes", BeEmpty()), HaveField("InputsDigest", ""),
		HaveField("BaseDigest", ""), HaveField("Job", BeNil()),
		HaveField("Message", ContainSubstring(`user "viewer" may not get images "secret" in namespace "`+s.namespace+`", which the plan needs for base.imageRef`)),
	)
	g.Expect(s.planned(t, basedOn(secretName)).Status).To(forbidden, "nor do they learn whether there is one")
	admins.create(t, secretName, spec())
	admins.succeed(t, secretName)
	g.Expect(s.planned(t, basedOn(secretName)).Status).To(forbidden)
	g.Expect(admins.planned(t, basedOn(secretName)).Status.BaseDigest).To(Equal(madeDigest))
	s.create(t, imageName, basedOn(secretName))
	g.Expect(s.plan(t).Status).To(forbidden, "nor in the plan of an Image as it is")
}

// TestACircleThroughAnImageThatTheUserMayNotGetIsNotShown plans c, which a hidden Image is based on.
func TestACircleThroughAnImageThatTheUserMayNotGetIsNotShown(t *testing.T) {
	t.Parallel()
	g, admins := NewWithT(t), newSpace(t, admin)
	admins.create(t, secretName, basedOn("c"))
	admins.create(t, "b", basedOn(secretName))
	s := admins.as(t, viewer)
	plan := s.plannedAs(t, "c", basedOn("b"))
	g.Expect(plan.Status).To(And(HaveField("Build", false), HaveField("Reason", "Forbidden"), HaveField("Job", BeNil())))
	_, err := admins.client.ImagesV1alpha1().ImagePlans(s.namespace).Create(t.Context(), asked("c", basedOn("b")), metav1.CreateOptions{})
	g.Expect(err).To(MatchError(ContainSubstring("c → b → secret → c")))
}
