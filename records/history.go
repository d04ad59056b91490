// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Query selects builds. A build must match every field that is set. The zero value selects all builds.
type Query struct {
	// Namespace of the builds.
	Namespace string
	// Image is the name of their Image, including earlier Images of the same name. It requires Namespace.
	Image string
	// ImageUID is the UID of their Image.
	ImageUID types.UID
	// Outcome is the phase that they are in.
	Outcome v1alpha1.BuildPhase
	// NamespaceUID limits the builds to those that belong to the namespace with this UID, and to those of the Image KnownImage. Builds
	// whose namespace is unknown are left out. Defaults to no limit.
	NamespaceUID types.UID
	// KnownImage is the UID of an Image that the caller has found in the namespace. It has no effect without NamespaceUID.
	KnownImage types.UID
	// Trigger is the trigger that started them.
	Trigger v1alpha1.TriggerReason
	// User who requested them.
	User string
	// Digest of one of their artifacts.
	Digest string
	// Node that one of their attempts ran on.
	Node string
	// Since is the earliest time of their creation.
	Since time.Time
	// Until is the time before which they were created.
	Until time.Time
	Paging
}

// Entry is a build in the history. Missing times are zero.
type Entry struct {
	Namespace      string
	Name           string
	UID            types.UID
	Image          string    // empty: a build without an Image
	ImageUID       types.UID // empty: a build without an Image
	Number         int64     // 0: a build without an Image
	Trigger        v1alpha1.TriggerReason
	TriggerMessage string
	RequestedBy    string // its first 1024 bytes
	Phase          v1alpha1.BuildPhase
	Class          v1alpha1.FailureClass
	Reason         v1alpha1.FailureReason
	Message        string // of the failure
	Attempts       int32
	Created        time.Time
	Queued         time.Time
	Started        time.Time
	Completed      time.Time
	Duration       time.Duration // from Started to Completed; 0 unless both are set
	QueueTime      time.Duration // from Queued, or else Created, to Started; 0 unless it has started
	Held           bool          // under legal hold
	Deleted        time.Time     // when the deletion of the object was observed
	OneOff         bool          // it does not count for its Image
	Revoked        *v1alpha1.Revocation
	Source         *v1alpha1.SourceRevision // nil unless it is from Git or a registry
	FailedTests    []string                 // names of the tests that gate the build and did not pass, sorted
}

// Record is the complete record of a build.
type Record struct {
	Entry
	// NamespaceUID is the UID of the namespace that the build belongs to. It is empty if it is unknown.
	NamespaceUID types.UID
	Spec         v1alpha1.ImageBuildSpec
	Status       v1alpha1.ImageBuildStatus
	// Summarized is set if the retention of the files has passed: each file has a contents.Summary instead of its content.
	Summarized bool
}

const entryColumns = "b.namespace, b.name, b.uid, b.image_name, b.image_uid, b.number, b.trigger_reason, b.trigger_message, b.requested_by, b.phase, " +
	"b.class, b.reason, b.message, b.attempts, b.created, b.queued, b.started, b.completed, b.duration, b.queue_time, b.hold, b.deleted, b.one_off, b.revocation, b.source, " +
	"(SELECT string_agg(t.name, ',' ORDER BY t.name) FROM tests t WHERE t.build_uid = b.uid AND t.gates = 1 AND t.outcome IN ('Failed', 'Error'))"

const selectRecords = "SELECT " + entryColumns + ", COALESCE(i.namespace_uid, b.namespace_uid), b.contents, d.spec, d.status " +
	"FROM builds b JOIN documents d ON d.build_uid = b.uid LEFT JOIN images i ON i.uid = b.image_uid"

