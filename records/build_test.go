// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

func TestABuildIsReadAsItWasRecorded(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		build := ran(newBuild(debian, 7, 0), v1alpha1.BuildFailed, 2, 12)
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())

		record := valueOf(store.Build(ctx, "team", build.UID))(g)
		g.Expect(record.Spec).To(BeComparableTo(build.Spec))
		g.Expect(record.Status).To(BeComparableTo(build.Status))
		g.Expect(record.Entry).To(Equal(records.Entry{
			Namespace: "team", Name: "debian-7", UID: build.UID, Image: "debian", ImageUID: debian.UID, Number: 7,
			Trigger: v1alpha1.TriggerManual, TriggerMessage: "please", RequestedBy: "jane",
			Phase: v1alpha1.BuildFailed, Class: v1alpha1.FailureUser, Reason: v1alpha1.ReasonBuilderFailed, Message: "it broke", Attempts: 1,
			Created: noon, Queued: noon, Started: noon.Add(2 * time.Minute), Completed: noon.Add(12 * time.Minute),
			Duration: 10 * time.Minute, QueueTime: 2 * time.Minute,
		}))
		g.Expect(store.BuildNamed(ctx, "team", "debian-7")).To(Equal(record))

		g.Expect(errorOf(store.Build(ctx, "other", build.UID))).To(MatchError(records.ErrNotFound))
		g.Expect(errorOf(store.BuildNamed(ctx, "team", "debian-8"))).To(MatchError(records.ErrNotFound))
	})
}

func TestARevocationAndTheFailedTestsAreListed(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		build := ran(newBuild(debian, 1, 0), v1alpha1.BuildFailed, 1, 2)
		build.Status.Tests = []v1alpha1.TestStatus{
			{Name: "web", Gates: true, Outcome: v1alpha1.TestFailed}, {Name: "boots", Gates: true, Outcome: v1alpha1.TestError},
			{Name: "flaky", Gates: true, Outcome: v1alpha1.TestFlaky}, {Name: "later", Gates: true}, {Name: "optional", Outcome: v1alpha1.TestFailed},
		}
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		entry := func() records.Entry {
			return valueOf(store.History(ctx, records.Query{ImageUID: debian.UID}))(g).Items[0]
		}
		g.Expect(entry()).To(And(HaveField("FailedTests", []string{"boots", "web"}), HaveField("Revoked", BeNil())))
		build.ResourceVersion = "300"
		build.Status.Revoked = &v1alpha1.Revocation{Time: at(3), By: "jane", Reason: "wrong \x00 key", EffectiveTime: later(9)}
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		g.Expect(entry().Revoked).To(HaveValue(And(
			HaveField("By", "jane"), HaveField("Reason", "wrong \x00 key"), HaveField("EffectiveTime.Time", BeTemporally("==", at(9).Time)))))
		build.ResourceVersion, build.Status.Revoked = "400", nil
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		g.Expect(entry().Revoked).To(BeNil())
	})
}

func TestTheRevisionOfASourceIsListed(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		resolved := &v1alpha1.SourceRevision{Revision: "sha1:0123456789abcdef0123456789abcdef01234567", Ref: "refs/heads/main", Summary: `Add a "page" ü`, Time: later(9)}
		build := ran(newBuild(debian, 1, 0), v1alpha1.BuildFailed, 1, 2)
		entry := func() records.Entry {
			return valueOf(store.History(ctx, records.Query{ImageUID: debian.UID}))(g).Items[0]
		}
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		g.Expect(entry().Source).To(BeNil())
		build.ResourceVersion, build.Status.Resolved = "300", &v1alpha1.ResolvedInputs{Source: resolved}
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		g.Expect(entry().Source).To(HaveValue(And(
			HaveField("Revision", resolved.Revision), HaveField("Ref", resolved.Ref), HaveField("Summary", resolved.Summary),
			HaveField("Time.Time", BeTemporally("==", at(9).Time)))))
		g.Expect(valueOf(store.Build(ctx, "team", build.UID))(g).Entry).To(Equal(entry()))
	})
}

