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

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/records"
)

const patience = time.Minute

var errAway = errors.New("nobody answers")

// switched is a database that is there or not, as a test says.
type switched struct {
	mutex sync.Mutex
	store *records.Store
	err   error
}

func (s *switched) set(store *records.Store, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.store, s.err = store, err
}

func (s *switched) get() (*records.Store, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.store, s.err
}

func (s *switched) source() (Source, error) { return s.get, nil }

func openStore(t *testing.T) *records.Store {
	t.Helper()
	store, err := records.Open(t.Context(), "sqlite://"+filepath.Join(t.TempDir(), "records.db"), records.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func prepared(t *testing.T, find func() (Source, error), clocked clock.Clock) *Database {
	t.Helper()
	database := NewDatabase(find, clocked)
	if err := database.Prepare(); err != nil {
		t.Fatal(err)
	}
	return database
}

func TestNoDatabaseIsNoError(t *testing.T) {
	for name, find := range map[string]func() (Source, error){
		"nobody finds one": nil, "there is none": func() (Source, error) { return nil, nil },
	} {
		database := NewDatabase(find, nil)
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
	database := NewDatabase(func() (Source, error) {
		found++
		return nil, errAway
	}, nil)
	for range 2 {
		if err := database.Prepare(); !errors.Is(err, errAway) {
			t.Errorf("got error %v", err)
		}
	}
	if found != 1 {
		t.Errorf("it was looked for %d times", found)
	}
}

func TestADatabaseThatIsNotOpenYetIsAnError(t *testing.T) {
	database := prepared(t, (&switched{}).source, nil)
	if _, err := database.Store(); err == nil {
		t.Error("there is no store and no error")
	}
}

// TestReadyzReportsTheDatabase asks as somebody who probes the server, and as somebody who wants to know.
func TestReadyzReportsTheDatabase(t *testing.T) {
	g := NewWithT(t)
	ctx, stop := context.WithCancel(t.Context())
	clock := testingclock.NewFakeClock(noon)
	database := &switched{}
	database.set(openStore(t), nil)
	watched := prepared(t, database.source, clock)
	mux := http.NewServeMux()
	healthz.InstallReadyzHandler(mux, healthz.PingHealthz, watched.Check())
	get := func(path string) func() string {
		return func() string {
			answer := httptest.NewRecorder()
			mux.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
			return http.StatusText(answer.Code) + " " + answer.Body.String()
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		watched.Watch(ctx)
	}()
	pass := func() {
		g.Eventually(clock.HasWaiters).WithTimeout(patience).Should(BeTrue())
		clock.Step(lookInterval)
	}
	pass()
	g.Expect(get("/readyz?verbose")()).To(And(HavePrefix("OK "), ContainSubstring("[+]records ok")))
	g.Expect(get("/readyz/records")()).To(Equal("OK ok"))

	database.set(nil, errAway)
	pass()
	g.Eventually(get("/readyz/records")).WithTimeout(patience).Should(And(HavePrefix("Internal Server Error "), ContainSubstring(errAway.Error())))
	g.Expect(get("/readyz")()).To(Equal("OK ok"), "the server is ready without it")
	g.Expect(get("/readyz?verbose")()).To(And(HavePrefix("OK "), ContainSubstring("[+]records-away ok")))

	database.set(openStore(t), nil)
	pass()
	g.Eventually(get("/readyz/records")).WithTimeout(patience).Should(Equal("OK ok"))
	stop()
	g.Eventually(done).WithTimeout(patience).Should(BeClosed())
}

func TestErrorsOfTheDatabase(t *testing.T) {
	away := Error(errAway, "images/history", "web")
	seconds, again := apierrors.SuggestsClientDelay(away)
	if !apierrors.IsServiceUnavailable(away) || !again || seconds != retryAfter || !strings.Contains(away.Error(), errAway.Error()) {
		t.Errorf("got %v, to be tried again after %d s", away, seconds)
	}
	store := openStore(t)
	_, err := store.Notes(t.Context(), "uid", records.Paging{Limit: -1})
	late := Error(fmt.Errorf("counting: %w", context.DeadlineExceeded), "images/stats", "web")
	if !apierrors.IsServiceUnavailable(late) || !strings.Contains(late.Error(), "ask about less time") {
		t.Errorf("a question that takes too long: %v", late)
	}
	if invalid := Error(err, "images/notes", "web"); !apierrors.IsBadRequest(invalid) {
		t.Errorf("got %v", invalid)
	}
	if refused := NotWithout("images/notes", "web", "created"); !apierrors.IsMethodNotSupported(refused) {
		t.Errorf("got %v", refused)
	}
}
