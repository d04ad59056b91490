// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// statistics are tables of figures by Image, made of a table "done" of finished builds. That one is materialized: SQLite
// would look for the builds four times.
//
//go:embed stats.sql
var statistics string

// Window is a stretch of time. Builds count where they have finished.
type Window struct {
	// Since is its begin. Defaults to no limit.
	Since time.Time
	// Until is its end, which is not in it. Defaults to no limit.
	Until time.Time
}

// Stats are figures of builds that have finished.
type Stats struct {
	// Builds that have finished: the sum of the next three.
	Builds    int64
	Succeeded int64
	Failed    int64
	Cancelled int64
	// Retried is how many of them had more than one attempt.
	Retried int64
	// OneOffs is how many one-off builds have finished, which no other figure counts.
	OneOffs int64
	// Failures is how many have failed by the class of their failure. Classes without any are not in it.
	Failures map[v1alpha1.FailureClass]int64
	// Duration of those that succeeded, from start to completion.
	Duration Percentiles
	// QueueTime of those that started: how long they waited for it.
	QueueTime Percentiles
	// Recoveries is how often an Image was built again after its builds had failed.
	Recoveries int64
	// TimeToRecovery is the mean of the times that this took, from the end of the first build that failed to the end of
	// the next one that succeeded. What failed before the window is not seen; cancelled builds change nothing.
	TimeToRecovery time.Duration
}

// Percentiles are of the durations of Count builds: half of them took no longer than P50, nine of ten no longer than P90.
// Both are durations that there were, to the microsecond, and 0 where Count is.
type Percentiles struct {
	Count int64
	P50   time.Duration
	P90   time.Duration
}

// ImageStats are the Stats of one Image.
type ImageStats struct {
	Image ImageKey
	// Deleted is when the Image was seen to be gone, zero if it was not.
	Deleted time.Time
	Stats
}

// ImageStatsQuery says of which Images Stats are wanted.
type ImageStatsQuery struct {
	// Namespace of the Images. Defaults to all.
	Namespace string
	// Images are the UIDs of those that are wanted, at most MaxLimit. Defaults to all.
	Images []types.UID
	// Deleted says that Images which are gone are wanted as well.
	Deleted bool
	Window
	Paging
}

// failureClasses in the order of the columns of their counts.
func failureClasses() []v1alpha1.FailureClass {
	return []v1alpha1.FailureClass{
		v1alpha1.FailureUser, v1alpha1.FailureConfig, v1alpha1.FailureInfrastructure, v1alpha1.FailureRegistry, v1alpha1.FailureTimeout,
	}
}

// ImageStats returns the figures of each Image that there is a record of, in the order of namespace and name, with one query
// for a page. Images without builds in the window are among them. Errors: ErrInvalid for a page that is none,
// context.DeadlineExceeded where more builds finished in the window than can be counted in time: a shorter one helps.
func (s *Store) ImageStats(ctx context.Context, query ImageStatsQuery) (*Page[ImageStats], error) {
	limit, err := query.limit()
	if err != nil {
		return nil, err
	}
	asked := query
	asked.Paging = Paging{}
	var last ImageKey
	more, err := query.after(question("reports", asked), &last.Namespace, &last.Name, &last.UID)
	if err != nil {
		return nil, err
	}
	var matching conditions
	if query.Namespace != "" {
		matching.add("namespace = ?", query.Namespace)
	}
	if len(query.Images) > MaxLimit {
		return nil, fmt.Errorf("%w: a report covers at most %d images, not %d", ErrInvalid, MaxLimit, len(query.Images))
	}
	if len(query.Images) > 0 {
		var uids []any
		for _, uid := range query.Images {
			uids = append(uids, string(uid))
		}
		matching.add("uid IN ("+strings.TrimSuffix(strings.Repeat("?, ", len(uids)), ", ")+")", uids...)
	}
	if !query.Deleted {
		matching.add("deleted IS NULL")
	}
	if more {
		matching.add("(namespace, name, uid) > (?, ?, ?)", last.Namespace, last.Name, string(last.UID))
	}
	page := "SELECT uid, namespace, name, deleted FROM images" + matching.where() + " ORDER BY namespace, name, uid LIMIT " + matching.arg(limit)
	matching.all = []string{"b.image_uid IN (SELECT uid FROM page)"}
	query.add(&matching)
	text := "WITH page AS (" + page + "), done AS MATERIALIZED (SELECT " + countedColumns + " FROM builds b" + matching.where() + "), " + statistics +
		"SELECT page.namespace, page.name, page.uid, page.deleted, " + figureColumns() + figureTables + " ORDER BY page.namespace, page.name, page.uid"
	stats, err := fetch(ctx, s, "report on images", scanImageStats, text, matching.args...)
	if err != nil {
		return nil, err
	}
	return pageOf(stats, limit, question("reports", asked), func(r ImageStats) []any {
		return []any{r.Image.Namespace, r.Image.Name, r.Image.UID}
	})
}

