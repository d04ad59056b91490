// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

func TestNotesAreReadNewestFirst(t *testing.T) {
	onEach(t, records.Options{Clock: clocktesting.NewFakePassiveClock(noon)}, func(g *WithT, ctx context.Context, store *records.Store) {
		now := valueOf(store.AddNote(ctx, debian, records.Note{Author: "jane", Text: "now"}))(g)
		g.Expect(now.ID).NotTo(BeEmpty())
		g.Expect(now.Time).To(Equal(noon))
		for i := range 5 {
			note := records.Note{ID: fmt.Sprint(i), Time: at(i + 1).Time, Author: "joe", Text: fmt.Sprint("note ", i)}
			for range 2 {
				recorded := valueOf(store.AddNote(ctx, debian, note))(g)
				g.Expect(*recorded).To(Equal(note))
			}
		}
		first := valueOf(store.AddNote(ctx, debian, records.Note{ID: "3", Author: "mallory", Text: "another"}))(g)
		g.Expect(first.Text).To(Equal("note 3"), "of two with the same ID the first counts")
		var texts []string
		paging := records.Paging{Limit: 2}
		for more := true; more; more = paging.Continue != "" {
			page := valueOf(store.Notes(ctx, debian.UID, paging))(g)
			for _, note := range page.Items {
				texts = append(texts, note.Text)
			}
			paging.Continue = page.Continue
		}
		g.Expect(texts).To(Equal([]string{"note 4", "note 3", "note 2", "note 1", "note 0", "now"}))
		g.Expect(valueOf(store.Notes(ctx, "another image", records.Paging{}))(g).Items).To(BeEmpty())
	})
}

func TestANoteHasAnAuthorAndAtMostFourKilobytes(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		longest := strings.Repeat("ä", records.MaxNote/2)
		g.Expect(valueOf(store.AddNote(ctx, debian, records.Note{Author: "jane", Text: longest}))(g).Text).To(Equal(longest))
		for name, note := range map[string]records.Note{
			"too long":       {Author: "jane", Text: longest + "!"},
			"empty":          {Author: "jane"},
			"without author": {Text: "hello"},
		} {
			_, err := store.AddNote(ctx, debian, note)
			g.Expect(err).To(MatchError(records.ErrInvalid), name)
		}
		_, err := store.AddNote(ctx, records.ImageKey{UID: "x"}, records.Note{Author: "jane", Text: "hello"})
		g.Expect(err).To(MatchError(records.ErrInvalid), "an image without a name")
	})
}

