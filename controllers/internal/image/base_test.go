// SPDX-License-Identifier: Apache-2.0

package image

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/resolution"
	"goldsmith.dev/goldsmith/e2e/require"
)

// upToDate finishes builds until every Image is built from the latest artifact of its base.
func (w *fixture) upToDate(names ...string) {
	w.t.Helper()
	w.Eventually(func(g Gomega) {
		w.finish(v1alpha1.BuildSucceeded)
		for _, name := range names {
			image := w.image(name)
			now, err := w.r.sources(resolution.FromAPI(w.client)).Resolve(w.t.Context(), namespace, image.Spec.BuildInputs, nil)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(now.Unresolved).To(BeNil(), name)
			g.Expect(meta.IsStatusConditionTrue(image.Status.Conditions, v1alpha1.ImageUpToDate)).To(BeTrue(), name)
			g.Expect(image.Status.LatestSuccessful.InputsDigest).To(Equal(now.Resolved.InputsDigest), name)
		}
		for _, build := range w.list() {
			g.Expect(build.Status.Finished).To(BeTrue(), build.Name)
		}
	}, patience).Should(Succeed())
}

// reasons are why an Image was built, by the names of its builds.
func (w *fixture) reasons(image string) map[string]v1alpha1.TriggerReason {
	w.t.Helper()
	reasons := map[string]v1alpha1.TriggerReason{}
	for _, build := range w.list() {
		if build.Spec.ImageRef.Name == image {
			reasons[build.Name] = build.Spec.Trigger.Reason
		}
	}
	return reasons
}

func withParameter(value string) func(*v1alpha1.Image) {
	return func(image *v1alpha1.Image) {
		image.Spec.Parameters = []v1alpha1.Parameter{{Name: "edition", Value: value}}
	}
}

func TestAChainIsBuiltInOrder(t *testing.T) {
	w := newFixture(t).run()
	w.create("c", basedOn("b", "")) // objects come in any order
	w.create("b", basedOn("a", ""))
	w.Eventually(func() string {
		return meta.FindStatusCondition(append(w.image("c").Status.Conditions, metav1.Condition{Type: v1alpha1.ImageInputsResolved}), v1alpha1.ImageInputsResolved).Reason
	}, patience).Should(Equal(string(v1alpha1.ReasonBaseNotFound)))
	w.Expect(w.list()).To(BeEmpty())
	w.create("a")
	w.upToDate("a", "b", "c")
	for _, name := range []string{"a", "b", "c"} {
		w.Expect(w.reasons(name)).To(Equal(map[string]v1alpha1.TriggerReason{name + "-1": v1alpha1.TriggerCreated}))
	}

	w.edit("a", withParameter("full"))
	w.upToDate("a", "b", "c")
	w.Expect(w.reasons("a")).To(HaveKeyWithValue("a-2", v1alpha1.TriggerSpecChange))
	for _, name := range []string{"b", "c"} {
		w.Expect(w.reasons(name)).To(Equal(map[string]v1alpha1.TriggerReason{
			name + "-1": v1alpha1.TriggerCreated, name + "-2": v1alpha1.TriggerBaseChange,
		}))
	}
	build := require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(t.Context(), "c-2", metav1.GetOptions{}))(w.t)
	w.Expect(build.Spec.Trigger.Changes).To(HaveLen(1))
	w.Expect(build.Spec.Trigger.Changes[0].Path).To(Equal("base.digest"))
	w.Expect(build.Spec.Trigger.Message).To(ContainSubstring("b) has changed since build c-1"))

	since := metav1.NewTime(w.clock.Now().Add(-time.Hour))
	w.edit("a", func(image *v1alpha1.Image) { // which is known only now
		image.Status.Fixes = []v1alpha1.PackageFix{{Build: "a-2", Number: 2, Since: since, ReadyTime: metav1.NewTime(w.clock.Now())}}
		image.Generation-- // that of the status does not move it
	})
	w.Eventually(func() []v1alpha1.PackageFix { return w.image("c").Status.Fixes }, patience).Should(HaveExactElements(
		And(HaveField("Build", "c-2"), HaveField("Since.Time", BeTemporally("==", since.Time)))))
	w.Eventually(w.countedFixes, patience).Should(BeEquivalentTo(2), "those of b and c")
}