func TestABuildOfItsOwnHasNoImage(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		build := newBuild(debian, 1, 0)
		build.Spec.ImageRef, build.Spec.Number, build.Spec.Trigger = nil, nil, nil
		build.Status = v1alpha1.ImageBuildStatus{}
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		record := valueOf(store.Build(ctx, "team", build.UID))(g)
		g.Expect(record.Entry).To(Equal(records.Entry{Namespace: "team", Name: "debian-1", UID: build.UID, Created: noon}))
		g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM images")).To(BeZero())
	})
}

func TestWritingTwiceChangesNothing(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		build := ran(newBuild(debian, 1, 0), v1alpha1.BuildSucceeded, 1, 2)
		for range 3 {
			g.Expect(store.PutBuild(ctx, build)).To(Succeed())
			g.Expect(store.PutBuilds(ctx, []*v1alpha1.ImageBuild{build, build})).To(Succeed())
		}
		for _, table := range []string{"images", "builds", "documents", "attempts", "artifacts"} {
			g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM "+table)).To(Equal(int64(1)), table)
		}
	})
}

func TestOnlyWhatIsNewerReplacesWhatIsRecorded(t *testing.T) {
	at := func(version string, phase v1alpha1.BuildPhase, message string) *v1alpha1.ImageBuild {
		build := newBuild(debian, 1, 0)
		build.ResourceVersion, build.Spec.Trigger.Message = version, message
		build.Status.Phase = phase
		return build
	}
	for name, c := range map[string]struct {
		first, second *v1alpha1.ImageBuild
		want          string
	}{
		"newer":                        {at("9", v1alpha1.BuildQueued, "first"), at("10", v1alpha1.BuildRunning, "second"), "second"},
		"older":                        {at("10", v1alpha1.BuildRunning, "first"), at("9", v1alpha1.BuildQueued, "second"), "first"},
		"the same":                     {at("10", v1alpha1.BuildRunning, "first"), at("10", v1alpha1.BuildRunning, "second"), "first"},
		"restored, and not finished":   {at("9", v1alpha1.BuildFailed, "first"), at("1000000010", v1alpha1.BuildRunning, "second"), "second"},
		"finished and newer than that": {at("9", v1alpha1.BuildFailed, "first"), at("10", v1alpha1.BuildFailed, "second"), "second"},
		"finished and older than that": {at("10", v1alpha1.BuildFailed, "first"), at("9", v1alpha1.BuildFailed, "second"), "first"},
		"of no version":                {at("10", v1alpha1.BuildRunning, "first"), at("", v1alpha1.BuildRunning, "second"), "first"},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
				g.Expect(store.PutBuild(ctx, c.first)).To(Succeed())
				g.Expect(store.PutBuild(ctx, c.second)).To(Succeed())
				record := valueOf(store.Build(ctx, "team", c.first.UID))(g)
				g.Expect(record.TriggerMessage).To(Equal(c.want))
				g.Expect(record.Spec.Trigger.Message).To(Equal(c.want))

				together := newTogether(c.first, c.second)
				g.Expect(store.PutBuilds(ctx, together)).To(Succeed())
				g.Expect(valueOf(store.Build(ctx, "team", together[0].UID))(g).Spec.Trigger.Message).To(Equal(c.want), "in one batch")
			})
		})
	}
}

// newTogether returns the same as another build.
func newTogether(builds ...*v1alpha1.ImageBuild) []*v1alpha1.ImageBuild {
	var copies []*v1alpha1.ImageBuild
	for _, build := range builds {
		build = build.DeepCopy()
		build.UID += "-together"
		copies = append(copies, build)
	}
	return copies
}

