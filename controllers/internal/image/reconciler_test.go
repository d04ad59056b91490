// SPDX-License-Identifier: Apache-2.0

package image

import (
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

func nightly(image *v1alpha1.Image) {
	image.Spec.Triggers = &v1alpha1.Triggers{Schedule: &v1alpha1.Schedule{Cron: "30 3 * * *"}, DisableAfterFailures: new(int32(2))}
}

// settle reconciles the Image debian until there is nothing to do, and returns when the next reconcile is due. Its builds
// end with the phase.
func (w *fixture) settle(phase v1alpha1.BuildPhase) time.Duration {
	w.t.Helper()
	for {
		before := w.image("debian").ResourceVersion
		result := require.Value(w.reconcile())(w.t)
		if before == w.image("debian").ResourceVersion {
			return result.RequeueAfter
		}
		w.finish(phase)
	}
}

func (w *fixture) at(text string) {
	w.t.Helper()
	now := require.Value(time.Parse(time.RFC3339, text))(w.t)
	w.clock.SetTime(now)
}

func TestAScheduleIsLookedAtAgain(t *testing.T) {
	w := newFixture(t).start()
	w.create("debian", nightly)
	w.Expect(w.settle(v1alpha1.BuildSucceeded)).To(Equal(maxRequeueAfter))
	w.at("2026-03-02T03:29:30Z")
	w.Expect(w.settle(v1alpha1.BuildSucceeded)).To(Equal(30 * time.Second))
	w.Expect(w.builds("debian")).To(HaveLen(1))
	w.at("2026-03-02T03:30:00Z")
	w.settle(v1alpha1.BuildSucceeded)
	w.Expect(w.reasons("debian")).To(HaveKeyWithValue("debian-2", v1alpha1.TriggerSchedule))
	w.Expect(w.image("debian").Status.LastScheduleTime.Time).To(BeTemporally("==", w.clock.Now()))
}

func TestACrashAfterTheRequestIsOneBuild(t *testing.T) {
	w := newFixture(t).start()
	w.create("debian", nightly)
	w.lost.Store(true)
	_, err := w.reconcile()
	w.Expect(err).To(HaveOccurred())
	w.lost.Store(false)
	w.settle(v1alpha1.BuildSucceeded)
	w.Expect(w.builds("debian")).To(Equal([]string{"debian-1"}))

	w.at("2026-03-02T03:30:00Z")
	w.lost.Store(true)
	_, err = w.reconcile()
	w.Expect(err).To(HaveOccurred())
	w.Expect(w.image("debian").Status.LastScheduleTime).To(BeNil())
	w.lost.Store(false)
	w.settle(v1alpha1.BuildSucceeded)
	w.Expect(w.builds("debian")).To(Equal([]string{"debian-1", "debian-2"}))
	w.Expect(w.image("debian").Status.LastScheduleTime).NotTo(BeNil())
}

func TestAnImageOlderThanTheStoredOneIsLookedAtAgain(t *testing.T) {
	w := newFixture(t).start()
	image := w.create("debian", nightly)
	v1alpha1.SetObjectDefaults_Image(image)
	w.edit("debian", withParameter("full"))
	_, err := w.r.reconcile(t.Context(), image)
	w.Expect(err).To(MatchError(ContainSubstring("has changed since the decision")))
	w.Expect(w.list()).To(BeEmpty())
}

func TestABuildThatTheCacheDoesNotHaveIsWaitedFor(t *testing.T) {
	w := newFixture(t)
	w.create("debian")
	require.Value(w.allocate(t.Context(), "debian", &v1alpha1.BuildRequest{RequestID: "manual"}))(w.t)
	unseen, err := w.r.hasUncachedBuild(t.Context(), w.image("debian"), nil, v1alpha1.ImageStatus{})
	w.Expect(unseen, err).To(BeTrue())
	unseen, err = w.r.hasUncachedBuild(t.Context(), w.image("debian"), w.list(), v1alpha1.ImageStatus{})
	w.Expect(unseen, err).To(BeFalse())
	w.Expect(w.client.ImagesV1alpha1().ImageBuilds(namespace).Delete(t.Context(), "debian-1", metav1.DeleteOptions{})).To(Succeed())
	unseen, err = w.r.hasUncachedBuild(t.Context(), w.image("debian"), nil, v1alpha1.ImageStatus{})
	w.Expect(unseen, err).To(BeFalse())
}

func TestABuildThatWasDeletedIsNotAskedForAgain(t *testing.T) {
	w := newFixture(t).start()
	w.create("debian")
	require.Value(w.reconcile())(w.t)
	w.Expect(w.image("debian").Status.RecentRequests).To(HaveLen(1))
	require.Value(w.reconcile())(w.t) // records the build's UID
	w.Expect(w.client.ImagesV1alpha1().ImageBuilds(namespace).Delete(t.Context(), "debian-1", metav1.DeleteOptions{})).To(Succeed())
	w.settle(v1alpha1.BuildSucceeded)
	w.Expect(w.list()).To(BeEmpty())
	w.Expect(w.image("debian").Status.LastAttempted.Number).To(BeEquivalentTo(1))
}

func TestWhileARequestIsRefusedTheStatusIsWritten(t *testing.T) {
	w := newFixture(t).start()
	w.create("debian")
	for _, refusal := range []struct {
		code    int32
		stalled metav1.ConditionStatus
	}{{http.StatusForbidden, metav1.ConditionFalse}, {http.StatusUnprocessableEntity, metav1.ConditionTrue}} {
		w.refuse.Store(refusal.code)
		for range 2 {
			_, err := w.reconcile()
			w.Expect(err).To(MatchError(ContainSubstring("request a build")))
			w.Expect(w.warnings()).To(ContainElement(HavePrefix("Warning BuildRefused request a build")))
		}
		image := w.image("debian")
		w.Expect(image.Status.ObservedGeneration).To(BeEquivalentTo(1))
		condition := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImageStalled)
		w.Expect(*condition).To(And(HaveField("Status", refusal.stalled), HaveField("Reason", v1alpha1.ReasonBuildRefused), HaveField("Message", HavePrefix("request a build: "))))
		w.Expect(trigger.Summarize(image).Reason).To(Equal(v1alpha1.ReasonBuildRefused))
		_, err := w.reconcile()
		w.Expect(err).To(HaveOccurred())
		w.Expect(w.warnings()).To(HaveLen(1), "a repeated refusal is no new stall")
		w.Expect(w.image("debian").ResourceVersion).To(Equal(image.ResourceVersion), "a repeated refusal writes no status")
	}
	w.refuse.Store(0)
	w.settle(v1alpha1.BuildSucceeded)
	w.Expect(w.builds("debian")).To(HaveLen(1))
	w.Expect(meta.IsStatusConditionFalse(w.image("debian").Status.Conditions, v1alpha1.ImageStalled)).To(BeTrue())
}