// History returns builds, the newest first, by the time of creation and then by number. Builds that are created after the
// first page was read are on no later page. Errors: ErrInvalid for an invalid page.
func (s *Store) History(ctx context.Context, query Query) (*Page[Entry], error) {
	limit, err := query.limit()
	if err != nil {
		return nil, err
	}
	if query.Image != "" && query.Namespace == "" {
		return nil, fmt.Errorf("%w: set the namespace of the image", ErrInvalid)
	}
	var matching conditions
	query.add(&matching)
	asked := query
	asked.Paging = Paging{}
	var created, number int64
	var uid string
	more, err := query.readKey(question("history", asked), &created, &number, &uid)
	if err != nil {
		return nil, err
	}
	if more {
		matching.add("(b.created, b.number, b.uid) < (?, ?, ?)", created, number, uid)
	}
	text := "SELECT " + entryColumns + " FROM builds b" + matching.whereClause() + " ORDER BY b.created DESC, b.number DESC, b.uid DESC LIMIT " + matching.arg(limit)
	entries, err := fetch(ctx, s, "read the history of builds", scanEntry, text, matching.args...)
	if err != nil {
		return nil, err
	}
	return pageOf(entries, limit, question("history", asked), func(e Entry) []any { return []any{microsOrZero(e.Created), e.Number, e.UID} })
}

// add adds the query as conditions on builds b.
func (q Query) add(matching *conditions) {
	for _, c := range []struct{ condition, value string }{
		{"b.namespace = ?", q.Namespace},
		{"b.image_name = ?", q.Image},
		{"b.image_uid = ?", string(q.ImageUID)},
		{"b.phase = ?", string(q.Outcome)},
		{"b.trigger_reason = ?", string(q.Trigger)},
		{"b.requested_by = ?", indexable(q.User)},
		{"b.uid IN (SELECT build_uid FROM artifacts WHERE digest = ?)", q.Digest},
		{"b.uid IN (SELECT build_uid FROM attempts WHERE node_name = ?)", q.Node},
	} {
		if c.value != "" {
			matching.add(c.condition, c.value)
		}
	}
	if q.NamespaceUID != "" {
		matching.add("(b.image_uid = '' AND b.namespace_uid = ? OR b.image_uid <> '' AND b.image_uid = ? OR "+
			"EXISTS (SELECT 1 FROM images i WHERE i.uid = b.image_uid AND i.namespace_uid = ?))", string(q.NamespaceUID), string(q.KnownImage), string(q.NamespaceUID))
	}
	if !q.Since.IsZero() {
		matching.add("b.created >= ?", q.Since.UnixMicro())
	}
	if !q.Until.IsZero() {
		matching.add("b.created < ?", q.Until.UnixMicro())
	}
}

// Build returns the record of the build with a UID. Errors: ErrNotFound, also for a build of another namespace.
func (s *Store) Build(ctx context.Context, namespace string, uid types.UID) (*Record, error) {
	return s.build(ctx, fmt.Sprintf("read the record of build %s of namespace %s", uid, namespace), "b.uid = $2", namespace, string(uid))
}

// BuildNamed returns the record of the build with a name, the newest if there were several. Errors: ErrNotFound.
func (s *Store) BuildNamed(ctx context.Context, namespace, name string) (*Record, error) {
	return s.build(ctx, fmt.Sprintf("read the record of build %s/%s", namespace, name), "b.name = $2", namespace, name)
}

func (s *Store) build(ctx context.Context, operation, condition string, args ...any) (*Record, error) {
	text := selectRecords + " WHERE b.namespace = $1 AND " + condition +
		" ORDER BY b.created DESC, b.number DESC, b.uid DESC LIMIT 1"
	found, err := fetch(ctx, s, operation, scanRecord, text, args...)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: %w", operation, ErrNotFound)
	}
	return found[0], nil
}

func scanEntry(scan scanner) (Entry, error) {
	return scanEntryAnd(scan)
}

func scanRecord(scan scanner) (*Record, error) {
	var contents int64
	var namespace types.UID
	var spec, status string
	entry, err := scanEntryAnd(scan, &namespace, &contents, &spec, &status)
	if err != nil {
		return nil, err
	}
	record := &Record{Entry: entry, NamespaceUID: namespace}
	if err := json.Unmarshal([]byte(spec), &record.Spec); err != nil {
		return nil, fmt.Errorf("decode the spec: %w", err)
	}
	if err := json.Unmarshal([]byte(status), &record.Status); err != nil {
		return nil, fmt.Errorf("decode the status: %w", err)
	}
	record.Summarized = contents == 0 && len(filesOf(&record.Spec, &record.Status)) > 0
	return record, nil
}

