// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	gomega "github.com/onsi/gomega/types"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/e2e/require"
	database "goldsmith.dev/goldsmith/records"
)

func phase(phase v1alpha1.BuildPhase) gomega.GomegaMatcher { return HaveField("Entry.Phase", phase) }

func TestABuildIsRecordedWhileItRunsAndSaysSoAtItsEnd(t *testing.T) {
	w := newFixture(t)
	w.run()
	image := w.image("debian")
	build := w.build("debian-1", image)
	w.Eventually(w.recorded(build)).Should(And(Not(BeNil()), phase(v1alpha1.BuildRunning), HaveField("Entry.ImageUID", image.UID)))
	w.Expect(w.condition("debian-1")()).To(BeEmpty())
	w.change("debian-1", w.ended(v1alpha1.BuildSucceeded))
	w.Eventually(w.condition("debian-1")).Should(Equal("True/Recorded"))
	w.Expect(w.recorded(build)()).To(phase(v1alpha1.BuildSucceeded))
	w.Expect(w.up()).To(Equal(1.0))
	w.Expect(testutil.ToFloat64(w.metrics.SchemaVersion)).To(BeNumerically(">=", 1))
}

func TestWhatThereWasBeforeIsRecordedTogether(t *testing.T) {
	w := newFixture(t)
	image := w.image("debian")
	const many = 250
	for i := range many {
		w.build(fmt.Sprintf("debian-%d", i), image, w.ended(v1alpha1.BuildFailed))
	}
	w.run()
	for i := range many {
		w.Eventually(w.condition(fmt.Sprintf("debian-%d", i))).Should(Equal("True/Recorded"))
	}
	page := require.Value(w.records.History(t.Context(), database.Query{ImageUID: image.UID, Paging: database.Paging{Limit: database.MaxLimit}}))(w.t)
	w.Expect(page.Items).To(HaveLen(many))
	w.records.change(func() { w.Expect(w.records.batches).To(Equal(3)) })
}

// A database that was not restored knows of versions, ends and deletions that the restored API has never seen.
func TestRecordsFollowAnAPIThatWasRestoredFromABackup(t *testing.T) {
	w := newFixture(t)
	image := w.image("debian")
	build := w.build("debian-1", image)
	later := build.DeepCopy()
	later.ResourceVersion = "1000000"
	w.ended(v1alpha1.BuildFailed)(later)
	w.Expect(w.records.PutBuild(t.Context(), later)).To(Succeed())
	w.Expect(w.records.BuildDeleted(t.Context(), build.UID, w.clock.Now())).To(Succeed())
	w.Expect(w.records.ImageDeleted(t.Context(), image.UID, w.clock.Now())).To(Succeed())
	w.run()
	w.Eventually(w.recorded(build)).Should(And(phase(v1alpha1.BuildRunning), HaveField("Entry.Deleted", BeZero())))
	w.Eventually(w.undeleted(database.Images)).Should(Equal([]types.UID{image.UID}))
}

func TestAnUnavailableDatabaseHoldsNothingUp(t *testing.T) {
	for name, missing := range map[string]bool{"from the beginning": true, "later": false} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t)
			w.records.missing = missing
			w.run()
			if !missing {
				w.Eventually(w.up).Should(Equal(1.0))
				w.records.change(func() { w.records.away = true })
			}
			build := w.build("once", nil)
			w.change("once", w.ended(v1alpha1.BuildSucceeded))
			w.Eventually(w.condition("once")).Should(Equal("False/RecordsUnavailable"))
			stored := require.Value(w.client.ImagesV1alpha1().ImageBuilds(namespace).Get(t.Context(), "once", metav1.GetOptions{}))(w.t)
			w.Expect(meta.FindStatusCondition(stored.Status.Conditions, v1alpha1.BuildRecorded).Message).To(ContainSubstring(errUnavailable.Error()))
			w.Eventually(w.up).Should(Equal(0.0))
			w.Expect(w.recorded(build)()).To(BeNil())

			w.records.change(func() { w.records.away, w.records.missing = false, false })
			w.Eventually(w.condition("once")).Should(Equal("True/Recorded"))
			w.Expect(w.recorded(build)()).To(phase(v1alpha1.BuildSucceeded))
			w.Eventually(w.up).Should(Equal(1.0))
		})
	}
}