func TestAttemptsAndArtifactsAreThoseOfTheLastWrite(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		build := ran(newBuild(debian, 1, 0), v1alpha1.BuildRunning, 1, 2)
		build.ResourceVersion = "150"
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		build = ran(newBuild(debian, 1, 0), v1alpha1.BuildSucceeded, 1, 9)
		second := *build.Status.Attempts[0].DeepCopy()
		second.Number, second.NodeName = 2, "node-2"
		build.Status.Attempts = append(build.Status.Attempts, second)
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM attempts")).To(Equal(int64(2)))
		g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM artifacts WHERE size_bytes = 7")).To(Equal(int64(1)))
		g.Expect(store.Count(ctx, "SELECT duration FROM attempts WHERE number = 2")).To(Equal((8 * time.Minute).Microseconds()))
	})
}

func TestClocksThatJumpBackMakeNoDurationNegative(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		build := ran(newBuild(debian, 1, 10), v1alpha1.BuildSucceeded, 5, 3)
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		record := valueOf(store.Build(ctx, "team", build.UID))(g)
		g.Expect(record.Started).To(Equal(noon.Add(5 * time.Minute)))
		g.Expect(record.Completed).To(Equal(noon.Add(3 * time.Minute)))
		g.Expect(record.Duration).To(BeZero())
		g.Expect(record.QueueTime).To(BeZero())
		g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM builds WHERE duration = 0 AND queue_time = 0")).To(Equal(int64(1)))
		g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM attempts WHERE duration = 0")).To(Equal(int64(1)))
	})
}

func TestALegalHoldIsNotLostToAnOlderWrite(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		finished := func(version string) *v1alpha1.ImageBuild {
			build := ran(newBuild(debian, 1, 0), v1alpha1.BuildSucceeded, 1, 2)
			build.ResourceVersion = version
			return build
		}
		isHeld := func() bool {
			return valueOf(store.Build(ctx, "team", finished("").UID))(g).Held
		}
		g.Expect(store.PutBuild(ctx, recordHolds(finished("20")))).To(Succeed())
		g.Expect(isHeld()).To(BeTrue())
		g.Expect(store.PutBuild(ctx, finished("10"))).To(Succeed())
		g.Expect(isHeld()).To(BeTrue(), "an older write does not remove the hold")
		g.Expect(store.PutBuild(ctx, finished("30"))).To(Succeed())
		g.Expect(isHeld()).To(BeFalse(), "a newer write removes the hold")
		g.Expect(store.PutBuild(ctx, recordHolds(finished("20")))).To(Succeed())
		g.Expect(isHeld()).To(BeTrue(), "an older write adds the hold, to be on the safe side")
		g.Expect(store.PutBuild(ctx, finished("30"))).To(Succeed())
		g.Expect(isHeld()).To(BeFalse(), "repeating the newest write removes the hold again")
	})
}

func TestManyBuildsAreRecordedInBatches(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		var builds []*v1alpha1.ImageBuild
		for i := range 250 {
			image := records.ImageKey{Namespace: "team", Name: fmt.Sprintf("image-%d", i%7)}
			image.UID = types.UID("uid-of-" + image.Name)
			builds = append(builds, ran(newBuild(image, int64(i), i), v1alpha1.BuildSucceeded, i, i+1))
		}
		g.Expect(store.PutBuilds(ctx, builds)).To(Succeed())
		g.Expect(store.PutBuilds(ctx, nil)).To(Succeed())
		for table, want := range map[string]int64{"images": 7, "builds": 250, "documents": 250, "attempts": 250, "artifacts": 250} {
			g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM "+table)).To(Equal(want), table)
		}
	})
}

func TestABuildWithoutIdentityIsRefused(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		nobody := newBuild(debian, 1, 0)
		nobody.UID = ""
		g.Expect(store.PutBuild(ctx, nobody)).To(MatchError(records.ErrInvalid))
		odd := newBuild(debian, 1, 0)
		odd.UID = "a\x00b"
		g.Expect(store.PutBuild(ctx, odd)).To(MatchError(records.ErrInvalid))
		orphan := newBuild(debian, 1, 0)
		orphan.Spec.ImageRef.UID = ""
		g.Expect(store.PutBuild(ctx, orphan)).To(MatchError(records.ErrInvalid))
		g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM builds")).To(BeZero())
	})
}

