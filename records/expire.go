// SPDX-License-Identifier: Apache-2.0

package records

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Retention is how long records are kept. Only records of deleted objects are ever deleted: the record of an object exists as
// long as the object.
type Retention struct {
	// Succeeded is for builds that succeeded, counted from their completion. Defaults to forever.
	Succeeded time.Duration
	// Failed is for builds that failed or were cancelled, counted from their completion. It is also for builds that were deleted
	// before they finished, counted from their deletion. Defaults to forever.
	Failed time.Duration
	// Outcomes is for all outcomes of reconciling an Image but the last one. Defaults to forever.
	Outcomes time.Duration
	// Files is for the contents of the files of deleted builds, counted from their completion, or else from their deletion. The
	// names, digests and sizes of the files are kept as long as the builds. Defaults to v1alpha1.DefaultFileRetention.
	Files time.Duration
}

// RetentionOf returns the retention that an Image sets. Outcomes of reconciling the Image are kept as long as any of its builds.
func RetentionOf(image *v1alpha1.Image) Retention {
	history := image.Spec.History
	if history == nil {
		return Retention{}
	}
	records := history.RecordRetention
	if records == nil {
		records = &v1alpha1.HistoryTTL{}
	}
	return newRetention(lengthOf(records.Succeeded), lengthOf(records.Failed), lengthOf(history.FileRetention))
}

func newRetention(succeeded, failed, files time.Duration) Retention {
	retention := Retention{Succeeded: succeeded, Failed: failed, Files: files}
	if succeeded > 0 && failed > 0 {
		retention.Outcomes = max(succeeded, failed)
	}
	return retention
}

func lengthOf(limit *v1alpha1.Duration) time.Duration {
	if limit == nil {
		return 0
	}
	return limit.Duration
}

// Rules are the retention rules of Expire.
type Rules struct {
	// Default is for builds without an Image, and for Images without rules.
	Default Retention
	// Images has the rules of existing Images by UID. Deleted Images have the rules that PutImage recorded last.
	Images map[types.UID]Retention
	// Held are the UIDs of Images and builds that are kept regardless of these rules, in addition to those that are recorded as
	// under legal hold. The UID of an Image also keeps its builds.
	Held map[types.UID]bool
	// Live returns an Image as the API has it now, or nil if the Image was deleted. Expire calls it before it deletes the first
	// record of an Image, and deletes none unless the Image is without legal hold and has the retention of these rules. Without
	// Live, Expire relies on the rules.
	Live func(ctx context.Context, image ImageKey) (*v1alpha1.Image, error)
}

// Expired is the number of deleted records.
type Expired struct {
	Builds   int64
	Outcomes int64
	// Contents are the builds whose files lost their contents.
	Contents int64
	// Images that were deleted, have no builds left, and whose retention has passed, with their notes and changes.
	Images int64
	// Locks that no artifact of a recorded build names.
	Locks int64
	// Fixes by builds without a record.
	Fixes int64
}

// Expire deletes expired records, and expired contents of files, in transactions of at most 100 builds. It deletes the record
// of a deleted Image, with its journals, once no build is left, if both limits are set. A legal hold at the time of deletion
// lasts. A lock that no artifact names is deleted 31 days after it was last written. A fix is kept like its build. If Expire fails, the returned counts are of
// what is deleted, and the call can be repeated. Errors: ErrInvalid for rules with negative durations.
func (s *Store) Expire(ctx context.Context, rules Rules) (Expired, error) {
	var expired Expired
	for uid, retention := range rules.Images {
		if err := retention.check(); err != nil {
			return expired, fmt.Errorf("rules of image %s: %w", uid, err)
		}
	}
	if err := rules.Default.check(); err != nil {
		return expired, err
	}
	if err := s.expireImage(ctx, rules, kept{}, &expired); err != nil { // builds without an Image
		return expired, err
	}
	for last, more := "", true; more; {
		images, err := fetch(ctx, s, "list images with expired builds", scanKept,
			"SELECT uid, namespace, name, hold = 1, deleted IS NOT NULL, keep_succeeded, keep_failed, keep_files FROM images WHERE uid > $1 ORDER BY uid LIMIT $2", last, MaxLimit)
		if err != nil {
			return expired, err
		}
		for _, image := range images {
			last = string(image.UID)
			if image.held || rules.Held[image.UID] {
				continue
			}
			if err := s.expireImage(ctx, rules, image, &expired); err != nil {
				return expired, err
			}
		}
		more = len(images) == MaxLimit
	}
	if err := s.expireLocks(ctx, &expired.Locks); err != nil {
		return expired, err
	}
	return expired, s.optimize(ctx)
}