func TestADatabaseThatIsFullIsTriedAgain(t *testing.T) {
	w := newFixture(t)
	w.run()
	w.Eventually(w.up).Should(Equal(1.0))
	w.records.change(func() { w.records.full = true })
	build := w.build("once", nil, w.ended(v1alpha1.BuildFailed))
	w.Eventually(w.condition("once")).Should(Equal("False/RecordsUnavailable"))
	w.Expect(testutil.ToFloat64(w.metrics.Errors)).To(BeNumerically(">=", 1))
	w.records.change(func() { w.records.full = false })
	w.Eventually(w.condition("once")).Should(Equal("True/Recorded"))
	w.Expect(w.recorded(build)()).To(phase(v1alpha1.BuildFailed))
}

func TestABuildThatIsNotTakenKeepsNoOtherOut(t *testing.T) {
	for name, running := range map[string]bool{"among what there was before": false, "while others are recorded": true} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t)
			if running {
				w.run()
				w.Eventually(w.up).Should(Equal(1.0))
			}
			bad := w.build("bad", nil)
			w.records.change(func() { w.records.refused = bad.UID })
			good := w.build("good", nil, w.ended(v1alpha1.BuildSucceeded))
			w.change("bad", w.ended(v1alpha1.BuildSucceeded))
			if !running {
				w.run()
			}
			w.Eventually(w.condition("good")).Should(Equal("True/Recorded"))
			w.Expect(w.recorded(good)()).NotTo(BeNil())
			w.Eventually(w.condition("bad")).Should(Equal("False/NotRecordable"))
			w.Expect(w.up()).To(Equal(1.0))
		})
	}
}

func TestDeletionsAreRecorded(t *testing.T) {
	for name, c := range map[string]struct{ running, away bool }{
		"while the controller runs":     {true, false},
		"while it does not":             {false, false},
		"while the database is away":    {true, true},
		"while neither is there for it": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t)
			stop := w.run()
			image := w.image("debian")
			kept, gone := w.build("debian-1", image, w.ended(v1alpha1.BuildSucceeded)), w.build("debian-2", image, w.ended(v1alpha1.BuildFailed))
			w.Eventually(w.condition("debian-1")).Should(Equal("True/Recorded"))
			w.Eventually(w.condition("debian-2")).Should(Equal("True/Recorded"))
			if !c.running {
				stop()
			}
			w.records.change(func() { w.records.away = c.away })
			w.delete("debian-2")
			w.Expect(w.client.ImagesV1alpha1().Images(namespace).Delete(t.Context(), "debian", metav1.DeleteOptions{})).To(Succeed())
			if !c.running {
				w.run()
			}
			w.records.change(func() { w.records.away = false })
			w.Eventually(w.recorded(gone)).Should(HaveField("Entry.Deleted", BeTemporally("==", w.clock.Now())))
			w.Expect(w.recorded(kept)()).To(HaveField("Entry.Deleted", BeZero()))
			w.Eventually(w.undeleted(database.Images)).Should(BeEmpty())
		})
	}
}

func TestABuildThatIsDeletedBeforeItIsRecordedIsRecordedAsItWas(t *testing.T) {
	w := newFixture(t)
	w.run()
	w.Eventually(w.up).Should(Equal(1.0))
	w.records.change(func() { w.records.away = true })
	build := w.build("once", nil, w.ended(v1alpha1.BuildCancelled))
	w.Eventually(w.condition("once")).Should(Equal("False/RecordsUnavailable"))
	w.delete("once")
	w.build("once", nil) // another build with the same name
	w.records.change(func() { w.records.away = false })
	w.Eventually(w.recorded(build)).Should(And(Not(BeNil()), phase(v1alpha1.BuildCancelled), HaveField("Entry.Deleted", Not(BeZero()))))
	w.Expect(testutil.ToFloat64(w.metrics.Forgotten)).To(BeZero())
}

