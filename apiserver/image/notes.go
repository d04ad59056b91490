// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/util/dryrun"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/history"
	"goldsmith.dev/goldsmith/apiserver/images"
	"goldsmith.dev/goldsmith/apiserver/images/validation"
	"goldsmith.dev/goldsmith/records"
)

const notesResource = "images/notes"

// notesREST is the notes subresource: what people noted about an Image. Notes are in the database only.
type notesREST struct{ *recorded }

var (
	_ rest.GetterWithOptions = &notesREST{}
	_ rest.NamedCreater      = &notesREST{}
	_ rest.StorageMetadata   = &notesREST{}
)

// New returns an empty ImageNote.
func (r *notesREST) New() runtime.Object { return &images.ImageNote{} }

// Destroy does nothing: the storage is the main resource's, which closes it.
func (r *notesREST) Destroy() {}

// NewGetOptions returns the type of the query parameters.
func (r *notesREST) NewGetOptions() (options runtime.Object, subpath bool, subpathName string) {
	return &images.ImageJournalOptions{}, false, ""
}

// ProducesMIMETypes adds none.
func (r *notesREST) ProducesMIMETypes(string) []string { return nil }

// ProducesObject says that notes are read as a list, and created one by one.
func (r *notesREST) ProducesObject(verb string) any {
	if verb == http.MethodGet {
		return v1alpha1.ImageNoteList{}
	}
	return v1alpha1.ImageNote{}
}

// Get returns a page of the notes about an Image.
func (r *notesREST) Get(ctx context.Context, name string, object runtime.Object) (runtime.Object, error) {
	store, subject, paging, err := r.openJournal(ctx, notesResource, name, object)
	if err != nil {
		return nil, err
	}
	answer := &images.ImageNoteList{Items: []images.ImageNote{}}
	if store == nil {
		return answer, nil
	}
	page, err := store.Notes(ctx, subject.UID, paging)
	if err != nil {
		return nil, history.Error(err, notesResource, name)
	}
	for i := range page.Items {
		answer.Items = append(answer.Items, *noteOf(subject, &page.Items[i]))
	}
	answer.Continue = page.Continue
	return answer, nil
}

// Create records a note of the user who asks, and returns it as it is recorded: of two with the same id the first counts.
func (r *notesREST) Create(ctx context.Context, name string, object runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	note, ok := object.(*images.ImageNote)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("noting something about image %s takes an ImageNote, not a %T", name, object))
	}
	if errs := validation.ImageNote(note, name); len(errs) > 0 {
		return nil, apierrors.NewInvalid(images.Kind("ImageNote"), name, errs)
	}
	wanted := &records.Note{ID: note.ID, Time: r.clock.Now(), Author: userName(ctx), Text: note.Text}
	note.NoteRecord = history.Note(wanted) // admission judges what the server sets, too
	if validate != nil {
		if err := validate(ctx, note.DeepCopy()); err != nil {
			return nil, err
		}
	}
	store, err := r.database.Store()
	switch {
	case err != nil:
		return nil, history.Error(err, notesResource, name)
	case store == nil:
		return nil, history.NotWithout(notesResource, name, "created")
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
		return nil, history.Error(err, notesResource, name)
	case recorded.Author != wanted.Author: // whose note is for those who may read it
		return nil, apierrors.NewConflict(images.Resource(notesResource), name, errors.New("somebody else's note has this id"))
	}
	return noteOf(subject, recorded), nil
}

func noteOf(subject *subject, recorded *records.Note) *images.ImageNote {
	return &images.ImageNote{
		ObjectMeta: metav1.ObjectMeta{Namespace: subject.Namespace, Name: subject.Name},
		NoteRecord: history.Note(recorded),
	}
}
