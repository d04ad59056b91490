// SPDX-License-Identifier: Apache-2.0

package image

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// advised knows that all builds have so many low vulnerabilities.
type advised struct {
	w     *fixture
	low   int32
	asked int
}

func (a *advised) Known(types.NamespacedName) map[types.UID]*trigger.Vulnerabilities {
	known := map[types.UID]*trigger.Vulnerabilities{}
	for _, build := range a.w.list() {
		known[build.UID] = &trigger.Vulnerabilities{Counts: v1alpha1.VulnerabilityCounts{Low: a.low}}
	}
	return known
}

func (a *advised) AskAgain(types.NamespacedName) { a.asked++ }

func TestVulnerabilitiesKeepAnImageReadyAndABuildFromItsChannel(t *testing.T) {
	w := newFixture(t).start()
	known := &advised{w: w, low: 2}
	w.r.Vulnerabilities = known
	w.create("debian", automatic, func(image *v1alpha1.Image) {
		image.Spec.Channels[0].Requires = &v1alpha1.ChannelRequirements{MaxSeverity: v1alpha1.SeverityLimitNegligible}
	})
	w.settle(v1alpha1.BuildSucceeded)
	status := w.image("debian").Status
	w.Expect(meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ImageVulnerable)).To(BeTrue())
	w.Expect(meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ImageReady)).To(BeTrue())
	w.Expect(status.Vulnerabilities).To(Equal(&v1alpha1.ImageVulnerabilities{Build: "debian-1", Counts: v1alpha1.VulnerabilityCounts{Low: 2}}))
	w.Expect(w.stable()).To(BeEmpty())

	known.low = 0
	w.unpromotable.Store(true) // the server knows more
	_, err := w.reconcile()
	w.Expect(err).To(MatchError(ContainSubstring("promote: ")))
	w.Expect(known.asked).To(Equal(1))
	w.unpromotable.Store(false)
	require.Value(w.reconcile())(w.t)
	w.Expect(w.stable()).To(Equal("debian-1"))
}