func TestARevocationAfterTheEndIsRecorded(t *testing.T) {
	revoke := func(build *v1alpha1.ImageBuild) { build.Status.Revoked = &v1alpha1.Revocation{Reason: "wrong key"} }
	for name, c := range map[string]struct{ deleted, away bool }{
		"of a build that is kept":                           {false, false},
		"of a build that is deleted at once":                {true, false},
		"of a build that is deleted without a database":     {true, true},
		"of a build that is kept, until the database is up": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t)
			w.run()
			build := w.build("once", nil, w.ended(v1alpha1.BuildSucceeded))
			w.Eventually(w.condition("once")).Should(Equal("True/Recorded"))
			w.records.change(func() { w.records.away = c.away })
			w.change("once", revoke)
			if c.deleted {
				w.delete("once")
			}
			w.records.change(func() { w.records.away = false })
			w.Eventually(w.recorded(build)).Should(And(HaveField("Entry.Revoked", HaveValue(HaveField("Reason", "wrong key"))), HaveField("Entry.Deleted.IsZero()", !c.deleted)))
			if !c.deleted {
				w.change("once", func(build *v1alpha1.ImageBuild) { build.Status.Revoked = nil })
				w.Eventually(w.recorded(build)).Should(HaveField("Entry.Revoked", BeNil()))
			}
		})
	}
}

func TestWhatAnotherProcessRecordsIsNotTakenForDeleted(t *testing.T) {
	w := newFixture(t)
	build := w.build("once", nil)
	w.Expect(w.records.PutBuild(t.Context(), build)).To(Succeed())
	k := &keeper{reconciler: &reconciler{memory: newMemory()}}
	k.Client, k.Clock = w.client, w.clock
	k.Metrics = require.Value(metrics.NewRecords(prometheus.NewRegistry(), nil, nil, w.clock))(w.t)
	w.Expect(k.writeMissing(t.Context(), w.records, database.Builds, nil)).To(Succeed(), "with a cache that has not seen it yet")
	w.Expect(w.recorded(build)()).To(HaveField("Entry.Deleted", BeZero()))
}

func TestTwoProcessesRecordTheSame(t *testing.T) {
	w := newFixture(t)
	w.run()
	w.run()
	image := w.image("debian")
	var builds []*v1alpha1.ImageBuild
	for i := range 20 {
		builds = append(builds, w.build(fmt.Sprintf("debian-%d", i), image))
	}
	for _, build := range builds {
		w.change(build.Name, w.ended(v1alpha1.BuildSucceeded))
	}
	for i, build := range builds {
		w.Eventually(w.condition(build.Name)).Should(Equal("True/Recorded"))
		w.Expect(w.recorded(build)()).To(And(phase(v1alpha1.BuildSucceeded), HaveField("Entry.Deleted", BeZero())))
		if i%2 == 0 {
			w.delete(build.Name)
		}
	}
	for i, build := range builds {
		if i%2 == 0 {
			w.Eventually(w.recorded(build)).Should(HaveField("Entry.Deleted", Not(BeZero())))
		}
	}
	page := require.Value(w.records.History(t.Context(), database.Query{ImageUID: image.UID}))(w.t)
	w.Expect(page.Items).To(HaveLen(len(builds)))
}

func TestADatabaseThatIsAnOlderOneIsBroughtUpToDate(t *testing.T) {
	w := newFixture(t)
	w.run()
	build := w.build("once", nil, w.ended(v1alpha1.BuildSucceeded))
	w.Eventually(w.condition("once")).Should(Equal("True/Recorded"))
	older := newFixture(t) // as if it were restored from before there was the build
	w.records.change(func() { w.records.away = true })
	w.Eventually(w.up).Should(Equal(0.0))
	w.records.change(func() { w.records.Store, w.records.away = older.records.Store, false })
	w.Eventually(w.recorded(build)).Should(And(Not(BeNil()), phase(v1alpha1.BuildSucceeded)))
}

