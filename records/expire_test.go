// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

const day = 24 * time.Hour

// tenDays is when it is time to expire what happened at noon.
var tenDays = noon.Add(10 * day)

func TestExpireDeletesWhatWasKeptLongEnough(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(tenDays)
	onEach(t, records.Options{Clock: clock}, func(g *WithT, ctx context.Context, store *records.Store) {
		builds, kept, ubuntu := oldBuilds()
		g.Expect(store.PutBuilds(ctx, builds)).To(Succeed())
		for _, build := range builds[:len(builds)-1] {
			g.Expect(store.BuildDeleted(ctx, build.UID, at(3).Time)).To(Succeed())
		}
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{
			Namespace: "team", Name: "kept", UID: kept.UID, Labels: map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold},
		}}
		g.Expect(store.PutImage(ctx, image)).To(Succeed())
		left := func() []string {
			return names(valueOf(store.History(ctx, records.Query{}))(g))
		}

		g.Expect(store.Expire(ctx, records.Rules{})).To(BeZero(), "unless told otherwise, forever")

		rules := records.Rules{
			Default: records.Retention{Succeeded: 5 * day},
			Images:  map[types.UID]records.Retention{ubuntu.UID: {Succeeded: 20 * day, Failed: 5 * day}},
			Held:    map[types.UID]bool{builds[6].UID: true},
		}
		g.Expect(store.Expire(ctx, rules)).To(Equal(records.Expired{Builds: 3}))
		g.Expect(left()).To(ConsistOf("debian-2", "debian-3", "debian-4", "debian-5", "debian-6", "debian-7", "ubuntu-8", "kept-10", "debian-11"))
		for _, table := range []string{"documents", "attempts", "artifacts"} {
			g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM "+table+" WHERE build_uid NOT IN (SELECT uid FROM builds)")).To(BeZero(), table)
		}
		g.Expect(store.Expire(ctx, rules)).To(BeZero())

		rules.Default.Failed = 9 * day
		g.Expect(store.Expire(ctx, rules)).To(Equal(records.Expired{Builds: 3}))
		g.Expect(left()).To(ConsistOf("debian-5", "debian-6", "debian-7", "ubuntu-8", "kept-10", "debian-11"))

		rules.Held[debian.UID] = true
		rules.Default.Succeeded = time.Hour
		g.Expect(store.Expire(ctx, rules)).To(BeZero(), "an image that the caller holds keeps its builds")
	})
}

// oldBuilds are some of everything, all of which are old but debian-6.
func oldBuilds() (builds []*v1alpha1.ImageBuild, kept, ubuntu records.ImageKey) {
	ubuntu = records.ImageKey{Namespace: "team", Name: "ubuntu", UID: "image-ubuntu"}
	kept = records.ImageKey{Namespace: "team", Name: "kept", UID: "image-kept"}
	own := ran(newBuild(debian, 99, 0), v1alpha1.BuildSucceeded, 1, 2)
	own.Spec.ImageRef, own.Name = nil, "own"
	builds = []*v1alpha1.ImageBuild{
		ran(newBuild(debian, 1, 0), v1alpha1.BuildSucceeded, 1, 2),
		ran(newBuild(debian, 2, 0), v1alpha1.BuildFailed, 1, 2),
		ran(newBuild(debian, 3, 0), v1alpha1.BuildCancelled, 1, 2),
		newBuild(debian, 4, 0), // deleted while it waited
		recordHolds(ran(newBuild(debian, 5, 0), v1alpha1.BuildSucceeded, 1, 2)),
		ran(newBuild(debian, 6, 0), v1alpha1.BuildSucceeded, 1, 9*24*60), // yesterday
		ran(newBuild(debian, 7, 0), v1alpha1.BuildSucceeded, 1, 2),       // held by the caller
		ran(newBuild(ubuntu, 8, 0), v1alpha1.BuildSucceeded, 1, 2),
		ran(newBuild(ubuntu, 9, 0), v1alpha1.BuildFailed, 1, 2),
		ran(newBuild(kept, 10, 0), v1alpha1.BuildSucceeded, 1, 2),
		own,
		ran(newBuild(debian, 11, 0), v1alpha1.BuildSucceeded, 1, 2), // not deleted
	}
	return builds, kept, ubuntu
}