// add adds the window as conditions on builds b.
func (w Window) add(matching *conditions) {
	matching.add("b.finished = 1")
	if !w.Since.IsZero() {
		matching.add("b.completed >= ?", w.Since.UnixMicro())
	}
	if !w.Until.IsZero() {
		matching.add("b.completed < ?", w.Until.UnixMicro())
	}
}

// countedColumns are those that statistics need of a build, and no more: all builds of a window are held at once.
const countedColumns = "b.uid, b.image_uid, b.number, b.phase, b.class, b.attempts, b.completed, b.duration, b.queue_time, b.one_off"

const figureTables = ` FROM page
	LEFT JOIN counts ON counts.image_uid = page.uid
	LEFT JOIN one_offs ON one_offs.image_uid = page.uid
	LEFT JOIN durations ON durations.image_uid = page.uid
	LEFT JOIN waits ON waits.image_uid = page.uid
	LEFT JOIN recoveries ON recoveries.image_uid = page.uid`

// figureColumns are those that scanImageStats reads after the ones of the Image.
func figureColumns() string {
	columns := []string{
		"counts.builds", "counts.succeeded", "counts.failed", "counts.cancelled", "counts.retried", "one_offs.count", "durations.count", "durations.p50", "durations.p90",
		"waits.count", "waits.p50", "waits.p90", "recoveries.count", "recoveries.total",
	}
	for _, class := range failureClasses() {
		columns = append(columns, "counts.failed_"+strings.ToLower(string(class)))
	}
	for i, column := range columns {
		columns[i] = "COALESCE(" + column + ", 0)"
	}
	return strings.Join(columns, ", ")
}

func scanImageStats(scan scanner) (ImageStats, error) {
	var r ImageStats
	var deleted sql.NullInt64
	var p50, p90, waited50, waited90, recovery int64
	classes := failureClasses()
	failed := make([]int64, len(classes))
	columns := []any{
		&r.Image.Namespace, &r.Image.Name, &r.Image.UID, &deleted, &r.Builds, &r.Succeeded, &r.Failed, &r.Cancelled, &r.Retried, &r.OneOffs,
		&r.Duration.Count, &p50, &p90, &r.QueueTime.Count, &waited50, &waited90, &r.Recoveries, &recovery,
	}
	for i := range failed {
		columns = append(columns, &failed[i])
	}
	if err := scan(columns...); err != nil {
		return ImageStats{}, err
	}
	r.Deleted = stored(deleted)
	r.Duration.P50, r.Duration.P90 = time.Duration(p50)*time.Microsecond, time.Duration(p90)*time.Microsecond
	r.QueueTime.P50, r.QueueTime.P90 = time.Duration(waited50)*time.Microsecond, time.Duration(waited90)*time.Microsecond
	if r.Recoveries > 0 {
		r.TimeToRecovery = time.Duration(recovery/r.Recoveries) * time.Microsecond
	}
	r.Failures = map[v1alpha1.FailureClass]int64{}
	for i, class := range classes {
		if failed[i] > 0 {
			r.Failures[class] = failed[i]
		}
	}
	return r, nil
}