func TestWhatCameOfAnImageIsRecordedWhenItChanges(t *testing.T) {
	w := newFixture(t)
	w.run()
	says := func(image *v1alpha1.Image, conditions ...metav1.Condition) *v1alpha1.Image {
		image.Status.Conditions = conditions
		image = require.Value(w.client.ImagesV1alpha1().Images(namespace).UpdateStatus(t.Context(), image, metav1.UpdateOptions{}))(w.t)
		return image
	}
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "because of " + reason, LastTransitionTime: metav1.NewTime(w.clock.Now())}
	}
	reasons := func(image *v1alpha1.Image) func() ([]string, error) {
		return func() (reasons []string, err error) {
			page, err := w.records.Outcomes(t.Context(), image.UID, database.Paging{})
			if err != nil {
				return nil, err
			}
			for _, outcome := range page.Items {
				reasons = append(reasons, outcome.Reason)
			}
			return reasons, nil
		}
	}
	resolved := condition(v1alpha1.ImageInputsResolved, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	progressing := condition(v1alpha1.ImageStalled, metav1.ConditionFalse, v1alpha1.ReasonProgressing)

	image := w.image("debian")
	image = says(image, condition(v1alpha1.ImageReady, metav1.ConditionFalse, v1alpha1.ReasonNeverBuilt), resolved, progressing)
	w.Eventually(reasons(image)).Should(Equal([]string{"NeverBuilt"}))
	image = says(image, condition(v1alpha1.ImageReady, metav1.ConditionFalse, v1alpha1.ReasonBuildActive), resolved, progressing) // not an outcome
	image = says(image, condition(v1alpha1.ImageReady, metav1.ConditionTrue, v1alpha1.ReasonBuildSucceeded), resolved, progressing)
	w.Eventually(reasons(image)).Should(Equal([]string{"BuildSucceeded", "NeverBuilt"}))
	image = says(image, condition(v1alpha1.ImageReady, metav1.ConditionTrue, v1alpha1.ReasonBuildSucceeded),
		condition(v1alpha1.ImageInputsResolved, metav1.ConditionFalse, string(v1alpha1.ReasonSourceNotFound)), progressing)
	w.Eventually(reasons(image)).Should(Equal([]string{"SourceNotFound", "BuildSucceeded", "NeverBuilt"}))
	image.Status.BuildCounter++ // not part of an outcome
	image = says(image, image.Status.Conditions...)
	image = says(image, condition(v1alpha1.ImageReady, metav1.ConditionFalse, v1alpha1.ReasonBuildFailed), resolved,
		condition(v1alpha1.ImageStalled, metav1.ConditionTrue, v1alpha1.ReasonTooManyFailures))
	w.Eventually(reasons(image)).Should(Equal([]string{"TooManyFailures", "SourceNotFound", "BuildSucceeded", "NeverBuilt"}))
}

func TestAFixIsRecordedAndWhenAChannelHasIt(t *testing.T) {
	w := newFixture(t)
	w.run()
	image := w.image("debian")
	fixes := func() ([]database.Fix, error) {
		return w.records.Fixes(t.Context(), []types.UID{image.UID}, database.Window{})
	}
	store := func() {
		image = require.Value(w.client.ImagesV1alpha1().Images(namespace).UpdateStatus(t.Context(), image, metav1.UpdateOptions{}))(w.t)
	}
	now := metav1.NewTime(w.clock.Now())
	image.Status.Fixes = []v1alpha1.PackageFix{{Build: "debian-2", Number: 2, Since: metav1.NewTime(now.Add(-time.Hour)), ReadyTime: now}}
	store()
	ready := database.Fix{Image: image.UID, Took: time.Hour}
	w.Eventually(fixes).Should(ConsistOf(ready))
	image.Status.Fixes[0].Channels = []v1alpha1.FixedChannel{{Name: "stable", Time: metav1.NewTime(now.Add(time.Hour))}}
	store()
	w.Eventually(fixes).Should(ConsistOf(ready, database.Fix{Image: image.UID, Channel: "stable", Took: 2 * time.Hour}))
}

func TestReportsOfProgressDoNotCostAWriteEach(t *testing.T) {
	w := newFixture(t)
	w.run()
	w.Eventually(w.up).Should(Equal(1.0))
	build := w.build("once", nil)
	for i := range 50 {
		w.change("once", func(build *v1alpha1.ImageBuild) {
			build.Status.Progress = &v1alpha1.BuildProgress{Message: fmt.Sprint("step ", i)}
		})
	}
	w.change("once", w.ended(v1alpha1.BuildSucceeded))
	w.Eventually(w.condition("once")).Should(Equal("True/Recorded"))
	w.Expect(w.recorded(build)()).To(phase(v1alpha1.BuildSucceeded))
	w.records.change(func() { w.Expect(w.records.writes).To(BeNumerically("<=", 2), "one while it runs and one at its end") })
}

func TestABuildThatIsRecordedIsNotWrittenAgainBecauseItGoes(t *testing.T) {
	w := newFixture(t)
	w.run()
	w.Eventually(w.up).Should(Equal(1.0))
	build := w.build("once", nil, w.ended(v1alpha1.BuildSucceeded))
	w.Eventually(w.condition("once")).Should(Equal("True/Recorded"))
	w.delete("once")
	w.Eventually(w.recorded(build)).Should(HaveField("Entry.Deleted", Not(BeZero())))
	w.records.change(func() { w.Expect(w.records.writes).To(Equal(1)) })
}

