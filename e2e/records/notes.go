// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/cluster"
)

func describeNotesAndChanges(w *fixture) {
	It("are noted on by people, whom the server names, once for each note", func(ctx SpecContext) {
		image := w.CreateImage(ctx, cluster.NewImage("web", "edition=1"))
		texts := []string{"withdrawn: CVE-2026-0001", "'); DROP TABLE notes; --", "zwei\nZeilen", strings.Repeat("ä", 2048)}
		for i, text := range texts {
			note, err := w.note(ctx, "web", v1alpha1.NoteRecord{ID: string(rune('a' + i)), Text: text, Author: "somebody else"})
			Expect(err).NotTo(HaveOccurred())
			Expect(note.Author).NotTo(Or(BeEmpty(), Equal("somebody else")))
			Expect(note.Time).NotTo(BeNil())
		}
		again, err := w.note(ctx, "web", v1alpha1.NoteRecord{ID: "a", Text: "something else"})
		Expect(err).NotTo(HaveOccurred())
		Expect(again.Text).To(Equal(texts[0]), "the same note, sent again")

		notes := &v1alpha1.ImageNoteList{}
		Expect(w.read(ctx, "web", "notes", nil, notes)).To(Succeed())
		Expect(notes.Items).To(HaveLen(len(texts)))
		Expect(notes.Items[0].Text).To(Equal(texts[3]), "the newest first")
		Expect(notes.Items[1].Text).To(Equal(texts[2]))
		Expect(notes.Items[2].Text).To(Equal(texts[1]))
		first := &v1alpha1.ImageNoteList{}
		Expect(w.read(ctx, "web", "notes", parameters{"limit": "3"}, first)).To(Succeed())
		rest := &v1alpha1.ImageNoteList{}
		Expect(w.read(ctx, "web", "notes", parameters{"limit": "3", "continue": first.Continue}, rest)).To(Succeed())
		Expect(rest.Items).To(ConsistOf(HaveField("Text", texts[0])))

		for _, text := range []string{"", "a\x00b", strings.Repeat("a", 4097)} {
			_, err := w.note(ctx, "web", v1alpha1.NoteRecord{Text: text})
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%.10q: %v", text, err)
		}
		_, err = w.note(ctx, "nothing", v1alpha1.NoteRecord{Text: "of nothing"})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)

		Expect(w.Images().Delete(ctx, "web", metav1.DeleteOptions{})).To(Succeed())
		w.Eventually(ctx, func(ctx context.Context) error {
			return w.read(ctx, "web", "notes", parameters{"uid": string(image.UID)}, notes)
		}).Should(Succeed())
		Expect(notes.Items).To(HaveLen(len(texts)))
	})

	It("are of an image whose changes are recorded, with who made them", func(ctx SpecContext) {
		w.CreateImage(ctx, cluster.NewImage("web", "edition=1"))
		w.recorded(ctx, "web-1", "True/Recorded")
		w.ChangeImage(ctx, "web", func(image *v1alpha1.Image) {
			withInputs("edition=2'; --")(image)
			image.Spec.Suspend = new(true)
		})
		changes := &v1alpha1.ImageChanges{}
		w.Eventually(ctx, func(ctx context.Context) ([]v1alpha1.ImageChange, error) {
			err := w.read(ctx, "web", "changes", nil, changes)
			return changes.Items, err
		}).Should(ConsistOf(
			And(HaveField("Path", ContainSubstring("edition")), HaveField("From", "1"), HaveField("To", "2'; --")),
			And(HaveField("Path", "suspend"), HaveField("To", "true")),
		))
		Expect(changes.Items).To(HaveEach(And(HaveField("User", Not(BeEmpty())), HaveField("Time", Not(BeNil())), HaveField("Generation", int64(2)))))
	})
}