func TestABuildThatIsNotDueByTheServersClockIsAskedForAgain(t *testing.T) {
	w := newFixture(t).start()
	w.create("debian")
	w.refuse.Store(http.StatusConflict)
	result := require.Value(w.reconcile())(w.t)
	w.Expect(result.RequeueAfter).To(Equal(time.Second))
	w.Expect(w.image("debian").Status.ObservedGeneration).To(BeEquivalentTo(1))
	w.Expect(w.warnings()).To(BeEmpty())
	w.refuse.Store(0)
	w.settle(v1alpha1.BuildSucceeded)
	w.Expect(w.builds("debian")).To(HaveLen(1))
}

func TestADisabledScheduleIsToldOnce(t *testing.T) {
	w := newFixture(t).start()
	w.create("debian", nightly)
	w.settle(v1alpha1.BuildFailed)
	for _, day := range []string{"2026-03-02T03:30:00Z", "2026-03-03T03:30:00Z", "2026-03-04T03:30:00Z"} {
		w.at(day)
		w.settle(v1alpha1.BuildFailed)
	}
	w.Expect(w.builds("debian")).To(HaveLen(2))
	stalled := meta.FindStatusCondition(w.image("debian").Status.Conditions, v1alpha1.ImageStalled)
	w.Expect(stalled.Reason).To(Equal(v1alpha1.ReasonTooManyFailures))
	w.Expect(w.warnings()).To(ConsistOf(HavePrefix("Warning ScheduleDisabled 2 consecutive builds failed, "), HavePrefix("Warning Stalled TooManyFailures: ")))
}

func TestEachStallOfAnImageIsToldOnce(t *testing.T) {
	w := newFixture(t).start()
	w.create("debian")
	w.settle(v1alpha1.BuildFailed)
	w.Expect(w.warnings()).To(ConsistOf(HavePrefix("Warning Stalled BuilderFailed: build debian-1 ended with ")))
	w.edit("debian", func(image *v1alpha1.Image) { image.Labels = map[string]string{"colour": "gold"} })
	w.settle(v1alpha1.BuildFailed)
	w.Expect(w.warnings()).To(BeEmpty())
	w.edit("debian", withParameter("full"))
	w.settle(v1alpha1.BuildFailed)
	w.Expect(w.warnings()).To(ConsistOf(HavePrefix("Warning Stalled BuilderFailed: build debian-2 ended with ")))
}

