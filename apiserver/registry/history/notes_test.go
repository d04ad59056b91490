// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestAdmissionJudgesANoteAsItIsRecorded(t *testing.T) {
	notes := newNotesREST(&recorded{clock: testingclock.NewFakePassiveClock(noon)})
	ctx := apirequest.WithUser(t.Context(), &user.DefaultInfo{Name: "ada"})
	sent := &v1alpha1.ImageNote{NoteRecord: v1alpha1.NoteRecord{ID: "mine", Text: "withdrawn", Author: "mallory", Time: &metav1.Time{Time: noon.Add(-time.Hour)}}}
	refusal := errors.New("no")
	refuse := func(_ context.Context, object runtime.Object) error {
		note, ok := object.(*v1alpha1.ImageNote)
		if !ok || note.Author != "ada" || !note.Time.Time.Equal(noon) || note.ID != "mine" || note.Text != "withdrawn" {
			t.Errorf("admission sees %+v", object)
		}
		return refusal
	}
	if _, err := notes.Create(ctx, "web", sent, refuse, &metav1.CreateOptions{}); !errors.Is(err, refusal) {
		t.Errorf("got error %v", err)
	}
}
