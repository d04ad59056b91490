// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/records"
)

const patience = time.Minute

var errUnavailable = errors.New("nobody answers")

// switched is a database that a test makes available or unavailable.
type switched struct {
	checks chan struct{} // receives every check

	mutex sync.Mutex
	store *records.Store
	err   error
}

func (s *switched) set(store *records.Store, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.store, s.err = store, err
}

func (s *switched) Store() (*records.Store, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.store, s.err
}

func (s *switched) Err() error {
	_, err := s.Store()
	return err
}

func (s *switched) Watch(ctx context.Context, observe func(context.Context, error)) {
	for range s.checks {
		observe(ctx, s.Err())
	}
}

func (s *switched) find() (Connection, error) { return s, nil }

func openStore(t *testing.T) *records.Store {
	t.Helper()
	store, err := records.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "records.db"), records.Options{})
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func prepared(t *testing.T, find func() (Connection, error)) *Database {
	t.Helper()
	database := NewDatabase(find)
	require.NoError(t, database.Prepare())
	return database
}

func TestNoDatabaseIsNoError(t *testing.T) {
	for name, find := range map[string]func() (Connection, error){
		"nobody finds one": nil, "there is none": func() (Connection, error) { return nil, nil },
		"there is no connection": func() (Connection, error) { return Connect(nil), nil },
	} {
		database := NewDatabase(find)
		if err := database.Prepare(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if store, err := database.Store(); store != nil || err != nil || !database.None() {
			t.Errorf("%s: got %v, %v, none is %t", name, store, err, database.None())
		}
		database.Watch(t.Context()) // returns at once
	}
}

func TestADatabaseIsFoundOnce(t *testing.T) {
	found := 0
	database := NewDatabase(func() (Connection, error) {
		found++
		return nil, errUnavailable
	})
	for range 2 {
		if err := database.Prepare(); !errors.Is(err, errUnavailable) {
			t.Errorf("got error %v", err)
		}
	}
	if found != 1 {
		t.Errorf("it was looked for %d times", found)
	}
}

// TestReadyzReportsTheDatabase asks as somebody who probes the server, and as somebody who wants to know.
func TestReadyzReportsTheDatabase(t *testing.T) {
	g := NewWithT(t)
	database := &switched{store: openStore(t)}
	mux := http.NewServeMux()
	healthz.InstallReadyzHandler(mux, healthz.PingHealthz, prepared(t, database.find).Check())
	get := func(path string) string {
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return http.StatusText(answer.Code) + " " + answer.Body.String()
	}
	g.Expect(get("/readyz?verbose")).To(And(HavePrefix("OK "), ContainSubstring("[+]records ok")))
	g.Expect(get("/readyz/records")).To(Equal("OK ok"))

	database.set(nil, errUnavailable)
	g.Expect(get("/readyz/records")).To(And(HavePrefix("Internal Server Error "), ContainSubstring(errUnavailable.Error())))
	g.Expect(get("/readyz")).To(Equal("OK ok"), "the server is ready without it")
	g.Expect(get("/readyz?verbose")).To(And(HavePrefix("OK "), ContainSubstring("[+]records-unavailable ok")))

	database.set(openStore(t), nil)
	g.Expect(get("/readyz/records")).To(Equal("OK ok"))
}

func TestAnOutageIsLoggedOnce(t *testing.T) {
	var logged []string
	logger := funcr.New(func(_, line string) { logged = append(logged, line) }, funcr.Options{})
	database := &switched{store: openStore(t), checks: make(chan struct{})}
	watched, done := prepared(t, database.find), make(chan struct{})
	go func() {
		defer close(done)
		watched.Watch(klog.NewContext(t.Context(), logger))
	}()
	for _, err := range []error{nil, errUnavailable, errUnavailable, nil, nil, errUnavailable} {
		database.set(nil, err)
		database.checks <- struct{}{}
		database.checks <- struct{}{} // the first check is reported by now
	}
	close(database.checks)
	<-done
	NewWithT(t).Expect(logged).To(HaveExactElements(
		ContainSubstring("does not answer"), ContainSubstring("answers again"), ContainSubstring("does not answer")))
}

func TestErrorsOfTheDatabase(t *testing.T) {
	away := Error(errUnavailable, "images/history", "web")
	seconds, again := apierrors.SuggestsClientDelay(away)
	if !apierrors.IsServiceUnavailable(away) || !again || seconds != retryAfter || !strings.Contains(away.Error(), errUnavailable.Error()) {
		t.Errorf("got %v, to be tried again after %d s", away, seconds)
	}
	store := openStore(t)
	_, err := store.Notes(t.Context(), "uid", records.Paging{Limit: -1})
	late := Error(fmt.Errorf("counting: %w", context.DeadlineExceeded), "images/stats", "web")
	if !apierrors.IsServiceUnavailable(late) || !strings.Contains(late.Error(), "shorten the time range") {
		t.Errorf("a question that takes too long: %v", late)
	}
	if invalid := Error(err, "images/notes", "web"); !apierrors.IsBadRequest(invalid) {
		t.Errorf("got %v", invalid)
	}
	if refused := NoDatabaseError("images/notes", "web", "created"); !apierrors.IsMethodNotSupported(refused) {
		t.Errorf("got %v", refused)
	}
}