func TestExpireKeepsWhatIsExactlyOldEnough(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(noon.Add(time.Hour))
	onEach(t, records.Options{Clock: clock}, func(g *WithT, ctx context.Context, store *records.Store) {
		build := ran(newBuild(debian, 1, 0), v1alpha1.BuildSucceeded, 0, 0)
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		g.Expect(store.BuildDeleted(ctx, build.UID, noon)).To(Succeed())
		g.Expect(store.Expire(ctx, records.Rules{Default: records.Retention{Succeeded: time.Hour}})).To(BeZero())
		expired := valueOf(store.Expire(ctx, records.Rules{Default: records.Retention{Succeeded: time.Hour - time.Microsecond}}))(g)
		g.Expect(expired.Builds).To(Equal(int64(1)))
	})
}

func TestExpireTakesAnImageOnceItsBuildsAreGone(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(tenDays)
	onEach(t, records.Options{Clock: clock}, func(g *WithT, ctx context.Context, store *records.Store) {
		build := recordHolds(ran(newBuild(debian, 1, 0), v1alpha1.BuildSucceeded, 1, 2))
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		g.Expect(store.AddNote(ctx, debian, records.Note{Author: "jane", Text: "hello"})).Error().NotTo(HaveOccurred())
		g.Expect(store.AddChanges(ctx, debian, 1, noon, "jane", []v1alpha1.InputChange{{Path: "x"}})).To(Succeed())
		for i, reason := range []string{"a", "b", "c"} {
			g.Expect(store.AddOutcome(ctx, debian, records.Outcome{Time: at(i).Time, Reason: reason})).To(Succeed())
		}
		rules := records.Rules{Default: records.Retention{Succeeded: day, Failed: 2 * day, Outcomes: day}}
		expire := func() records.Expired {
			return valueOf(store.Expire(ctx, rules))(g)
		}
		g.Expect(expire()).To(Equal(records.Expired{Outcomes: 2}), "all but the last")
		g.Expect(store.BuildDeleted(ctx, build.UID, noon)).To(Succeed())
		g.Expect(store.ImageDeleted(ctx, debian.UID, noon)).To(Succeed())
		g.Expect(expire()).To(BeZero(), "as long as it has a build, and that is held")
		build.Labels, build.ResourceVersion = nil, "300"
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		rules.Default.Failed = 0
		g.Expect(expire()).To(Equal(records.Expired{Builds: 1}), "a failed one would be kept forever")
		rules.Default.Failed = 11 * day
		g.Expect(expire()).To(BeZero(), "a failed one would still be kept")
		rules.Default.Failed = 2 * day
		g.Expect(expire()).To(Equal(records.Expired{Images: 1}))
		for _, table := range []string{"images", "notes", "changes", "outcomes"} {
			g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM "+table)).To(BeZero(), table)
		}
	})
}

