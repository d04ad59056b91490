// SPDX-License-Identifier: Apache-2.0

package records

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// statistics are tables of figures by Image, computed from a table "done" of finished builds. That table is materialized, because
// SQLite would otherwise select the builds four times.
//
//go:embed stats.sql
var statistics string

// Window is a time range. Builds count in the window in which they finished.
type Window struct {
	// Since is the begin of the window. Defaults to no limit.
	Since time.Time
	// Until is the end of the window, exclusive. Defaults to no limit.
	Until time.Time
}

// Stats are figures of finished builds.
type Stats struct {
	// Builds that have finished: the sum of the next three.
	Builds    int64
	Succeeded int64
	Failed    int64
	Cancelled int64
	// Retried is the number of builds that succeeded or failed with more than one attempt.
	Retried int64
	// OneOffs is the number of finished one-off builds, which no other figure counts.
	OneOffs int64
	// Failures is the number of failed builds by the class of their failure. Classes without failures are omitted.
	Failures map[v1alpha1.FailureClass]int64
	// Duration of the builds that succeeded, from start to completion.
	Duration Percentiles
	// QueueTime of the builds that started: the time until their start.
	QueueTime Percentiles
	// Recoveries is how often a build succeeded after failed builds of its Image.
	Recoveries int64
	// TimeToRecovery is the mean time from the end of the first failed build to the end of the next build that succeeded. Failures
	// before the window and cancelled builds do not count.
	TimeToRecovery time.Duration
}

// Percentiles are percentiles of the durations of Count builds: half of the builds took no longer than P50, and nine of ten
// no longer than P90. Both are durations of actual builds, to the microsecond. They are 0 if Count is 0.
type Percentiles struct {
	Count int64
	P50   time.Duration
	P90   time.Duration
}

// TestStats are figures of the tests of one name.
type TestStats struct {
	Name string
	// Builds in which the test ended: the sum of the next four.
	Builds int64
	Passed int64
	Flaky  int64
	Failed int64
	Errors int64
	// Duration is the median of the tests that passed at their first run.
	Duration time.Duration
}

// ImageStats are the Stats of one Image.
type ImageStats struct {
	Image ImageKey
	// NamespaceUID is the UID of the namespace that the Image belongs to. It is empty if it is unknown.
	NamespaceUID types.UID
	// Deleted is when the deletion of the Image was observed. It is zero if the Image was not deleted.
	Deleted time.Time
	Stats
}

// ImageStatsQuery selects Images for ImageStats.
type ImageStatsQuery struct {
	// Namespace of the Images. Defaults to all.
	Namespace string
	// Images are the UIDs of the Images, at most MaxLimit. Defaults to all.
	Images []types.UID
	// Deleted is whether deleted Images are included.
	Deleted bool
	Window
	Paging
}

// failureClasses in the order of the columns of their counts.
func failureClasses() []v1alpha1.FailureClass {
	return []v1alpha1.FailureClass{
		v1alpha1.FailureUser, v1alpha1.FailureTest, v1alpha1.FailureConfig, v1alpha1.FailureInfrastructure, v1alpha1.FailureRegistry, v1alpha1.FailureTimeout,
	}
}

// ImageStats returns the figures of each recorded Image, in the order of namespace and name, with one query for a page. It
// includes Images without builds in the window. Errors: ErrInvalid for an invalid page, and context.DeadlineExceeded if more
// builds finished in the window than can be counted in time, which a shorter window avoids.
func (s *Store) ImageStats(ctx context.Context, query ImageStatsQuery) (*Page[ImageStats], error) {
	limit, err := query.limit()
	if err != nil {
		return nil, err
	}
	asked := query
	asked.Paging = Paging{}
	var last ImageKey
	more, err := query.readKey(question("reports", asked), &last.Namespace, &last.Name, &last.UID)
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
		matching.addIn("uid", anySlice(query.Images))
	}
	if !query.Deleted {
		matching.add("deleted IS NULL")
	}
	if more {
		matching.add("(namespace, name, uid) > (?, ?, ?)", last.Namespace, last.Name, string(last.UID))
	}
	page := "SELECT uid, namespace, name, namespace_uid, deleted FROM images" + matching.whereClause() + " ORDER BY namespace, name, uid LIMIT " + matching.arg(limit)
	matching.all = []string{"b.image_uid IN (SELECT uid FROM page)"}
	query.add(&matching)
	text := "WITH page AS (" + page + "), done AS MATERIALIZED (SELECT " + countedColumns + " FROM builds b" + matching.whereClause() + "), " + statistics +
		"SELECT page.namespace, page.name, page.uid, page.namespace_uid, page.deleted, " + figureColumns() + figureTables + " ORDER BY page.namespace, page.name, page.uid"
	stats, err := fetch(ctx, s, "report on images", scanImageStats, text, matching.args...)
	if err != nil {
		return nil, err
	}
	return pageOf(stats, limit, question("reports", asked), func(r ImageStats) []any {
		return []any{r.Image.Namespace, r.Image.Name, r.Image.UID}
	})
}