func TestWhatIsNewOfABuildIsWritten(t *testing.T) {
	build := newListed(1).builds[0]
	for name, c := range map[string]struct {
		change func(*v1alpha1.ImageBuild)
		new    bool
	}{
		"its resource version": {func(b *v1alpha1.ImageBuild) { b.ResourceVersion = "2000" }, false},
		"that it is deleted":   {func(b *v1alpha1.ImageBuild) { b.DeletionTimestamp, b.Generation = &metav1.Time{}, b.Generation+1 }, false},
		"that it is recorded":  {func(b *v1alpha1.ImageBuild) { says(b, v1alpha1.BuildRecorded) }, false},
		"its progress":         {func(b *v1alpha1.ImageBuild) { b.Status.Progress = &v1alpha1.BuildProgress{Message: "half"} }, false},
		"its log":              {func(b *v1alpha1.ImageBuild) { says(b, v1alpha1.BuildLogArchived) }, true},
		"who reproduced it":    {func(b *v1alpha1.ImageBuild) { says(b, v1alpha1.BuildReproduced) }, true},
		"its phase":            {func(b *v1alpha1.ImageBuild) { b.Status.Phase = v1alpha1.BuildFailed }, true},
		"a hold": {func(b *v1alpha1.ImageBuild) {
			b.Labels = map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold}
		}, true},
		"its spec": {func(b *v1alpha1.ImageBuild) { b.Spec.CancelRequested = &v1alpha1.CancelRequested{} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			changed := build.DeepCopy()
			c.change(changed)
			if got := buildVersion(changed) != buildVersion(&build); got != c.new {
				t.Errorf("it is written: %t", got)
			}
		})
	}
}

func says(build *v1alpha1.ImageBuild, condition string) {
	meta.SetStatusCondition(&build.Status.Conditions, metav1.Condition{Type: condition, Status: metav1.ConditionTrue})
}

func TestAChangedCauseOfAnUnavailableDatabaseIsReported(t *testing.T) {
	g := NewWithT(t)
	m := newMemory()
	says := func(why string) []bool {
		first, news := m.markDown(errors.New(why))
		return []bool{first, news}
	}
	g.Expect(says("it has not answered")).To(Equal([]bool{true, true}))
	g.Expect(says("it has not answered")).To(Equal([]bool{false, false}))
	g.Expect(says("the password is wrong")).To(Equal([]bool{false, true}))
	g.Expect(m.markUp(&faulty{})).To(BeTrue())
	g.Expect(says("the password is wrong")).To(Equal([]bool{true, true}))
}

func TestRecordsExpireAsTheImageSaysButNotUnderHold(t *testing.T) {
	w := newFixture(t)
	limits := &v1alpha1.HistoryLimits{RecordRetention: &v1alpha1.HistoryTTL{
		Succeeded: &v1alpha1.Duration{Duration: 48 * time.Hour}, Failed: &v1alpha1.Duration{Duration: time.Hour},
	}}
	limited := func(image *v1alpha1.Image) { image.Spec.History = limits }
	held := func(object metav1.Object) {
		object.SetLabels(map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold})
	}
	short := w.image("short", limited)
	evidence := w.image("evidence", limited, func(image *v1alpha1.Image) { held(image) })
	forever := w.image("forever")
	failed := w.ended(v1alpha1.BuildFailed)
	kept := map[string]*v1alpha1.ImageBuild{
		"a success":                     w.build("short-1", short, w.ended(v1alpha1.BuildSucceeded)),
		"a build that is held":          w.build("short-2", short, failed, func(build *v1alpha1.ImageBuild) { held(build) }),
		"one of an image that is held":  w.build("evidence-1", evidence, failed),
		"one of an image without limit": w.build("forever-1", forever, failed),
		"one that is still there":       w.build("short-4", short, failed),
	}
	old := w.build("short-3", short, failed)
	w.run()
	for _, build := range kept {
		w.Eventually(w.condition(build.Name)).Should(Equal("True/Recorded"))
	}
	w.Eventually(w.condition("short-3")).Should(Equal("True/Recorded"))
	for _, name := range []string{"short-1", "short-2", "short-3", "evidence-1", "forever-1"} {
		w.delete(name)
	}
	for name, build := range kept {
		if name != "one that is still there" {
			w.Eventually(w.recorded(build)).Should(HaveField("Entry.Deleted", Not(BeZero())))
		}
	}
	w.Eventually(w.recorded(old)).Should(HaveField("Entry.Deleted", Not(BeZero())))

	w.clock.SetTime(w.clock.Now().Add(2 * time.Hour))
	w.Eventually(w.recorded(old)).Should(BeNil())
	for name, build := range kept {
		w.Expect(w.recorded(build)()).NotTo(BeNil(), name)
	}
	w.Eventually(func() float64 { return testutil.ToFloat64(w.metrics.Expired) }).Should(Equal(1.0))
}

