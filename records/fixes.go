// SPDX-License-Identifier: Apache-2.0

package records

import (
	"cmp"
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Fix is how long a fix of an archive took to reach a channel of an Image.
type Fix struct {
	Image types.UID
	// Channel is empty for the time until a build with the fix succeeded.
	Channel string
	Took    time.Duration
}

// FixStats are figures of the fixes that reached a channel.
type FixStats struct {
	// Channel is empty for the time until a build with the fix succeeded.
	Channel string
	Percentiles
}

const fixColumns = "image_uid, number, reached, since, until"

// putFixes records the fixes of an Image. Those that Expire would delete are left out.
func putFixes(ctx context.Context, tx database, image *v1alpha1.Image, before int64) error {
	var rows [][]any
	add := func(fix *v1alpha1.PackageFix, channel string, until time.Time) {
		if until.UnixMicro() >= before {
			rows = append(rows, []any{string(image.UID), fix.Number, channel, fix.Since.UnixMicro(), until.UnixMicro()})
		}
	}
	for i := range image.Status.Fixes {
		fix := &image.Status.Fixes[i]
		add(fix, "", fix.ReadyTime.Time)
		for _, channel := range fix.Channels {
			add(fix, channel.Name, channel.Time.Time)
		}
	}
	for some := range slices.Chunk(rows, batch) {
		statement, args := insertion("fixes", fixColumns, some)
		if _, err := execute(ctx, tx, statement+" ON CONFLICT (image_uid, number, reached) DO UPDATE SET since = excluded.since, until = excluded.until", args...); err != nil {
			return err
		}
	}
	return nil
}

// Fixes returns what fixes of Images have reached in the window, in no order: a build that succeeded, or a channel.
func (s *Store) Fixes(ctx context.Context, images []types.UID, window Window) (all []Fix, err error) {
	for some := range slices.Chunk(images, MaxLimit) {
		var matching conditions
		matching.addIn("image_uid", anySlice(some))
		if !window.Since.IsZero() {
			matching.add("until >= ?", window.Since.UnixMicro())
		}
		if !window.Until.IsZero() {
			matching.add("until < ?", window.Until.UnixMicro())
		}
		found, err := fetch(ctx, s, "count fixes", func(scan scanner) (fix Fix, err error) {
			var since, until int64
			err = scan(&fix.Image, &fix.Channel, &since, &until)
			fix.Took = time.Duration(max(0, until-since)) * time.Microsecond // the archive has another clock
			return fix, err
		}, "SELECT image_uid, reached, since, until FROM fixes"+matching.whereClause(), matching.args...)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// maxChannels is how many channels CountFixes returns.
const maxChannels = 64

// CountFixes returns the figures of fixes: those until a build succeeded, then those of channels by name. Of many channels it returns those that most
// fixes have reached.
func CountFixes(fixes []Fix) (stats []FixStats) {
	took := map[string][]time.Duration{}
	for _, fix := range fixes {
		took[fix.Channel] = append(took[fix.Channel], fix.Took)
	}
	for channel, all := range took {
		slices.Sort(all)
		rank := func(percent int) time.Duration { return all[(len(all)*percent+99)/100-1] } // the nearest rank, as in stats.sql
		stats = append(stats, FixStats{channel, Percentiles{Count: int64(len(all)), P50: rank(50), P90: rank(90)}})
	}
	slices.SortFunc(stats, func(a, b FixStats) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Channel, b.Channel))
	})
	stats = stats[:min(len(stats), maxChannels)]
	slices.SortFunc(stats, func(a, b FixStats) int { return cmp.Compare(a.Channel, b.Channel) })
	return stats
}