func TestThereAreOnlySoManyNotes(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		first := valueOf(store.AddNote(ctx, debian, records.Note{Author: "jane", Text: "first"}))(g)
		g.Expect(store.Execute(ctx, fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO notes (image_uid, id, written, author, body) SELECT '%s', CAST(i AS TEXT), i, 'joe', 'x' FROM n`, records.MaxNotes-3, debian.UID))).To(Succeed())
		errs := make(chan error, 8)
		for i := range cap(errs) {
			go func() {
				_, err := store.AddNote(ctx, debian, records.Note{Author: "jane", Text: fmt.Sprint(i)})
				errs <- err
			}()
		}
		var refused []error
		for range cap(errs) {
			if err := <-errs; err != nil {
				refused = append(refused, err)
			}
		}
		g.Expect(refused).To(HaveLen(cap(errs) - 2))
		g.Expect(refused).To(HaveEach(MatchError(records.ErrInvalid)))
		g.Expect(refused[0]).To(MatchError(ContainSubstring("the image has 1000 notes")))
		g.Expect(store.AddNote(ctx, debian, records.Note{ID: first.ID, Author: "jane", Text: "again"})).To(Equal(first), "it is there")
		_, err := store.AddNote(ctx, records.ImageKey{Namespace: "team", Name: "ubuntu", UID: "image-ubuntu"}, records.Note{Author: "jane", Text: "hello"})
		g.Expect(err).NotTo(HaveOccurred(), "another image")
	})
}

func TestChangesAreReadByGeneration(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		first := []v1alpha1.InputChange{{Path: "base.reference", From: "debian:11", To: "debian:12"}, {Path: "parameters[edition]", To: "server"}}
		second := []v1alpha1.InputChange{{Path: "base.reference", From: "debian:12", To: "debian:13"}}
		for range 2 {
			g.Expect(store.AddChanges(ctx, debian, 2, at(1).Time, "jane", first)).To(Succeed())
			g.Expect(store.AddChanges(ctx, debian, 3, at(0).Time, "joe", second)).To(Succeed())
		}
		g.Expect(store.AddChanges(ctx, debian, 3, at(9).Time, "mallory", []v1alpha1.InputChange{{Path: "base.reference", To: "mine"}})).To(Succeed())
		g.Expect(store.AddChanges(ctx, debian, 4, at(9).Time, "nobody", nil)).To(Succeed())
		want := []records.Change{
			{Generation: 3, Time: at(0).Time, User: "joe", InputChange: second[0]},
			{Generation: 2, Time: at(1).Time, User: "jane", InputChange: first[0]},
			{Generation: 2, Time: at(1).Time, User: "jane", InputChange: first[1]},
		}
		var got []records.Change
		paging := records.Paging{Limit: 1}
		for more := true; more; more = paging.Continue != "" {
			page := valueOf(store.Changes(ctx, debian.UID, paging))(g)
			got, paging.Continue = append(got, page.Items...), page.Continue
		}
		g.Expect(got).To(Equal(want))
	})
}

func TestOutcomesAreRecordedWhenTheyChange(t *testing.T) {
	onEach(t, records.Options{Clock: clocktesting.NewFakePassiveClock(noon)}, func(g *WithT, ctx context.Context, store *records.Store) {
		ready, broken := records.Outcome{Reason: "BuildSucceeded", Message: "a"}, records.Outcome{Reason: "BaseNotFound", Message: "b"}
		said := records.Outcome{Reason: "BaseNotFound", Message: "c", Time: at(-60).Time} // by a clock that jumped
		for _, outcome := range []records.Outcome{ready, ready, broken, broken, said, said, ready} {
			g.Expect(store.AddOutcome(ctx, debian, outcome)).To(Succeed())
		}
		ready.Time, broken.Time = noon, noon
		var got []records.Outcome
		paging := records.Paging{Limit: 3}
		for more := true; more; more = paging.Continue != "" {
			page := valueOf(store.Outcomes(ctx, debian.UID, paging))(g)
			got, paging.Continue = append(got, page.Items...), page.Continue
		}
		g.Expect(got).To(Equal([]records.Outcome{ready, said, broken, ready}))
	})
}

func TestOnlyWhatIsNewerReplacesAnImage(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		put := func(version string, generation int64, label string) {
			image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{
				Namespace: "team", Name: "debian", UID: debian.UID, ResourceVersion: version, Generation: generation,
				CreationTimestamp: at(0), Labels: map[string]string{v1alpha1.LabelLegalHold: label},
			}}
			g.Expect(store.PutImage(ctx, image)).To(Succeed())
		}
		is := func(generation, hold int64) {
			g.Expect(store.Count(ctx, "SELECT generation FROM images")).To(Equal(generation))
			g.Expect(store.Count(ctx, "SELECT hold FROM images")).To(Equal(hold))
		}
		g.Expect(store.PutBuild(ctx, newBuild(debian, 1, 0))).To(Succeed(), "which knows the image by its name only")
		put("10", 1, "true")
		is(1, 1)
		put("20", 2, "true")
		is(2, 1)
		put("15", 1, "false")
		is(2, 1)
		put("30", 3, "false")
		is(3, 0)
		put("20", 2, "true")
		is(3, 1)
		put("30", 3, "false")
		is(3, 0)
		g.Expect(store.Count(ctx, "SELECT created FROM images")).To(Equal(noon.UnixMicro()))
		g.Expect(store.PutImage(ctx, &v1alpha1.Image{})).To(MatchError(records.ErrInvalid))
		g.Expect(store.ImageDeleted(ctx, debian.UID, time.Time{})).To(Succeed())
		g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM images WHERE deleted > $1", noon.UnixMicro())).To(Equal(int64(1)), "since now")
	})
}