func (r Retention) check() error {
	if min(r.Succeeded, r.Failed, r.Outcomes, r.Files) < 0 {
		return fmt.Errorf("%w: a retention must not be negative", ErrInvalid)
	}
	return nil
}

// kept is an Image with records, and its last rules.
type kept struct {
	ImageKey
	held, deleted bool
	last          Retention
}

func scanKept(scan scanner) (kept, error) {
	var image kept
	var succeeded, failed, files int64
	err := scan(&image.UID, &image.Namespace, &image.Name, &image.held, &image.deleted, &succeeded, &failed, &files)
	image.last = newRetention(time.Duration(succeeded)*time.Microsecond, time.Duration(failed)*time.Microsecond, time.Duration(files)*time.Microsecond)
	return image, err
}

func (r Rules) retentionOf(image kept) Retention {
	if retention, is := r.Images[image.UID]; is {
		return retention
	}
	if image.deleted && image.last != (Retention{}) {
		return image.last
	}
	return r.Default
}

// confirm returns a function that reports whether the rules of an Image still apply. It reads the Image once.
func (r Rules) confirm(ctx context.Context, image kept) func() (bool, error) {
	if r.Live == nil || image.UID == "" {
		return func() (bool, error) { return true, nil }
	}
	return sync.OnceValues(func() (bool, error) {
		live, err := r.Live(ctx, image.ImageKey)
		switch {
		case err != nil:
			return false, fmt.Errorf("confirm the retention of image %s/%s: %w", image.Namespace, image.Name, err)
		case live == nil:
			return image.deleted, nil // an unrecorded deletion comes with a last state, which may be under legal hold
		}
		return !v1alpha1.UnderLegalHold(live) && RetentionOf(live) == r.retentionOf(image), nil
	})
}

// expireImage deletes the expired records and contents of one Image or, without a UID, of the builds without an Image.
func (s *Store) expireImage(ctx context.Context, rules Rules, image kept, expired *Expired) error {
	retention, confirm := rules.retentionOf(image), rules.confirm(ctx, image)
	for _, old := range []struct {
		keep      time.Duration
		condition string
		since     string
	}{
		{retention.Succeeded, "phase = 'Succeeded'", "completed"},
		{retention.Failed, "finished = 1 AND phase <> 'Succeeded'", "completed"},
		{retention.Failed, "completed IS NULL", "deleted"},
	} {
		if old.keep == 0 {
			continue
		}
		err := s.eachOldBatch(ctx, rules.Held, image.UID, old.condition, old.since, s.cutoff(old.keep), func(uids []any) error {
			return s.deleteUnheld(ctx, "expire builds of image", image.UID, confirm, &expired.Builds,
				"DELETE FROM builds WHERE hold = 0 AND uid IN ("+placeholders(0, len(uids))+")", uids...)
		})
		if err != nil {
			return err
		}
	}
	before := s.cutoff(cmp.Or(retention.Files, v1alpha1.DefaultFileRetention))
	err := s.eachOldBatch(ctx, rules.Held, image.UID, "contents = 1", "COALESCE(completed, deleted)", before, func(uids []any) error {
		return s.changeUnheld(ctx, "expire files of image", image.UID, confirm, &expired.Contents, func(ctx context.Context, tx database) (int64, error) {
			return summarize(ctx, tx, uids)
		})
	})
	if err != nil {
		return err
	}
	if retention.Outcomes > 0 && image.UID != "" {
		if err := s.expireOutcomes(ctx, image.UID, confirm, s.cutoff(retention.Outcomes), &expired.Outcomes); err != nil {
			return err
		}
	}
	if retention.Succeeded > 0 && image.UID != "" {
		if err := s.expireFixes(ctx, image.UID, confirm, s.cutoff(retention.Succeeded), &expired.Fixes); err != nil {
			return err
		}
	}
	if image.deleted && retention.Succeeded > 0 && retention.Failed > 0 {
		return s.expireRecord(ctx, image.UID, confirm, s.cutoff(max(retention.Succeeded, retention.Failed)), &expired.Images)
	}
	return nil
}

func (s *Store) cutoff(keep time.Duration) int64 {
	return s.clock.Now().Add(-keep).UnixMicro()
}