func TestAnImageNamesTheBuildOfItsBaseForWhichItWaits(t *testing.T) {
	w := newFixture(t).run()
	w.create("c", basedOn("b", ""))
	w.create("b", basedOn("a", ""))
	w.create("a")
	message := func(image string) func() string {
		return func() string {
			return meta.FindStatusCondition(append(w.image(image).Status.Conditions, metav1.Condition{Type: v1alpha1.ImageInputsResolved}), v1alpha1.ImageInputsResolved).Message
		}
	}
	w.Eventually(message("b"), patience).Should(ContainSubstring("wait for its build a-1: goldsmith logs a-1 -f"))
	w.finish(v1alpha1.BuildSucceeded)
	w.Eventually(message("c"), patience).Should(ContainSubstring("wait for its build b-1"), "b was due before and after its build began")
	w.finish(v1alpha1.BuildFailed)
	w.Eventually(message("c"), patience).Should(ContainSubstring("has no artifacts yet: build it first"))
}

func TestWhatChangesInTwoWaysEndsUpToDate(t *testing.T) {
	w := newFixture(t).run()
	// An Image has one base, so what closes a diamond is a change of another kind: bottom's own, when top changes, too.
	w.create("top")
	w.create("left", basedOn("top", ""))
	w.create("bottom", basedOn("left", ""))
	w.create("short", basedOn("top", ""))
	w.upToDate("top", "left", "bottom", "short")
	w.edit("top", withParameter("full"))
	w.edit("bottom", withParameter("full"))
	w.upToDate("top", "left", "bottom", "short")
	w.Expect(w.builds("left")).To(Equal([]string{"left-1", "left-2"}))
	w.Expect(w.builds("short")).To(Equal([]string{"short-1", "short-2"}))
	w.Expect(len(w.builds("bottom"))).To(And(BeNumerically(">=", 2), BeNumerically("<=", 3))) // for both changes at once, or for each
}

func TestABaseThatIsBuiltAgainWithTheSameDigestIsNoChange(t *testing.T) {
	w := newFixture(t).run()
	w.create("a")
	w.create("b", basedOn("a", ""))
	w.upToDate("a", "b")
	require.Value(w.client.ImagesV1alpha1().Images(namespace).Instantiate(t.Context(), "a", &v1alpha1.BuildRequest{RequestID: "again", Reason: v1alpha1.TriggerManual}, metav1.CreateOptions{}))(w.t)
	w.upToDate("a", "b")
	w.edit("a", withParameter("full")) // the next thing that happens to b is for this
	w.upToDate("a", "b")
	w.Expect(w.builds("a")).To(HaveLen(3))
	w.Expect(w.builds("b")).To(HaveLen(2))
}

func TestAChannelIsABase(t *testing.T) {
	w := newFixture(t).run()
	w.create("a")
	w.create("b", basedOn("a", "stable"))
	w.upToDate("a")
	promote := func(digest string) {
		w.edit("a", func(image *v1alpha1.Image) {
			image.Status.Channels = []v1alpha1.ImageChannel{{
				Name: "stable", Build: "a-1", Digest: digest, Artifacts: []v1alpha1.Artifact{{Target: "linux/amd64/raw", Digest: digest}},
			}}
			image.Generation-- // that of the status does not move it
		})
	}
	w.Expect(w.builds("b")).To(BeEmpty())
	promote("one")
	w.upToDate("a", "b")
	w.edit("a", withParameter("full")) // its latest success is nothing to b
	w.upToDate("a", "b")
	promote("two")
	w.upToDate("a", "b")
	w.Expect(w.reasons("b")).To(Equal(map[string]v1alpha1.TriggerReason{"b-1": v1alpha1.TriggerCreated, "b-2": v1alpha1.TriggerBaseChange}))
}

func TestABaseThatGoesIsMissed(t *testing.T) {
	w := newFixture(t).run()
	w.create("a")
	w.create("b", basedOn("a", ""))
	w.upToDate("a", "b")
	w.Expect(w.client.ImagesV1alpha1().Images(namespace).Delete(t.Context(), "a", metav1.DeleteOptions{})).To(Succeed())
	w.Eventually(func() string {
		return meta.FindStatusCondition(w.image("b").Status.Conditions, v1alpha1.ImageInputsResolved).Reason
	}, patience).Should(Equal(string(v1alpha1.ReasonBaseNotFound)))
}