// Etcd's resource versions begin anew below those that were recorded, where a backup was restored without raising them.
func TestWhatIsRestoredFromABackupReplacesWhatWasRecordedLater(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		lost, kept := newBuild(debian, 1, 0), newBuild(debian, 2, 0)
		lost.ResourceVersion, kept.ResourceVersion = "10", "20"
		g.Expect(store.PutBuilds(ctx, []*v1alpha1.ImageBuild{ran(lost, v1alpha1.BuildSucceeded, 1, 2), ran(kept.DeepCopy(), v1alpha1.BuildSucceeded, 1, 2)})).To(Succeed())
		for _, build := range []*v1alpha1.ImageBuild{lost, kept} {
			g.Expect(store.BuildDeleted(ctx, build.UID, noon)).To(Succeed())
		}
		g.Expect(store.ImageDeleted(ctx, debian.UID, noon)).To(Succeed())

		kept.ResourceVersion = "12"
		g.Expect(store.Restored(ctx, records.Images, map[types.UID]string{debian.UID: "11"})).To(Succeed())
		g.Expect(store.Restored(ctx, records.Builds, map[types.UID]string{kept.UID: kept.ResourceVersion})).To(Succeed())
		g.Expect(store.PutBuild(ctx, kept)).To(Succeed())
		record := valueOf(store.Build(ctx, "team", kept.UID))(g)
		g.Expect(record.Deleted).To(BeZero())
		g.Expect(record.Phase).To(Equal(kept.Status.Phase))
		record = valueOf(store.Build(ctx, "team", lost.UID))(g)
		g.Expect(record.Deleted).To(Equal(noon), "of a build that was not restored")
		g.Expect(record.Phase).To(Equal(v1alpha1.BuildSucceeded))
		g.Expect(valueOf(store.UndeletedUIDs(ctx, records.Images, records.Paging{}))(g).Items).To(Equal([]types.UID{debian.UID}))
		g.Expect(store.Restored(ctx, "builds; DROP TABLE builds", nil)).To(MatchError(records.ErrInvalid))
	})
}

func TestDeletionsAreRecordedOnce(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		build := ran(newBuild(debian, 1, 0), v1alpha1.BuildSucceeded, 1, 2)
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		g.Expect(store.PutBuild(ctx, newBuild(debian, 2, 0))).To(Succeed())
		all := valueOf(store.UndeletedUIDs(ctx, records.Builds, records.Paging{}))(g)
		g.Expect(all.Items).To(HaveExactElements(build.UID, build.UID[:len(build.UID)-1]+"2"))
		first := valueOf(store.UndeletedUIDs(ctx, records.Builds, records.Paging{Limit: 1}))(g)
		second := valueOf(store.UndeletedUIDs(ctx, records.Builds, records.Paging{Limit: 1, Continue: first.Continue}))(g)
		g.Expect(append(first.Items, second.Items...)).To(Equal(all.Items))
		g.Expect(second.Continue).To(BeEmpty())

		g.Expect(store.BuildDeleted(ctx, build.UID, noon.Add(time.Hour))).To(Succeed())
		g.Expect(store.BuildDeleted(ctx, build.UID, noon.Add(2*time.Hour))).To(Succeed())
		g.Expect(store.BuildDeleted(ctx, "nobody", noon)).To(Succeed())
		g.Expect(store.PutBuild(ctx, build)).To(Succeed(), "an old write for a deleted build")
		g.Expect(valueOf(store.Build(ctx, "team", build.UID))(g).Deleted).To(Equal(noon.Add(time.Hour)))
		g.Expect(valueOf(store.UndeletedUIDs(ctx, records.Builds, records.Paging{}))(g).Items).To(Equal(all.Items[1:]))

		g.Expect(store.ImageDeleted(ctx, debian.UID, noon)).To(Succeed())
		g.Expect(valueOf(store.UndeletedUIDs(ctx, records.Images, records.Paging{}))(g).Items).To(BeEmpty())
		g.Expect(errorOf(store.UndeletedUIDs(ctx, "builds; DROP TABLE builds", records.Paging{}))).To(MatchError(records.ErrInvalid))
	})
}
