// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Limits of notes. Only Expire deletes notes, together with the record of their Image.
const (
	// MaxNote is the maximum length of a note, in bytes.
	MaxNote = 4096
	// MaxNotes is the maximum number of notes of an Image.
	MaxNotes = 1000
)

// Note is a user's note about an Image.
type Note struct {
	// ID identifies a repeated note. It is unique for its Image and has at most 1024 bytes. Defaults to a new ID.
	ID string
	// Time of the note. Defaults to now.
	Time time.Time
	// Author is the user who wrote the note. Required.
	Author string
	// Text of the note, 1 to MaxNote bytes.
	Text string
}

// Change is a difference between a generation of an Image and the previous generation.
type Change struct {
	// Generation of the Image that has the change.
	Generation int64
	// Time of the change.
	Time time.Time
	// User who made the change.
	User string
	v1alpha1.InputChange
}

// Outcome is the outcome of reconciling an Image.
type Outcome struct {
	// Time at which the outcome was first observed. Defaults to now.
	Time time.Time
	// Reason in one word.
	Reason string
	// Message for people.
	Message string
}

// AddNote records a note about an Image, and returns the recorded note. The Image need not be recorded. Of two notes with the
// same ID, the first counts. Errors: ErrInvalid, also if the Image has MaxNotes.
func (s *Store) AddNote(ctx context.Context, image ImageKey, note Note) (*Note, error) {
	operation := fmt.Sprintf("add a note to image %s/%s", image.Namespace, image.Name)
	if note.Author == "" || note.Text == "" || len(note.Text) > MaxNote || len(note.ID) > maxIndexed {
		return nil, fmt.Errorf("%s: %w: set an author, an ID of at most %d bytes, and 1 to %d bytes of text, not %d",
			operation, ErrInvalid, maxIndexed, MaxNote, len(note.Text))
	}
	if note.ID == "" {
		note.ID = string(uuid.NewUUID())
	}
	if note.Time.IsZero() {
		note.Time = s.clock.Now()
	}
	var recorded []Note
	err := s.change(ctx, operation, func(ctx context.Context, tx database) error {
		if err := know(ctx, tx, image); err != nil {
			return err
		}
		if err := lockImage(ctx, tx, image.UID); err != nil {
			return err
		}
		_, err := execute(ctx, tx, `INSERT INTO notes (image_uid, id, written, author, body) SELECT $1, $2, $3, $4, $5
			WHERE (SELECT COUNT(*) FROM notes WHERE image_uid = $1) < $6 ON CONFLICT (image_uid, id) DO NOTHING`,
			string(image.UID), note.ID, note.Time.UnixMicro(), note.Author, note.Text, MaxNotes)
		if err != nil {
			return err
		}
		recorded, err = collect(ctx, tx, scanNote, "SELECT id, written, author, body FROM notes WHERE image_uid = $1 AND id = $2", string(image.UID), note.ID)
		if err == nil && len(recorded) == 0 {
			return fmt.Errorf("%w: the image has %d notes, the maximum: keep further notes elsewhere", ErrInvalid, MaxNotes)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &recorded[0], nil
}

// Notes returns the notes about an Image, the newest first. Errors: ErrInvalid for an invalid page.
func (s *Store) Notes(ctx context.Context, image types.UID, paging Paging) (*Page[Note], error) {
	var written int64
	var id string
	return readJournal(ctx, s, "read the notes", image, paging, scanNote, journal[Note]{
		columns: "id, written, author, body", table: "notes", order: "written DESC, id DESC",
		last: []any{&written, &id}, after: "(written, id) < (?, ?)",
		key: func(n Note) []any { return []any{n.Time.UnixMicro(), n.ID} },
	})
}

// AddChanges records the changes in a generation of an Image. The Image need not be recorded. A path that is recorded for the
// generation is not changed. Errors: ErrInvalid.
func (s *Store) AddChanges(ctx context.Context, image ImageKey, generation int64, at time.Time, user string, changes []v1alpha1.InputChange) error {
	operation := fmt.Sprintf("record the changes of generation %d of image %s/%s", generation, image.Namespace, image.Name)
	return s.change(ctx, operation, func(ctx context.Context, tx database) error {
		if err := know(ctx, tx, image); err != nil {
			return err
		}
		for some := range slices.Chunk(changes, batch) {
			var rows [][]any
			for _, change := range some {
				rows = append(rows, []any{string(image.UID), generation, indexable(change.Path), microsOrZero(at), user, change.From, change.To})
			}
			statement, args := insertion("changes", "image_uid, generation, path, changed, changed_by, value_from, value_to", rows)
			if _, err := execute(ctx, tx, statement+" ON CONFLICT (image_uid, generation, path) DO NOTHING", args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Changes returns the changes of an Image, the newest generation first, in the order of paths. Errors: ErrInvalid for an
// invalid page.
func (s *Store) Changes(ctx context.Context, image types.UID, paging Paging) (*Page[Change], error) {
	var backwards int64
	var path string
	return readJournal(ctx, s, "read the changes", image, paging, scanChange, journal[Change]{
		columns: "generation, changed, changed_by, path, value_from, value_to", table: "changes", order: "generation DESC, path",
		last: []any{&backwards, &path}, after: "(-generation, path) > (?, ?)",
		key: func(c Change) []any { return []any{-c.Generation, c.Path} },
	})
}

// AddOutcome records an outcome of reconciling an Image, if its reason or message differs from the last recorded outcome. The
// Image need not be recorded. Errors: ErrInvalid.
func (s *Store) AddOutcome(ctx context.Context, image ImageKey, outcome Outcome) error {
	if outcome.Time.IsZero() {
		outcome.Time = s.clock.Now()
	}
	return s.change(ctx, fmt.Sprintf("record an outcome of image %s/%s", image.Namespace, image.Name), func(ctx context.Context, tx database) error {
		if err := know(ctx, tx, image); err != nil {
			return err
		}
		if err := lockImage(ctx, tx, image.UID); err != nil {
			return err
		}
		type row struct {
			position        int64
			reason, message string
		}
		last, err := collect(ctx, tx, func(scan scanner) (r row, err error) {
			return r, scan(&r.position, &r.reason, &r.message)
		}, "SELECT position, reason, message FROM outcomes WHERE image_uid = $1 ORDER BY position DESC LIMIT 1", string(image.UID))
		if err != nil {
			return err
		}
		next := row{position: 1, reason: outcome.Reason, message: outcome.Message}
		args := storable([]any{next.reason, next.message})
		if len(last) > 0 {
			if args[0] == last[0].reason && args[1] == last[0].message {
				return nil
			}
			next.position = last[0].position + 1
		}
		_, err = execute(ctx, tx, "INSERT INTO outcomes (image_uid, position, seen, reason, message) VALUES ($1, $2, $3, $4, $5)",
			string(image.UID), next.position, outcome.Time.UnixMicro(), next.reason, next.message)
		return err
	})
}

// Outcomes returns the outcomes of reconciling an Image, the last first. Errors: ErrInvalid for an invalid page.
func (s *Store) Outcomes(ctx context.Context, image types.UID, paging Paging) (*Page[Outcome], error) {
	var position int64
	page, err := readJournal(ctx, s, "read the outcomes", image, paging, scanOutcome, journal[placedOutcome]{
		columns: "position, seen, reason, message", table: "outcomes", order: "position DESC",
		last: []any{&position}, after: "position < ?",
		key: func(o placedOutcome) []any { return []any{o.position} },
	})
	if err != nil {
		return nil, err
	}
	outcomes := &Page[Outcome]{Continue: page.Continue}
	for _, placed := range page.Items {
		outcomes.Items = append(outcomes.Items, placed.Outcome)
	}
	return outcomes, nil
}

// A journal is a table of items about Images: notes, changes or outcomes.
type journal[T any] struct {
	columns, table, order string
	last                  []any // pointers to the key of the last item of the previous page
	after                 string
	key                   func(T) []any
}

func readJournal[T any](ctx context.Context, s *Store, operation string, image types.UID, paging Paging, read func(scanner) (T, error), j journal[T]) (*Page[T], error) {
	limit, err := paging.limit()
	if err != nil {
		return nil, err
	}
	asked := question(j.table, image)
	more, err := paging.readKey(asked, j.last...)
	if err != nil {
		return nil, err
	}
	var matching conditions
	matching.add("image_uid = ?", string(image))
	if more {
		matching.add(j.after, dereferenced(j.last)...)
	}
	text := "SELECT " + j.columns + " FROM " + j.table + matching.whereClause() + " ORDER BY " + j.order + " LIMIT " + matching.arg(limit)
	rows, err := fetch(ctx, s, fmt.Sprintf("%s of image %s", operation, image), read, text, matching.args...)
	if err != nil {
		return nil, err
	}
	return pageOf(rows, limit, asked, j.key)
}

func dereferenced(pointers []any) []any {
	var values []any
	for _, pointer := range pointers {
		switch p := pointer.(type) {
		case *int64:
			values = append(values, *p)
		case *string:
			values = append(values, *p)
		}
	}
	return values
}

func scanNote(scan scanner) (Note, error) {
	var note Note
	var written int64
	err := scan(&note.ID, &written, &note.Author, &note.Text)
	note.Time = time.UnixMicro(written).UTC()
	return note, err
}

func scanChange(scan scanner) (Change, error) {
	var change Change
	var changed int64
	err := scan(&change.Generation, &changed, &change.User, &change.Path, &change.From, &change.To)
	change.Time = time.UnixMicro(changed).UTC()
	return change, err
}

type placedOutcome struct {
	position int64
	Outcome
}

func scanOutcome(scan scanner) (placedOutcome, error) {
	var placed placedOutcome
	var seen int64
	err := scan(&placed.position, &seen, &placed.Reason, &placed.Message)
	placed.Time = time.UnixMicro(seen).UTC()
	return placed, err
}
