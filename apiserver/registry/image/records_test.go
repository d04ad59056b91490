// SPDX-License-Identifier: Apache-2.0

package image

import (
	"path/filepath"
	"testing"
	"time"

	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/records"
)

func openRecords(t *testing.T) (*records.Store, *history.Database) {
	t.Helper()
	connection, err := records.Connect(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "records.db"), nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := connection.Close(); err != nil {
			t.Error(err)
		}
	})
	store, err := connection.Store()
	require.NoError(t, err)
	database := history.NewDatabase(func() (history.Connection, error) { return connection, nil })
	require.NoError(t, database.Prepare())
	return store, database
}

func TestAServerThatStopsHasWrittenWhatWasEdited(t *testing.T) {
	store, database := openRecords(t)
	queue := history.NewQueue(database, nil)
	served := &REST{Store: &resources.Store{Store: &genericregistry.Store{}}, edits: history.NewEdits(queue, nil)}
	queue.Add(t.Context(), history.Edit{
		Image: records.ImageKey{Namespace: "team", Name: "web", UID: "uid"}, Generation: 2, Time: time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC), User: "ada",
		Changes: []v1alpha1.InputChange{{Path: "suspend", From: "false", To: "true"}},
	})
	served.Destroy()
	page, err := store.Changes(t.Context(), "uid", records.Paging{})
	if err != nil || len(page.Items) != 1 {
		t.Errorf("got %+v, error %v", page, err)
	}
}