func TestAnImageThatIsGoneHasTheRulesThatItHadLast(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(tenDays)
	keep := func(succeeded, failed time.Duration) *v1alpha1.HistoryTTL {
		return &v1alpha1.HistoryTTL{Succeeded: &v1alpha1.Duration{Duration: succeeded}, Failed: &v1alpha1.Duration{Duration: failed}}
	}
	onEach(t, records.Options{Clock: clock}, func(g *WithT, ctx context.Context, store *records.Store) {
		put := func(name, version string, held bool, limits *v1alpha1.HistoryTTL) {
			image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID(name), ResourceVersion: version}}
			image.Spec.History = &v1alpha1.HistoryLimits{RecordRetention: limits}
			if held {
				image.Labels = map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold}
			}
			g.Expect(store.PutImage(ctx, image)).To(Succeed())
		}
		for _, name := range []string{"short", "shortened", "unlimited", "partly", "held", "released", "live", "never put"} {
			key := records.ImageKey{Namespace: "team", Name: name, UID: types.UID(name)}
			succeeded, failed := ran(newBuild(key, 1, 0), v1alpha1.BuildSucceeded, 1, 2), ran(newBuild(key, 2, 0), v1alpha1.BuildFailed, 1, 2)
			g.Expect(store.PutBuilds(ctx, []*v1alpha1.ImageBuild{succeeded, failed})).To(Succeed())
			g.Expect(store.BuildDeleted(ctx, succeeded.UID, noon)).To(Succeed())
			g.Expect(store.BuildDeleted(ctx, failed.UID, noon)).To(Succeed())
			g.Expect(store.AddNote(ctx, key, records.Note{Author: "jane", Text: "hello"})).Error().NotTo(HaveOccurred())
		}
		put("short", "1", false, keep(day, 20*day))
		put("shortened", "2", false, keep(day, 2*day))
		put("shortened", "1", false, nil) // older
		put("unlimited", "1", false, keep(day, day))
		put("unlimited", "2", false, nil)
		put("partly", "1", false, &v1alpha1.HistoryTTL{Failed: &v1alpha1.Duration{Duration: day}})
		put("held", "2", false, keep(day, day))
		put("held", "1", true, nil) // older, but nobody loses a hold
		put("released", "1", true, keep(day, day))
		put("released", "2", false, keep(day, day))
		put("live", "1", false, keep(day, day))
		for _, name := range []types.UID{"short", "shortened", "unlimited", "partly", "held", "released", "never put"} {
			g.Expect(store.ImageDeleted(ctx, name, noon)).To(Succeed())
		}

		left := func() []string {
			return names(valueOf(store.History(ctx, records.Query{}))(g))
		}
		keptBuilds := []string{"short-2", "unlimited-1", "unlimited-2", "partly-1", "held-1", "held-2", "live-1", "live-2", "never put-1", "never put-2"}
		g.Expect(store.Expire(ctx, records.Rules{})).To(Equal(records.Expired{Builds: 6, Images: 2}))
		g.Expect(left()).To(ConsistOf(keptBuilds))
		for _, table := range []string{"images", "notes"} {
			g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM "+table)).To(Equal(int64(6)), table)
		}

		put("short", "2", false, keep(day, day)) // a late write
		expired := valueOf(store.Expire(ctx, records.Rules{Images: map[types.UID]records.Retention{"short": {}}}))(g)
		g.Expect(expired).To(BeZero(), "the caller's rules apply to an existing image")
		g.Expect(store.Expire(ctx, records.Rules{})).To(Equal(records.Expired{Builds: 1, Images: 1}))
		g.Expect(left()).To(ConsistOf(keptBuilds[1:]))
	})
}