// maxTests is how many names of tests TestStats returns.
const maxTests = 64

// TestStats returns the figures of the tests of an Image in the order of their names. One-off builds do not count. Of many names it returns
// those that ended last.
func (s *Store) TestStats(ctx context.Context, image types.UID, window Window) ([]TestStats, error) {
	var matching conditions
	matching.add("b.image_uid = ?", string(image))
	matching.add("b.one_off = 0")
	window.add(&matching)
	text := "WITH ended AS (SELECT t.name, t.outcome, t.duration, b.completed, ROW_NUMBER() OVER (PARTITION BY t.name, t.outcome ORDER BY t.duration) AS place, " +
		"COUNT(*) OVER (PARTITION BY t.name, t.outcome) AS total FROM builds b JOIN tests t ON t.build_uid = b.uid" + matching.whereClause() + ") " +
		"SELECT name, COUNT(*), " + outcomes(v1alpha1.TestPassed, v1alpha1.TestFlaky, v1alpha1.TestFailed, v1alpha1.TestError) +
		"COALESCE(MIN(CASE WHEN outcome = 'Passed' AND place * 2 >= total THEN duration END), 0) " +
		"FROM ended GROUP BY name ORDER BY MAX(completed) DESC, name LIMIT " + matching.arg(maxTests)
	tests, err := fetch(ctx, s, "count the tests of image "+string(image), func(scan scanner) (t TestStats, err error) {
		var median int64
		err = scan(&t.Name, &t.Builds, &t.Passed, &t.Flaky, &t.Failed, &t.Errors, &median)
		t.Duration = time.Duration(median) * time.Microsecond
		return t, err
	}, text, matching.args...)
	slices.SortFunc(tests, func(a, b TestStats) int { return cmp.Compare(a.Name, b.Name) })
	return tests, err
}

// outcomes are columns that count tests by their outcome.
func outcomes(of ...v1alpha1.TestOutcome) (columns string) {
	for _, outcome := range of {
		columns += "SUM(CASE WHEN outcome = '" + string(outcome) + "' THEN 1 ELSE 0 END), "
	}
	return columns
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

// countedColumns are the columns of a build that statistics need. They are few, because all builds of a window are in memory
// at once.
const countedColumns = "b.uid, b.image_uid, b.number, b.phase, b.class, b.attempts, b.completed, b.duration, b.queue_time, b.one_off"

const figureTables = ` FROM page
	LEFT JOIN counts ON counts.image_uid = page.uid
	LEFT JOIN one_offs ON one_offs.image_uid = page.uid
	LEFT JOIN durations ON durations.image_uid = page.uid
	LEFT JOIN waits ON waits.image_uid = page.uid
	LEFT JOIN recoveries ON recoveries.image_uid = page.uid`

// figureColumns are the columns that scanImageStats reads after the columns of the Image.
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
		&r.Image.Namespace, &r.Image.Name, &r.Image.UID, &r.NamespaceUID, &deleted, &r.Builds, &r.Succeeded, &r.Failed, &r.Cancelled, &r.Retried, &r.OneOffs,
		&r.Duration.Count, &p50, &p90, &r.QueueTime.Count, &waited50, &waited90, &r.Recoveries, &recovery,
	}
	for i := range failed {
		columns = append(columns, &failed[i])
	}
	if err := scan(columns...); err != nil {
		return ImageStats{}, err
	}
	r.Deleted = timeFromMicros(deleted)
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