// Each case changes the API after the cache was filled.
func TestRecordsExpireByTheImageThatTheAPIHas(t *testing.T) {
	held := map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold}
	for name, c := range map[string]struct {
		change  func(w *fixture, image *v1alpha1.Image)
		deleted bool
	}{
		"it is held": {change: func(w *fixture, image *v1alpha1.Image) { image.Labels = held; w.update(image) }},
		"it keeps records longer": {change: func(w *fixture, image *v1alpha1.Image) {
			image.Spec.History.RecordRetention.Failed = &v1alpha1.Duration{Duration: 24 * time.Hour}
			w.update(image)
		}},
		"it is deleted, and its last state is not recorded": {change: func(w *fixture, image *v1alpha1.Image) {
			w.Expect(w.client.ImagesV1alpha1().Images(namespace).Delete(w.t.Context(), image.Name, metav1.DeleteOptions{})).To(Succeed())
		}},
		"it cannot be read":                        {change: func(w *fixture, _ *v1alpha1.Image) { w.refuse("images") }},
		"builds under legal hold cannot be listed": {change: func(w *fixture, _ *v1alpha1.Image) { w.refuse("imagebuilds") }},
		"it is deleted": {change: func(w *fixture, image *v1alpha1.Image) {
			w.Expect(w.client.ImagesV1alpha1().Images(namespace).Delete(w.t.Context(), image.Name, metav1.DeleteOptions{})).To(Succeed())
			w.Expect(w.records.ImageDeleted(w.t.Context(), image.UID, w.clock.Now())).To(Succeed())
		}, deleted: true},
		"nothing has changed": {change: func(*fixture, *v1alpha1.Image) {}, deleted: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFixture(t)
			image := w.image("debian", func(image *v1alpha1.Image) {
				image.Spec.History = &v1alpha1.HistoryLimits{RecordRetention: &v1alpha1.HistoryTTL{Failed: &v1alpha1.Duration{Duration: time.Hour}}}
			})
			build := w.build("debian-1", image, w.ended(v1alpha1.BuildFailed))
			w.delete("debian-1")
			w.Expect(w.records.PutImage(t.Context(), image)).To(Succeed())
			w.Expect(w.records.PutBuild(t.Context(), build)).To(Succeed())
			w.Expect(w.records.BuildDeleted(t.Context(), build.UID, w.clock.Now())).To(Succeed())
			w.clock.SetTime(w.clock.Now().Add(2 * time.Hour))
			counts := require.Value(metrics.NewRecords(prometheus.NewRegistry(), nil, nil, w.clock))(w.t)
			k := &keeper{reconciler: &reconciler{cache: cachedImage{image: image.DeepCopy()}, Options: Options{
				Options: reconciliation.Options{Client: w.client, Clock: w.clock}, Metrics: counts,
			}}}

			c.change(w, image)
			k.sweep(t.Context(), w.records)
			record := require.Value(w.recorded(build)())(w.t)
			w.Expect(record == nil).To(Equal(c.deleted))
		})
	}
}

// cachedImage is a cache that has one Image.
type cachedImage struct {
	client.Reader
	image *v1alpha1.Image
}

func (c cachedImage) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if images, is := list.(*v1alpha1.ImageList); is {
		images.Items = []v1alpha1.Image{*c.image}
	}
	return nil
}