// eachOldBatch calls a function with the UIDs of deleted builds, in batches, the oldest first: builds that match a condition, are
// from before a time, and are not under legal hold.
func (s *Store) eachOldBatch(ctx context.Context, held map[types.UID]bool, image types.UID, condition, since string, before int64, do func(uids []any) error) error {
	type row struct {
		uid   string
		since int64
	}
	text := "SELECT uid, " + since + " FROM builds WHERE image_uid = $1 AND hold = 0 AND deleted IS NOT NULL AND " + condition + " AND " + since + " < $2" +
		" AND (" + since + ", uid) > ($3, $4) ORDER BY " + since + ", uid LIMIT $5"
	for last := (row{since: math.MinInt64}); ; {
		// Read without a lock, because mostly there is nothing to delete.
		found, err := fetch(ctx, s, fmt.Sprintf("list expired builds of image %q", image), func(scan scanner) (r row, err error) {
			return r, scan(&r.uid, &r.since)
		}, text, string(image), before, last.since, last.uid, batch)
		if err != nil {
			return err
		}
		var uids []any
		for _, build := range found {
			if !held[types.UID(build.uid)] {
				uids = append(uids, build.uid)
			}
		}
		if len(uids) > 0 {
			if err := do(uids); err != nil {
				return err
			}
		}
		if len(found) < batch {
			return nil
		}
		last = found[len(found)-1]
	}
}

// expireOutcomes deletes old outcomes except the last one, with which the next outcome is compared.
func (s *Store) expireOutcomes(ctx context.Context, image types.UID, confirm func() (bool, error), before int64, expired *int64) error {
	const old = " FROM outcomes WHERE image_uid = $1 AND seen < $2 AND position < (SELECT MAX(position) FROM outcomes WHERE image_uid = $1)"
	found, err := fetch(ctx, s, "read which outcomes of image "+string(image)+" to expire", func(scan scanner) (position int64, err error) {
		return position, scan(&position)
	}, "SELECT position"+old+" LIMIT 1", string(image), before)
	if err != nil || len(found) == 0 {
		return err
	}
	return s.deleteUnheld(ctx, "expire outcomes of image", image, confirm, expired, "DELETE"+old, string(image), before)
}

// expireFixes deletes old fixes by builds without a record.
func (s *Store) expireFixes(ctx context.Context, image types.UID, confirm func() (bool, error), before int64, expired *int64) error {
	const old = " FROM fixes WHERE image_uid = $1 AND until < $2 AND NOT EXISTS (SELECT 1 FROM builds WHERE builds.image_uid = $1 AND builds.number = fixes.number)"
	found, err := fetch(ctx, s, "read which fixes of image "+string(image)+" to expire", func(scan scanner) (number int64, err error) {
		return number, scan(&number)
	}, "SELECT number"+old+" LIMIT 1", string(image), before)
	if err != nil || len(found) == 0 {
		return err
	}
	return s.deleteUnheld(ctx, "expire fixes of image", image, confirm, expired, "DELETE"+old, string(image), before)
}

// expireRecord deletes the record of a deleted Image, with its journals, once none of its builds is left.
func (s *Store) expireRecord(ctx context.Context, image types.UID, confirm func() (bool, error), before int64, expired *int64) error {
	const old = " FROM images WHERE uid = $1 AND deleted < $2 AND NOT EXISTS (SELECT 1 FROM builds WHERE image_uid = $1)"
	found, err := fetch(ctx, s, "read whether image "+string(image)+" is to expire", func(scan scanner) (uid string, err error) {
		return uid, scan(&uid)
	}, "SELECT uid"+old, string(image), before)
	if err != nil || len(found) == 0 {
		return err
	}
	return s.deleteUnheld(ctx, "expire image", image, confirm, expired, "DELETE"+old, string(image), before)
}

// deleteUnheld runs a deletion as changeUnheld does.
func (s *Store) deleteUnheld(ctx context.Context, operation string, image types.UID, confirm func() (bool, error), expired *int64, statement string, args ...any) error {
	return s.changeUnheld(ctx, operation, image, confirm, expired, func(ctx context.Context, tx database) (int64, error) {
		return execute(ctx, tx, statement, args...)
	})
}

// changeUnheld runs and counts a change, unless the Image has come under legal hold meanwhile, or its rules no longer apply.
func (s *Store) changeUnheld(ctx context.Context, operation string, image types.UID, confirm func() (bool, error), expired *int64, f func(context.Context, database) (int64, error)) error {
	if confirmed, err := confirm(); err != nil || !confirmed {
		return err
	}
	var count int64
	err := s.change(ctx, operation+" "+string(image), func(ctx context.Context, tx database) error {
		count = 0
		if image != "" {
			unheld, err := lockUnheld(ctx, tx, string(image))
			if err != nil || !unheld {
				return err
			}
		}
		var err error
		count, err = f(ctx, tx)
		return err
	})
	if err == nil {
		*expired += count
	}
	return err
}
