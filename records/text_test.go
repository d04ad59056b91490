// SPDX-License-Identifier: Apache-2.0

package records_test

import (
	"context"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/records"
)

// texts that have gone wrong somewhere.
func texts() map[string]string {
	return map[string]string{
		"SQL":           `'); DROP TABLE builds; --`,
		"more SQL":      `" OR 1=1; $1 $2 ? :name @p1 %s \' \\ /* `,
		"NUL":           "a\x00b",
		"invalid UTF-8": "a\xff\xfe\xc3(b",
		"surrogate":     "a\xed\xa0\x80b",
		"Unicode":       "Zürich 東京 🏗 e\u0301 \u202e",
		"newlines":      "one\r\ntwo\n\tthree\v\f\x1b[31m",
		"placeholders":  "$1, $2, $3",
		"JSON":          `{"a": "\u0000", "b": null}`,
		"long":          strings.Repeat("long ", 20000),
	}
}

func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

func TestEveryTextComesBackOrIsMadeStorable(t *testing.T) {
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		for name, text := range texts() {
			image := records.ImageKey{Namespace: "team", Name: storable(text), UID: types.UID("image of " + name)}
			build := ran(newBuild(image, 1, 0), v1alpha1.BuildFailed, 1, 2)
			fillText(reflect.ValueOf(&build.Spec).Elem(), text)
			fillText(reflect.ValueOf(&build.Status).Elem(), text)
			build.Spec.ImageRef.UID, build.UID = image.UID, types.UID("build of "+name)
			build.Name, build.Namespace = text, text
			build.Status.Phase = v1alpha1.BuildFailed
			build.Status.Artifacts = []v1alpha1.Artifact{{Target: text, Digest: text, MediaType: text}}
			g.Expect(store.PutBuild(ctx, build)).To(Succeed(), name)

			page, err := store.History(ctx, records.Query{
				Namespace: text, Image: text, ImageUID: image.UID, Trigger: v1alpha1.TriggerReason(text), User: text, Digest: text, Node: text,
			})
			g.Expect(err).NotTo(HaveOccurred(), name)
			g.Expect(page.Items).To(HaveLen(1), name)
			e := page.Items[0]
			for field, got := range map[string]string{
				"namespace": e.Namespace, "name": e.Name, "image": e.Image, "trigger": string(e.Trigger), "trigger message": e.TriggerMessage,
				"user": e.RequestedBy, "class": string(e.Class), "reason": string(e.Reason), "message": e.Message,
			} {
				if field == "user" {
					g.Expect(got).To(Equal(storable(first(text, 1024))), "%s: %s", name, field)
					continue
				}
				g.Expect(got).To(Equal(storable(text)), "%s: %s", name, field)
			}
			record, err := store.Build(ctx, text, build.UID)
			g.Expect(err).NotTo(HaveOccurred(), name)
			// Fields that are stored as JSON keep a NUL, but no field keeps invalid UTF-8.
			valid := strings.ToValidUTF8(text, "\uFFFD")
			if valid == text {
				g.Expect(record.Spec).To(BeComparableTo(build.Spec), name)
				g.Expect(record.Status).To(BeComparableTo(build.Status), name)
			}

			journalsKeep(ctx, g, store, image, name, text)
			_, err = store.ImageStats(ctx, records.ImageStatsQuery{Namespace: text, Images: []types.UID{types.UID(text)}})
			g.Expect(err).NotTo(HaveOccurred(), name)
			g.Expect(store.BuildDeleted(ctx, types.UID(text), noon)).To(Succeed(), name)
		}
		g.Expect(store.Count(ctx, "SELECT COUNT(*) FROM builds")).To(Equal(int64(len(texts()))))
	})
}

// journalsKeep writes a text wherever an image has one.
func journalsKeep(ctx context.Context, g *WithT, store *records.Store, image records.ImageKey, name, text string) {
	note, err := store.AddNote(ctx, image, records.Note{ID: first(text, 1024), Author: text, Text: first(text, records.MaxNote)})
	g.Expect(err).NotTo(HaveOccurred(), name)
	g.Expect([]string{note.ID, note.Author, note.Text}).To(HaveExactElements(
		storable(first(text, 1024)), storable(text), storable(first(text, records.MaxNote))), name)
	change := v1alpha1.InputChange{Path: text, From: text, To: text}
	g.Expect(store.AddChanges(ctx, image, 1, noon, text, []v1alpha1.InputChange{change})).To(Succeed(), name)
	changes, err := store.Changes(ctx, image.UID, records.Paging{})
	g.Expect(err).NotTo(HaveOccurred(), name)
	g.Expect(changes.Items).To(HaveLen(1), name)
	g.Expect(changes.Items[0].User+changes.Items[0].To).To(Equal(storable(text)+storable(text)), name)
	for range 2 {
		g.Expect(store.AddOutcome(ctx, image, records.Outcome{Reason: text, Message: text})).To(Succeed(), name)
	}
	outcomes, err := store.Outcomes(ctx, image.UID, records.Paging{})
	g.Expect(err).NotTo(HaveOccurred(), name)
	g.Expect(outcomes.Items).To(HaveLen(1), name)
	g.Expect(outcomes.Items[0].Message).To(Equal(storable(text)), name)

}

func first(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	return strings.ToValidUTF8(text[:bytes], "")
}

// The names are random, because PostgreSQL compresses other long names until they fit an index.
func TestNamesOfUsersMayBeLong(t *testing.T) {
	random := make([]rune, 5000)
	for i := range random {
		random[i] = rune(0x4e00 + rand.IntN(20000))
	}
	user := string(random)
	onEach(t, records.Options{}, func(g *WithT, ctx context.Context, store *records.Store) {
		build := newBuild(debian, 1, 0)
		build.Spec.Trigger.RequestedBy, build.Spec.Trigger.Message = user, user
		g.Expect(store.PutBuild(ctx, build)).To(Succeed())
		page := valueOf(store.History(ctx, records.Query{User: user}))(g)
		g.Expect(page.Items).To(HaveLen(1))
		g.Expect(page.Items[0].RequestedBy).To(Equal(string(random[:341])), "1023 bytes")
		g.Expect(page.Items[0].TriggerMessage).To(Equal(user))
		g.Expect(store.AddChanges(ctx, debian, 1, noon, user, []v1alpha1.InputChange{{Path: user, From: user, To: user}})).To(Succeed())
		g.Expect(store.AddNote(ctx, debian, records.Note{Author: user, Text: "hello"})).Error().NotTo(HaveOccurred())
		g.Expect(errorOf(store.AddNote(ctx, debian, records.Note{ID: user, Author: user, Text: "hello"}))).To(MatchError(records.ErrInvalid))
		g.Expect(store.AddOutcome(ctx, debian, records.Outcome{Reason: user, Message: user})).To(Succeed())
	})
}

// fillText sets every text that is there, and what is behind pointers and in lists.
func fillText(value reflect.Value, text string) {
	switch value.Kind() {
	case reflect.String:
		value.SetString(text)
	case reflect.Pointer:
		if !value.IsNil() {
			fillText(value.Elem(), text)
		}
	case reflect.Struct:
		for i := range value.NumField() {
			if value.Field(i).CanSet() && value.Type().Field(i).Name != "Time" {
				fillText(value.Field(i), text)
			}
		}
	case reflect.Slice:
		for i := range value.Len() {
			fillText(value.Index(i), text)
		}
	}
}