// In the records of deleted builds, summaries replace the contents of files that were kept long enough.
func TestExpireTakesTheContentsOfFiles(t *testing.T) {
	files := map[string]string{"etc/motd": "hello", "empty": ""}
	summaries := map[string]string{"etc/motd": contents.Summary("hello"), "empty": contents.Summary("")}
	resolved := func(build *v1alpha1.ImageBuild) *v1alpha1.ImageBuild {
		build.Spec.Inputs.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}}
		build.Status.Resolved = &v1alpha1.ResolvedInputs{InputsDigest: "sha256:x", Files: files}
		return build
	}
	inline := func(build *v1alpha1.ImageBuild) *v1alpha1.ImageBuild {
		build.Spec.Inputs.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: files}}
		return build
	}
	rerun := resolved(ran(newBuild(debian, 4, 0), v1alpha1.BuildFailed, 1, 2))
	rerun.Spec.Pinned = &v1alpha1.PinnedInputs{Files: files}
	unknown := records.ImageKey{Namespace: "team", Name: "unknown", UID: "image-unknown"}
	own := inline(ran(newBuild(debian, 99, 0), v1alpha1.BuildSucceeded, 1, 2))
	own.Spec.ImageRef = nil
	const minutes = int(v1alpha1.DefaultFileRetention / time.Minute)
	clock := clocktesting.NewFakePassiveClock(at(minutes + 60).Time)
	onEach(t, records.Options{Clock: clock}, func(g *WithT, ctx context.Context, store *records.Store) {
		gone := []*v1alpha1.ImageBuild{
			resolved(ran(newBuild(debian, 1, 0), v1alpha1.BuildSucceeded, 1, minutes-24*60)), // by the rule of its image
			inline(ran(newBuild(debian, 2, 0), v1alpha1.BuildFailed, 1, 2)),
			inline(newBuild(debian, 3, 0)), // deleted while it waited
			rerun,
			inline(ran(newBuild(unknown, 1, 0), v1alpha1.BuildSucceeded, 1, 2)), // its image was never recorded
			own,
		}
		kept := []*v1alpha1.ImageBuild{
			recordHolds(resolved(ran(newBuild(debian, 5, 0), v1alpha1.BuildSucceeded, 1, 2))),
			resolved(ran(newBuild(debian, 6, 0), v1alpha1.BuildSucceeded, 1, minutes)), // an hour ago
			resolved(ran(newBuild(debian, 7, 0), v1alpha1.BuildSucceeded, 1, 2)),       // held by the caller
			resolved(ran(newBuild(debian, 8, 0), v1alpha1.BuildSucceeded, 1, 2)),       // not deleted
			ran(newBuild(debian, 9, 0), v1alpha1.BuildSucceeded, 1, 2),                 // without files
			resolved(ran(newBuild(unknown, 2, 0), v1alpha1.BuildSucceeded, 1, 2*60)),   // an hour too young for the default
		}
		all := slices.Concat(gone, kept)
		g.Expect(store.PutBuilds(ctx, all)).To(Succeed())
		for _, build := range all {
			if build.Name != "debian-8" {
				g.Expect(store.BuildDeleted(ctx, build.UID, at(3).Time)).To(Succeed())
			}
		}
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "debian", UID: debian.UID, ResourceVersion: "1"}}
		image.Spec.History = &v1alpha1.HistoryLimits{FileRetention: &v1alpha1.Duration{Duration: day}}
		g.Expect(store.PutImage(ctx, image)).To(Succeed())
		g.Expect(store.ImageDeleted(ctx, image.UID, noon)).To(Succeed())
		expect := func(builds []*v1alpha1.ImageBuild, summarized bool) {
			for _, build := range builds {
				record := valueOf(store.Build(ctx, build.Namespace, build.UID))(g)
				g.Expect(record.Summarized).To(Equal(summarized), build.Name)
				want := build.DeepCopy()
				if summarized {
					if source := want.Spec.Inputs.Source; source.Inline != nil {
						source.Inline.Files = summaries
					}
					if want.Spec.Pinned != nil {
						want.Spec.Pinned.Files = summaries
					}
					if want.Status.Resolved != nil {
						want.Status.Resolved.Files = summaries
					}
				}
				g.Expect(record.Spec).To(Equal(want.Spec), build.Name)
				g.Expect(record.Status).To(BeComparableTo(want.Status), build.Name)
			}
		}
		live := map[string]*v1alpha1.Image{"unknown": {}, "debian": {ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelLegalHold: v1alpha1.LegalHold}}}}
		rules := records.Rules{Held: map[types.UID]bool{"image-debian-7": true}, Live: func(_ context.Context, image records.ImageKey) (*v1alpha1.Image, error) {
			return live[image.Name], nil
		}}
		for _, want := range []records.Expired{{Contents: 2}, {Contents: 4}, {}} { // at first, debian has come under legal hold
			g.Expect(store.Expire(ctx, rules)).To(Equal(want))
			live["debian"] = nil
		}
		expect(gone, true)
		expect(kept, false)

		gone[0].ResourceVersion = "300"
		g.Expect(store.PutBuild(ctx, gone[0])).To(Succeed())
		expect(gone[:1], false)
	})
}

