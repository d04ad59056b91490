// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

// Advisories are those that LocalSpecs and ClusterSpecs need, in the JSON of Debian's tracker.
const Advisories = `{"openssl": {"CVE-2026-1234": {"description": "A use after free", "releases": {"trixie": {"status": "resolved", "fixed_version": "3.5.7-1", "urgency": "high"}}}}}`

// describeVulnerabilities describes what advisories do. prepare lets the server read the locks of an Image.
func describeVulnerabilities(w *fixture, prepare func(context.Context) func(*v1alpha1.Image)) {
	Describe("A known vulnerability of a package in an image", func() {
		It("is told, keeps the image Ready, and keeps the build from a channel with maxSeverity", Label("gate"), func(ctx SpecContext) {
			prepared := prepare(ctx)
			image := workspace.NewImage("debian", "distribution=debian:13", "packages=openssl=3.5.6-1")
			image.Spec.Channels = []v1alpha1.ChannelRule{{
				Name: "stable", Promote: v1alpha1.PromoteAutomatic, Requires: &v1alpha1.ChannelRequirements{MaxSeverity: v1alpha1.SeverityLimitMedium},
			}}
			prepared(image)
			w.CreateImage(ctx, image)
			vulnerable := w.waitForImage(ctx, "debian", built(1), conditions("Vulnerable=True/VulnerabilitiesOpen", "Ready=True/BuildSucceeded")).Status
			Expect(vulnerable.Vulnerabilities).To(Equal(&v1alpha1.ImageVulnerabilities{
				Build: "debian-1", Counts: v1alpha1.VulnerabilityCounts{High: 1, Fixable: 1}, Worst: []string{"CVE-2026-1234"},
			}))
			found, err := w.Goldsmith.ImagesV1alpha1().ImageBuilds(w.Namespace).GetVulnerabilities(ctx, "debian-1", metav1.GetOptions{})
			Expect(err).NotTo(HaveOccurred())
			Expect(found.Items).To(ConsistOf(And(HaveField("ID", "CVE-2026-1234"), HaveField("FixedVersion", "3.5.7-1"), HaveField("Packages", ConsistOf("openssl")))))
			_, err = w.Images().UpdateChannels(ctx, "debian", &v1alpha1.ImageChannels{
				ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Channels: []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-1"}},
			}, metav1.UpdateOptions{})
			Expect(err).To(And(workspace.BeInvalid("channels[0].build"), MatchError(ContainSubstring("CVE-2026-1234"))))

			w.ChangeImage(ctx, "debian", setting("packages=openssl=3.5.7-1"))
			fixed := w.waitForImage(ctx, "debian", built(2), conditions("Vulnerable=False/NoVulnerabilities"), HaveField("Status.Channels", HaveLen(1))).Status
			Expect(fixed.Channels).To(ConsistOf(And(HaveField("Name", "stable"), HaveField("Build", "debian-2"))))
		})
	})
}
