// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/apiserver/history"
	"goldsmith.dev/goldsmith/apiserver/images"
	"goldsmith.dev/goldsmith/records"
)

func openRecords(t *testing.T) (*records.Store, *history.Database) {
	t.Helper()
	connection, err := records.Connect(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "records.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := connection.Close(); err != nil {
			t.Error(err)
		}
	})
	store, err := connection.Store()
	if err != nil {
		t.Fatal(err)
	}
	database := history.NewDatabase(func() (history.Connection, error) { return connection, nil })
	if err := database.Prepare(); err != nil {
		t.Fatal(err)
	}
	return store, database
}

func TestAServerThatStopsHasWrittenWhatWasEdited(t *testing.T) {
	store, database := openRecords(t)
	queue := history.NewQueue(database, nil)
	served := &Store{Store: &builder.Store{Store: &genericregistry.Store{}}, edits: &edits{queue: queue}}
	queue.Add(t.Context(), history.Edit{
		Image: records.ImageKey{Namespace: "team", Name: "web", UID: "uid"}, Generation: 2, Time: noon, User: "ada",
		Changes: []v1alpha1.InputChange{{Path: "suspend", From: "false", To: "true"}},
	})
	served.Destroy()
	page, err := store.Changes(t.Context(), "uid", records.Paging{})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("got %+v, error %v", page, err)
	}
}

func TestAdmissionJudgesANoteAsItIsRecorded(t *testing.T) {
	notes := newNotesREST(&recorded{clock: testingclock.NewFakePassiveClock(noon)})
	ctx := apirequest.WithUser(t.Context(), &user.DefaultInfo{Name: "ada"})
	sent := &images.ImageNote{NoteRecord: images.NoteRecord{ID: "mine", Text: "withdrawn", Author: "mallory", Time: &metav1.Time{Time: noon.Add(-time.Hour)}}}
	refusal := errors.New("no")
	refuse := func(_ context.Context, object runtime.Object) error {
		note, ok := object.(*images.ImageNote)
		if !ok || note.Author != "ada" || !note.Time.Time.Equal(noon) || note.ID != "mine" || note.Text != "withdrawn" {
			t.Errorf("admission sees %+v", object)
		}
		return refusal
	}
	if _, err := notes.Create(ctx, "web", sent, refuse, &metav1.CreateOptions{}); !errors.Is(err, refusal) {
		t.Errorf("got error %v", err)
	}
}
