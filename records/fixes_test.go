// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

// fixedImage is an Image with a fix by each of some builds, since noon. Each succeeded some minutes after its number of hours, and the channel stable has
// it an hour later.
func fixedImage(name string, version string, numbers ...int64) *v1alpha1.Image {
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID("image-" + name), ResourceVersion: version}}
	for _, number := range numbers {
		ready := at(int(number) * 60)
		image.Status.Fixes = append(image.Status.Fixes, v1alpha1.PackageFix{
			Number: number, Since: at(0), ReadyTime: ready, Channels: []v1alpha1.FixedChannel{{Name: "stable", Time: metav1.NewTime(ready.Add(time.Hour))}},
		})
	}
	return image
}

func TestFixesAreCountedOnceInTheWindowInWhichTheyGotThere(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		debian, web := fixedImage("debian", "2", 1, 2, 3, 4), fixedImage("web", "2", 9)
		for range 2 {
			g.Expect(store.PutImage(ctx, debian)).To(Succeed())
		}
		g.Expect(store.PutImage(ctx, web)).To(Succeed())
		counted := func(window records.Window, images ...types.UID) []records.FixStats {
			return records.CountFixes(valueOf(store.Fixes(ctx, images, window))(g))
		}
		of := func(channel string, count int64, p50, p90 time.Duration) records.FixStats {
			return records.FixStats{Channel: channel, Percentiles: records.Percentiles{Count: count, P50: p50, P90: p90}}
		}
		const h = time.Hour
		g.Expect(counted(records.Window{}, debian.UID)).To(Equal([]records.FixStats{of("", 4, 2*h, 4*h), of("stable", 4, 3*h, 5*h)}))
		g.Expect(counted(records.Window{}, debian.UID, web.UID, "never there")).To(Equal([]records.FixStats{of("", 5, 3*h, 9*h), of("stable", 5, 4*h, 10*h)}))
		g.Expect(counted(records.Window{Since: at(240).Time}, debian.UID)).To(Equal([]records.FixStats{of("", 1, 4*h, 4*h), of("stable", 2, 4*h, 5*h)}))
		g.Expect(counted(records.Window{Until: at(120).Time}, debian.UID)).To(Equal([]records.FixStats{of("", 1, h, h)}))
		g.Expect(counted(records.Window{})).To(BeEmpty())

		g.Expect(store.PutImage(ctx, fixedImage("debian", "1", 7))).To(Succeed(), "an older version")
		debian = fixedImage("debian", "3", 4)
		debian.Status.Fixes[0].Since = at(600) // an older fix of the build; and the archive's clock is ahead
		g.Expect(store.PutImage(ctx, debian)).To(Succeed())
		g.Expect(counted(records.Window{Since: at(120).Time}, debian.UID)).To(Equal([]records.FixStats{of("", 3, 2*h, 3*h), of("stable", 4, 2*h, 4*h)}))

		many := make([]types.UID, records.MaxLimit+1, records.MaxLimit+2)
		for i := range many {
			many[i] = types.UID(strings.Repeat("x", i+1))
		}
		g.Expect(counted(records.Window{}, append(many, web.UID)...)).To(HaveLen(2), "of many images")
	})
}

func TestOfManyChannelsThoseWithMostFixesAreCounted(t *testing.T) {
	g := NewWithT(t)
	var fixes []records.Fix
	for i := range 80 {
		fixes = append(fixes, records.Fix{Channel: strings.Repeat("c", i+1)})
	}
	fixes = append(fixes, records.Fix{Channel: "team"}, records.Fix{Channel: "team"})
	counted := records.CountFixes(fixes)
	g.Expect(counted).To(HaveLen(64))
	g.Expect(counted).To(ContainElement(And(HaveField("Channel", "team"), HaveField("Count", int64(2)))))
	g.Expect(slices.IsSortedFunc(counted, func(a, b records.FixStats) int { return strings.Compare(a.Channel, b.Channel) })).To(BeTrue())
}

func TestFixesAreKeptLikeTheirBuilds(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(tenDays)
	onEach(t, records.Options{Clock: clock}, func(g *WithT, ctx context.Context, store *records.Store) {
		image := fixedImage("debian", "2", 1, 2)
		image.UID = debian.UID
		image.Spec.History = &v1alpha1.HistoryLimits{RecordRetention: &v1alpha1.HistoryTTL{Succeeded: &v1alpha1.Duration{Duration: 5 * day}, Failed: &v1alpha1.Duration{Duration: day}}}
		rules := records.Rules{Images: map[types.UID]records.Retention{debian.UID: records.RetentionOf(image)}}
		build := ran(newBuild(debian, 1, 0), v1alpha1.BuildSucceeded, 1, 2)
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		clock.SetTime(at(0).Time)
		g.Expect(store.PutImage(ctx, image)).To(Succeed())
		clock.SetTime(tenDays)
		left := func() int { return len(valueOf(store.Fixes(ctx, []types.UID{debian.UID}, records.Window{}))(g)) }

		g.Expect(store.Expire(ctx, records.Rules{Images: rules.Images, Held: map[types.UID]bool{debian.UID: true}})).To(BeZero(), "under legal hold")
		g.Expect(store.Expire(ctx, rules)).To(Equal(records.Expired{Fixes: 2}), "the build of the others exists")
		g.Expect(store.PutImage(ctx, image)).To(Succeed())
		g.Expect(left()).To(Equal(2), "those that are expired are not recorded again")
		g.Expect(store.BuildDeleted(ctx, build.UID, noon)).To(Succeed())
		g.Expect(store.Expire(ctx, rules)).To(Equal(records.Expired{Builds: 1, Fixes: 2}))
		g.Expect(left()).To(BeZero())

		image.ResourceVersion, image.Spec.History = "3", nil
		g.Expect(store.PutImage(ctx, image)).To(Succeed())
		g.Expect(left()).To(Equal(4), "without a limit for ever")
		image.ResourceVersion, image.Spec.History = "4", &v1alpha1.HistoryLimits{RecordRetention: &v1alpha1.HistoryTTL{Succeeded: &v1alpha1.Duration{Duration: 100 * day}, Failed: &v1alpha1.Duration{Duration: day}}}
		g.Expect(store.PutImage(ctx, image)).To(Succeed())
		g.Expect(store.ImageDeleted(ctx, debian.UID, noon)).To(Succeed())
		clock.SetTime(noon.Add(200 * day))
		g.Expect(valueOf(store.Expire(ctx, records.Rules{}))(g).Images).To(Equal(int64(1)))
		g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM fixes")).To(BeZero())
	})
}