func TestOnlyTheNewestOfTheBuildsThatWaitStays(t *testing.T) {
	w := newFixture(t).start()
	w.create("debian", func(image *v1alpha1.Image) { image.Spec.RunPolicy = v1alpha1.RunPolicySerialLatestOnly })
	for _, id := range []string{"one", "two", "three"} {
		require.Value(w.allocate(t.Context(), "debian", &v1alpha1.BuildRequest{RequestID: id}))(w.t)
	}
	require.Value(w.reconcile())(w.t)
	superseded := map[string]string{}
	for _, build := range w.list() {
		if cancel := build.Spec.CancelRequested; cancel != nil {
			superseded[build.Name] = cancel.SupersededBy
		}
	}
	w.Expect(superseded).To(Equal(map[string]string{"debian-1": "debian-3", "debian-2": "debian-3"}))
}

func TestOldBuildsGoButForThoseOfChannels(t *testing.T) {
	w := newFixture(t).start()
	w.create("debian", func(image *v1alpha1.Image) {
		image.Spec.History = &v1alpha1.HistoryLimits{Succeeded: new(int32(1)), TTL: &v1alpha1.HistoryTTL{Succeeded: &v1alpha1.Duration{Duration: 5 * time.Minute}}}
	})
	for _, value := range []string{"one", "two", "three"} {
		w.edit("debian", withParameter(value))
		w.settle(v1alpha1.BuildSucceeded)
		if value == "one" {
			w.edit("debian", func(image *v1alpha1.Image) {
				image.Status.Channels = []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-1"}}
			})
		}
	}
	w.Expect(w.builds("debian")).To(Equal([]string{"debian-1", "debian-3"}))
	old := w.list()
	w.Expect(w.r.prune(t.Context(), w.image("debian"), []*v1alpha1.ImageBuild{&old[0], &old[1]})).To(Succeed())
	w.Expect(w.builds("debian")).To(Equal([]string{"debian-1"}), "decided on before the channel was moved")
}

func TestOldBuildsAreDeletedOnlyIfTheImageInTheAPIAllowsIt(t *testing.T) {
	for name, change := range map[string]func(w *fixture, decided *v1alpha1.Image){
		"it is held": func(w *fixture, decided *v1alpha1.Image) {
			held := decided.DeepCopy()
			held.Labels = map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold}
			require.Value(w.client.ImagesV1alpha1().Images(namespace).Update(t.Context(), held, metav1.UpdateOptions{}))(w.t)
		},
		"a promotion may follow": func(w *fixture, decided *v1alpha1.Image) {
			build := w.list()[0]
			build.Annotations = map[string]string{v1alpha1.AnnotationPromotion: decided.ResourceVersion}
			require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Update(t.Context(), &build, metav1.UpdateOptions{}))(w.t)
		},
		"its history is longer": func(w *fixture, _ *v1alpha1.Image) {
			w.edit("debian", func(image *v1alpha1.Image) { image.Spec.History.Succeeded = new(int32(10)) })
		},
		"it is another image of its name": func(w *fixture, _ *v1alpha1.Image) {
			w.Expect(w.client.ImagesV1alpha1().Images(namespace).Delete(t.Context(), "debian", metav1.DeleteOptions{})).To(Succeed())
			w.create("debian")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t).start()
			w.create("debian")
			w.settle(v1alpha1.BuildSucceeded)
			decided := w.image("debian")
			change(w, decided)
			old := w.list()
			w.Expect(w.r.prune(t.Context(), decided, []*v1alpha1.ImageBuild{&old[0]})).To(Succeed())
			w.Expect(w.builds("debian")).To(Equal([]string{"debian-1"}))
		})
	}
}

func TestAnOldBuildIsNotTakenForDeletedWhileTheAPIIsNotServed(t *testing.T) {
	w := newFixture(t).start()
	w.create("debian")
	w.settle(v1alpha1.BuildSucceeded)
	w.unserved.Store(true)
	old := w.list()
	w.Expect(w.r.prune(t.Context(), w.image("debian"), []*v1alpha1.ImageBuild{&old[0]})).To(MatchError(ContainSubstring("delete old build debian-1")))
}