func TestExpireWorksInBatches(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(tenDays)
	onEach(t, records.Options{Clock: clock}, func(g *WithT, ctx context.Context, store *records.Store) {
		held := map[types.UID]bool{}
		var builds []*v1alpha1.ImageBuild
		for i := range 350 {
			build := ran(newBuild(debian, int64(i), 0), v1alpha1.BuildSucceeded, 1, 2) // all at the same time
			if i < 150 {
				held[build.UID] = true
			}
			builds = append(builds, build)
		}
		g.Expect(store.PutBuilds(ctx, builds)).To(Succeed())
		for _, build := range builds {
			g.Expect(store.BuildDeleted(ctx, build.UID, noon)).To(Succeed())
		}
		g.Expect(valueOf(store.Expire(ctx, records.Rules{Default: records.Retention{Succeeded: day}, Held: held}))(g).Builds).To(Equal(int64(200)))
		g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM builds")).To(Equal(int64(150)))
	})
}

func TestRulesThatMakeNoSenseAreRefused(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		g.Expect(errorOf(store.Expire(ctx, records.Rules{Default: records.Retention{Failed: -1}}))).To(MatchError(records.ErrInvalid))
		_, err := store.Expire(ctx, records.Rules{Images: map[types.UID]records.Retention{"x": {Outcomes: -1}}})
		g.Expect(err).To(MatchError(records.ErrInvalid))
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "x", UID: "x"}}
		image.Spec.History = &v1alpha1.HistoryLimits{RecordRetention: &v1alpha1.HistoryTTL{Failed: &v1alpha1.Duration{Duration: -1}}}
		g.Expect(store.PutImage(ctx, image)).To(MatchError(records.ErrInvalid))
	})
}

// Without statistics, SQLite may scan a whole namespace for the builds of a single image.
func TestExpireTellsSQLiteWhatThereIs(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	path := filepath.Join(t.TempDir(), "records.db")
	store := openStore(t, "sqlite://"+path, records.Options{})
	g.Expect(store.PutBuilds(ctx, someBuilds(0, 200))).To(Succeed())
	g.Expect(store.Expire(ctx, records.Rules{})).Error().NotTo(HaveOccurred())
	g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM sqlite_stat1 WHERE idx = 'builds_by_image'")).To(Equal(int64(1)))
	g.Expect(valueOf(os.Stat(path+"-wal"))(g).Size()).To(BeZero(), "what the log has is in the database")
}

// SQLite would leave what a shorter row replaces in the free space of the file.
func TestExpiredContentsAreNotInTheFileOfSQLite(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	path := filepath.Join(t.TempDir(), "records.db")
	store := openStore(t, "sqlite://"+path, records.Options{Clock: clocktesting.NewFakePassiveClock(tenDays)})
	const secret = "a content to expire, "
	for i, length := range []int{1, 1000} { // in a page of its neighbours, and in pages of its own
		build := ran(newBuild(debian, int64(i), 0), v1alpha1.BuildSucceeded, 1, 2)
		build.Spec.Inputs.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"motd": strings.Repeat(secret, length)}}}
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		g.Expect(store.BuildDeleted(ctx, build.UID, noon)).To(Succeed())
	}
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: debian.Namespace, Name: debian.Name, UID: debian.UID}}
	g.Expect(store.PutImage(ctx, image)).To(Succeed())
	g.Expect(store.Expire(ctx, records.Rules{Default: records.Retention{Files: day}})).To(Equal(records.Expired{Contents: 2}))
	for _, name := range []string{path, path + "-wal"} {
		written := valueOf(os.ReadFile(name))(g)
		g.Expect(strings.Contains(string(written), secret)).To(BeFalse(), name)
	}
}