func scanEntryAnd(scan scanner, more ...any) (Entry, error) {
	var e Entry
	var created, hold, oneOff int64
	var queued, started, completed, took, waited, deleted sql.NullInt64
	var revocation, source string
	var failedTests sql.NullString
	err := scan(append([]any{
		&e.Namespace, &e.Name, &e.UID, &e.Image, &e.ImageUID, &e.Number, &e.Trigger, &e.TriggerMessage, &e.RequestedBy, &e.Phase,
		&e.Class, &e.Reason, &e.Message, &e.Attempts, &created, &queued, &started, &completed, &took, &waited, &hold, &deleted, &oneOff, &revocation, &source, &failedTests,
	}, more...)...)
	if err != nil {
		return e, err
	}
	if created != 0 {
		e.Created = time.UnixMicro(created).UTC()
	}
	e.Queued, e.Started, e.Completed, e.Deleted = timeFromMicros(queued), timeFromMicros(started), timeFromMicros(completed), timeFromMicros(deleted)
	e.Duration, e.QueueTime, e.Held, e.OneOff = duration(took), duration(waited), hold != 0, oneOff != 0
	if failedTests.Valid {
		e.FailedTests = strings.Split(failedTests.String, ",") // a name has no comma
	}
	if revocation != "" {
		if err := json.Unmarshal([]byte(revocation), &e.Revoked); err != nil {
			return e, fmt.Errorf("decode the revocation: %w", err)
		}
	}
	if source != "" {
		if err := json.Unmarshal([]byte(source), &e.Source); err != nil {
			return e, fmt.Errorf("decode the source: %w", err)
		}
	}
	return e, nil
}

// Kind is a kind of recorded objects.
type Kind string

// The kinds of recorded objects.
const (
	Images Kind = "images"
	Builds Kind = "builds"
)

// Restored prepares the records for objects that may have been restored from a backup. live has the resource versions of all
// existing objects. If a greater version is recorded, it is from before the restoration, and the next write replaces it.
// Restored removes recorded deletions of existing objects. Without a restoration it changes nothing. Errors: ErrInvalid for
// an unknown kind.
func (s *Store) Restored(ctx context.Context, kind Kind, live map[types.UID]string) error {
	if kind != Images && kind != Builds {
		return fmt.Errorf("%w: there are no records of %q", ErrInvalid, kind)
	}
	for uids := range slices.Chunk(slices.Sorted(maps.Keys(live)), batch) { // sorted: two writers cannot wait for each other
		var later []string
		var args []any
		for i, uid := range uids {
			later = append(later, fmt.Sprintf("uid = $%d AND resource_version > $%d", 2*i+1, 2*i+2))
			args = append(args, string(uid), number(live[uid]))
		}
		err := s.change(ctx, "record which "+string(kind)+" were restored", func(ctx context.Context, tx database) error {
			if _, err := execute(ctx, tx, "UPDATE "+string(kind)+" SET resource_version = 0 WHERE "+strings.Join(later, " OR "), args...); err != nil {
				return err
			}
			_, err := execute(ctx, tx, "UPDATE "+string(kind)+" SET deleted = NULL WHERE deleted IS NOT NULL AND uid IN ("+placeholders(0, len(uids))+")", anySlice(uids)...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// UndeletedUIDs returns the UIDs of the records without a recorded deletion, in the order of UIDs. After an outage, the caller
// compares them with the existing objects, and calls BuildDeleted or ImageDeleted for the others. Errors: ErrInvalid for an
// unknown kind, or an invalid page.
func (s *Store) UndeletedUIDs(ctx context.Context, kind Kind, paging Paging) (*Page[types.UID], error) {
	limit, err := paging.limit()
	if err != nil {
		return nil, err
	}
	if kind != Images && kind != Builds {
		return nil, fmt.Errorf("%w: there are no records of %q", ErrInvalid, kind)
	}
	var last string
	if _, err := paging.readKey(question("undeleted", kind), &last); err != nil {
		return nil, err
	}
	uids, err := fetch(ctx, s, "list recorded "+string(kind), func(scan scanner) (uid types.UID, err error) {
		return uid, scan(&uid)
	}, "SELECT uid FROM "+string(kind)+" WHERE deleted IS NULL AND uid > $1 ORDER BY uid LIMIT $2", last, limit)
	if err != nil {
		return nil, err
	}
	return pageOf(uids, limit, question("undeleted", kind), func(uid types.UID) []any { return []any{uid} })
}
