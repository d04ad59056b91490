// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/util/dryrun"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/records"
)

const notesResource = "images/notes"

// notesREST is the notes subresource: users' notes about an Image. Notes are only in the database.
type notesREST struct {
	*subresource.View[v1alpha1.ImageJournalOptions, *v1alpha1.ImageJournalOptions]
	create *subresource.Action[v1alpha1.ImageNote, *v1alpha1.ImageNote]
}

var (
	_ rest.GetterWithOptions = &notesREST{}
	_ rest.NamedCreater      = &notesREST{}
	_ rest.StorageMetadata   = &notesREST{}
)

func newNotesREST(r *recorded) *notesREST {
	return &notesREST{
		View:   subresource.NewView(notesResource, &v1alpha1.ImageNote{}, v1alpha1.ImageNoteList{}, r.notes),
		create: subresource.NewAction(notesResource, v1alpha1.ImageNote{}, r.checkNote, r.addNote),
	}
}

// ProducesObject returns the types of the answers: notes are read as a list, and created one by one.
func (n *notesREST) ProducesObject(verb string) any {
	if verb == http.MethodGet {
		return n.View.ProducesObject(verb)
	}
	return n.create.ProducesObject(verb)
}

// Create records a note.
func (n *notesREST) Create(ctx context.Context, name string, object runtime.Object, admit rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	return n.create.Create(ctx, name, object, admit, options)
}

// notes returns a page of the notes about an Image.
func (r *recorded) notes(ctx context.Context, name string, options *v1alpha1.ImageJournalOptions) (runtime.Object, error) {
	store, subject, paging, err := r.openJournal(ctx, notesResource, name, options)
	if err != nil {
		return nil, err
	}
	answer := &v1alpha1.ImageNoteList{Items: []v1alpha1.ImageNote{}}
	if store == nil {
		return answer, nil
	}
	page, err := store.Notes(ctx, subject.UID, paging)
	if err != nil {
		return nil, Error(err, notesResource, name)
	}
	for i := range page.Items {
		answer.Items = append(answer.Items, *noteOf(subject, &page.Items[i]))
	}
	answer.Continue = page.Continue
	return answer, nil
}

// checkNote refuses invalid notes, and sets the fields of the server before admission.
func (r *recorded) checkNote(ctx context.Context, name string, note *v1alpha1.ImageNote) error {
	if err := subresource.Invalid(v1alpha1.Kind("ImageNote").GroupKind(), name, ValidateNote(note, name)); err != nil {
		return err
	}
	note.NoteRecord = Note(&records.Note{ID: note.ID, Time: r.clock.Now(), Author: resources.UserName(ctx), Text: note.Text})
	return nil
}

// addNote records a note of the user of the request, and returns the recorded note. Of two notes with the same id, the first
// counts.
func (r *recorded) addNote(ctx context.Context, name string, note *v1alpha1.ImageNote, options *metav1.CreateOptions) (runtime.Object, error) {
	wanted := &records.Note{ID: note.ID, Time: note.Time.Time, Author: note.Author, Text: note.Text}
	store, err := r.database.Store()
	switch {
	case err != nil:
		return nil, Error(err, notesResource, name)
	case store == nil:
		return nil, NoDatabaseError(notesResource, name, "created")
	}
	subject, err := r.find(ctx, store, notesResource, name, "")
	if err != nil {
		return nil, err
	}
	if dryrun.IsDryRun(options.DryRun) {
		return noteOf(subject, wanted), nil
	}
	recorded, err := store.AddNote(ctx, subject.key(), *wanted)
	switch {
	case err != nil:
		return nil, Error(err, notesResource, name)
	case recorded.Author != wanted.Author: // the error does not name the author, whom the user may not be permitted to see
		return nil, apierrors.NewConflict(v1alpha1.Resource(notesResource), name, errors.New("the id belongs to a note of another user: choose a new id"))
	}
	return noteOf(subject, recorded), nil
}

func noteOf(subject *subject, recorded *records.Note) *v1alpha1.ImageNote {
	return &v1alpha1.ImageNote{
		ObjectMeta: metav1.ObjectMeta{Namespace: subject.Namespace, Name: subject.Name},
		NoteRecord: Note(recorded),
	}
}
