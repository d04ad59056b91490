// SPDX-License-Identifier: Apache-2.0

package imageplan_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// archived creates an Archive that was checked at a time.
func (s *space) archived(t *testing.T, name string, checked time.Time) {
	t.Helper()
	archives := s.as(t, admin).client.ImagesV1alpha1().Archives()
	archive, err := archives.Create(t.Context(), &v1alpha1.Archive{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ArchiveSpec{Builder: "mock", URI: "https://mirror.example.com/" + name},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	archive.Status.LastCheckTime = &metav1.Time{Time: checked}
	_, err = archives.UpdateStatus(t.Context(), archive, metav1.UpdateOptions{})
	require.NoError(t, err)
}

// outdated stores that the latest build of an Image has an older openssl than an archive.
func (s *space) outdated(t *testing.T, name, archive string) {
	t.Helper()
	s.succeed(t, name)
	image, err := s.images().Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	at := metav1.NewTime(time.Date(2030, 1, 2, 4, 0, 0, 0, time.UTC))
	image.Status.Conditions = nil // no build is under way
	image.Status.InputsDigest = image.Status.LastAttempted.InputsDigest
	image.Status.Packages = &v1alpha1.ImagePackages{
		Build: name + "-1", Archives: []v1alpha1.ArchiveState{{Name: archive, Date: at}}, UpdateCount: 1,
		Updates: []v1alpha1.PackageUpdate{{Name: "openssl", Architecture: "amd64", From: "3.5.6-1", To: "3.5.7-1", Security: true, Advisories: []string{"CVE-2026-1"}, Archive: archive, Since: at}},
	}
	_, err = s.images().UpdateStatus(t.Context(), image, metav1.UpdateOptions{})
	require.NoError(t, err)
}

func TestAPlanTellsOfNewPackages(t *testing.T) {
	t.Parallel()
	g, s := NewWithT(t), newSpace(t, admin)
	checked := time.Date(2030, 1, 2, 4, 50, 0, 0, time.UTC)
	s.archived(t, "trixie", checked)
	s.archived(t, secretName, checked)
	watched := spec()
	watched.Triggers = &v1alpha1.Triggers{OnPackageChange: &v1alpha1.PackageTrigger{}}

	g.Expect(s.planned(t, spec()).Status.Packages).To(BeNil())
	g.Expect(s.planned(t, watched).Status.Packages.Reason).To(Equal("NeverBuilt"))
	s.create(t, imageName, watched)
	s.outdated(t, imageName, "trixie")
	plan := s.plan(t).Status
	g.Expect(plan.Build).To(BeTrue(), plan.Message)
	g.Expect(plan.Reason).To(Equal("PackageChange"))
	g.Expect(plan.Packages.Reason).To(Equal("PackageChange"))
	g.Expect(plan.Packages.Updates).To(HaveLen(1))
	g.Expect(plan.Packages.CheckTime.UTC()).To(Equal(checked))

	archive, err := s.client.ImagesV1alpha1().Archives().Get(t.Context(), "trixie", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	archive.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ArchiveReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonArchiveCheckFailed, Message: "404", LastTransitionTime: metav1.NewTime(checked)}}
	_, err = s.client.ImagesV1alpha1().Archives().UpdateStatus(t.Context(), archive, metav1.UpdateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(s.plan(t).Status.Packages.Message).To(HaveSuffix("; archive trixie cannot be checked: 404"))

	s.outdated(t, imageName, secretName)
	g.Expect(s.plan(t).Status.Packages.CheckTime.UTC()).To(Equal(checked))
	g.Expect(s.as(t, viewer).plan(t).Status.Packages.CheckTime).To(BeNil(), "the user may not get the Archive")
	s.outdated(t, imageName, "deleted")
	g.Expect(s.plan(t).Status.Packages.CheckTime).To(BeNil())
}

func TestAPlanTellsOfAPausedRollout(t *testing.T) {
	t.Parallel()
	g, s := NewWithT(t), newSpace(t, admin)
	watched := spec()
	watched.Triggers = &v1alpha1.Triggers{OnPackageChange: &v1alpha1.PackageTrigger{}}
	s.create(t, imageName, watched)
	s.outdated(t, imageName, "trixie")
	image, err := s.images().Get(t.Context(), imageName, metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	image.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ImagePackagesUpToDate, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRolloutPaused, LastTransitionTime: metav1.Now(),
		Message: "new packages: openssl 3.5.6-1 → 3.5.7-1, but 3 builds failed",
	}}
	_, err = s.images().UpdateStatus(t.Context(), image, metav1.UpdateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	plan := s.plan(t).Status
	g.Expect(plan.Build).To(BeFalse())
	g.Expect(plan.Packages.Reason).To(Equal("RolloutPaused"))
	g.Expect(plan.Packages.Message).To(HavePrefix("3 builds failed"))
}

func TestAPlanWaitsForTheBase(t *testing.T) {
	t.Parallel()
	g, s := NewWithT(t), newSpace(t, admin)
	watched := spec()
	watched.Triggers = &v1alpha1.Triggers{OnPackageChange: &v1alpha1.PackageTrigger{}}
	s.create(t, imageName, watched)
	s.outdated(t, imageName, "trixie")
	watched.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: imageName}}
	s.create(t, "web", watched)
	s.outdated(t, "web", "trixie")
	child, err := s.images().GetPlan(t.Context(), "web", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(child.Status.Build).To(BeFalse())
	g.Expect(child.Status.Packages.Reason).To(Equal("WaitingForBase"), child.Status.Message)
	g.Expect(child.Status.Packages.Updates).To(HaveLen(1))
}