func TestAnImageThatIsDeletedBeforeItsHoldIsRecordedKeepsItsRecords(t *testing.T) {
	w := newFixture(t)
	w.run()
	limited := func(image *v1alpha1.Image) {
		image.Spec.History = &v1alpha1.HistoryLimits{RecordRetention: &v1alpha1.HistoryTTL{Failed: &v1alpha1.Duration{Duration: time.Hour}}}
	}
	evidence := w.build("evidence-1", w.image("evidence", limited), w.ended(v1alpha1.BuildFailed))
	other := w.build("other-1", w.image("other", limited), w.ended(v1alpha1.BuildFailed))
	for _, build := range []string{"evidence-1", "other-1"} {
		w.Eventually(w.condition(build)).Should(Equal("True/Recorded"))
	}
	w.records.change(func() { w.records.away = true })
	images := w.client.ImagesV1alpha1().Images(namespace)
	image := require.Value(images.Get(t.Context(), "evidence", metav1.GetOptions{}))(w.t)
	image.Labels = map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold}
	require.Value(images.Update(t.Context(), image, metav1.UpdateOptions{}))(w.t)
	for _, image := range []string{"evidence", "other"} {
		w.delete(image + "-1")
		w.Expect(images.Delete(t.Context(), image, metav1.DeleteOptions{})).To(Succeed())
	}
	w.records.change(func() { w.records.away = false })
	w.Eventually(w.undeleted(database.Images)).Should(BeEmpty())
	w.Eventually(w.undeleted(database.Builds)).Should(BeEmpty())

	w.clock.SetTime(w.clock.Now().Add(2 * time.Hour))
	w.Eventually(w.recorded(other)).Should(BeNil())
	w.Expect(w.recorded(evidence)()).NotTo(BeNil())
}

func TestRulesSayWhatImagesSay(t *testing.T) {
	g := NewWithT(t)
	hour := &v1alpha1.Duration{Duration: time.Hour}
	images := []*v1alpha1.Image{
		{ObjectMeta: metav1.ObjectMeta{UID: "none"}},
		{ObjectMeta: metav1.ObjectMeta{UID: "failed"}, Spec: v1alpha1.ImageSpec{History: &v1alpha1.HistoryLimits{RecordRetention: &v1alpha1.HistoryTTL{Failed: hour}}}},
		{
			ObjectMeta: metav1.ObjectMeta{UID: "both", Labels: map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold}},
			Spec: v1alpha1.ImageSpec{History: &v1alpha1.HistoryLimits{FileRetention: hour, RecordRetention: &v1alpha1.HistoryTTL{
				Failed: hour, Succeeded: &v1alpha1.Duration{Duration: 2 * time.Hour},
			}}},
		},
	}
	builds := []client.Object{
		&v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{UID: "held", Labels: map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold}}},
		&v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{UID: "free"}},
	}
	g.Expect(rulesOf(images, builds)).To(Equal(database.Rules{
		Images: map[types.UID]database.Retention{"failed": {Failed: time.Hour}, "both": {Failed: time.Hour, Succeeded: 2 * time.Hour, Outcomes: 2 * time.Hour, Files: time.Hour}},
		Held:   map[types.UID]bool{"both": true, "held": true},
	}))
}

func TestOnlySoManyThatAreGoneAreRemembered(t *testing.T) {
	w := newFixture(t)
	w.run()
	r := &reconciler{memory: newMemory()}
	r.Clock, r.Metrics = w.clock, w.metrics
	goes := func(uid string, recorded bool) {
		build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "gone", UID: types.UID(uid)}}
		if recorded {
			r.memory.wroteVersion(build.UID, buildVersion(build))
		}
		asked, _ := requestOf(build)
		r.rememberDeletion(asked, build)
		r.rememberDeletion(asked, build) // seen twice, it is one
	}
	for i := range maxGone {
		goes(fmt.Sprint("recorded-", i), true)
	}
	w.Expect(r.memory.pendingDeletions()).To(HaveLen(maxGone/2), "they leave room for those that are recorded nowhere")
	w.Expect(testutil.ToFloat64(w.metrics.Forgotten)).To(BeZero())
	for i := range maxGone/2 + 2 {
		goes(fmt.Sprint(i), false)
	}
	w.Expect(r.memory.pendingDeletions()).To(HaveLen(maxGone))
	w.Expect(testutil.ToFloat64(w.metrics.Forgotten)).To(Equal(4.0))
	w.Expect(testutil.ToFloat64(w.metrics.Written.WithLabelValues(metrics.RecordedDeletion))).To(BeZero())
}
