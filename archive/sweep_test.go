// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// finished is a build that finished at the epoch, and whose logs are kept for an hour.
func finished(uid types.UID) Build {
	at, retention := epoch(), time.Hour
	return Build{Namespace: "team", Name: "app", UID: uid, Image: "app", ImageUID: "i-1", Finished: &at, Retention: &retention, Succeeded: true}
}

// withLog stores a build, and the sealed logs of two of its attempts.
func withLog(t testing.TB, s *Store, build Build) {
	t.Helper()
	require.NoError(t, s.PutBuild(t.Context(), build))
	for number := range int32(2) {
		w := require.Value(s.Writer(t.Context(), Attempt{build.Namespace, build.UID, number + 1, "p"}, Limit{}))(t)
		write(t, w, []byte(stamped(0, "one")))
		seal(t, w, Seal{})
	}
}

func logsOf(t testing.TB, s *Store, uid types.UID) int {
	t.Helper()
	return len(require.Value(s.Attempts(t.Context(), "team", uid))(t))
}

// sweep calls Sweep, and gives which builds it found expired.
func sweep(t testing.TB, s *Store) (expired []types.UID, deleted int) {
	t.Helper()
	var mu sync.Mutex
	deleted = require.Value(s.Sweep(t.Context(), func(_ context.Context, b Build) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		if b.Expired != nil {
			expired = append(expired, b.UID)
		}
		return false, nil
	}))(t)
	slices.Sort(expired)
	return slices.Compact(expired), deleted
}

func TestSweepDeletesWhatIsOver(t *testing.T) {
	clock := testingclock.NewFakeClock(epoch().Add(time.Hour))
	each(t, Options{Clock: clock}, func(t *testing.T, s *Store) {
		clock.SetTime(epoch().Add(time.Hour))
		running, forever, held, later := finished("running"), finished("forever"), finished("held"), finished("later")
		running.Finished = nil
		forever.Retention = nil
		held.Held = true
		day := 24 * time.Hour
		later.Retention = &day
		for _, build := range []Build{finished("over-1"), finished("over-2"), running, forever, held, later} {
			withLog(t, s, build)
		}
		if expired, deleted := sweep(t, s); len(expired) != 0 || deleted != 0 {
			t.Errorf("at the last moment of the retention: expired %v, deleted %d", expired, deleted)
		}
		clock.Step(time.Nanosecond)
		if expired, deleted := sweep(t, s); fmt.Sprint(expired) != "[over-1 over-2]" || deleted != 2 {
			t.Errorf("expired %v, deleted %d", expired, deleted)
		}
		for _, uid := range []types.UID{"over-1", "over-2"} {
			build := require.Value(s.GetBuild(t.Context(), "team", uid))(t)
			if build.Expired == nil || !build.Expired.Equal(clock.Now()) || logsOf(t, s, uid) != 0 {
				t.Errorf("%s: %+v, %d logs", uid, build, logsOf(t, s, uid))
			}
			if _, err := s.Reader(t.Context(), Attempt{"team", uid, 1, "p"}, Position{}); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: read: %v", uid, err)
			}
		}
		for _, uid := range []types.UID{"running", "forever", "held", "later"} {
			if got := logsOf(t, s, uid); got != 2 {
				t.Errorf("%s: %d logs", uid, got)
			}
		}
		if expired, deleted := sweep(t, s); len(expired) != 0 || deleted != 0 {
			t.Errorf("again: expired %v, deleted %d", expired, deleted)
		}
		require.NoError(t, s.PutBuild(t.Context(), finished("held")))
		if expired, deleted := sweep(t, s); fmt.Sprint(expired) != "[held]" || deleted != 1 {
			t.Errorf("the hold is over: expired %v, deleted %d", expired, deleted)
		}
	})
}

func TestSweepFindsWhatHasNotFinished(t *testing.T) {
	each(t, Options{Clock: testingclock.NewFakeClock(epoch().Add(time.Hour))}, func(t *testing.T, s *Store) {
		running, held, kept := finished("running"), finished("running-held"), finished("done")
		running.Finished, held.Finished, held.Held, kept.Held = nil, nil, true, true
		for _, build := range []Build{running, held, kept} {
			withLog(t, s, build)
		}
		require.NoError(t, s.PutBuild(t.Context(), Build{Namespace: "team", Name: "app", UID: "without-logs"}))
		var mu sync.Mutex
		var found []types.UID
		refused := errors.New("the API does not answer")
		deleted, err := s.Sweep(t.Context(), func(_ context.Context, b Build) (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			found = append(found, b.UID)
			return false, refused
		})
		slices.Sort(found)
		if deleted != 0 || !errors.Is(err, refused) || fmt.Sprint(found) != "[running running-held]" {
			t.Errorf("found %v, deleted %d, %v", found, deleted, err)
		}
	})
}

func TestSweepLeavesALogWithoutABuild(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		keep(t, s, []byte("one\n"), 0)
		if expired, deleted := sweep(t, s); len(expired) != 0 || deleted != 0 || logsOf(t, s, "b-1") != 1 {
			t.Errorf("expired %v, deleted %d, logs %d", expired, deleted, logsOf(t, s, "b-1"))
		}
	})
}

func TestWhileExpiredFailsTheLogsStay(t *testing.T) {
	each(t, Options{Clock: testingclock.NewFakePassiveClock(epoch().Add(2 * time.Hour))}, func(t *testing.T, s *Store) {
		for i := range 20 {
			withLog(t, s, finished(types.UID(fmt.Sprintf("b-%02d", i))))
		}
		refused := errors.New("the API does not answer")
		deleted, err := s.Sweep(t.Context(), func(_ context.Context, b Build) (bool, error) {
			if strings.HasSuffix(string(b.UID), "7") && (b.Expired != nil || b.UID == "b-07") {
				return false, refused
			}
			return false, nil
		})
		if deleted != 18 || !errors.Is(err, refused) {
			t.Errorf("deleted %d, %v", deleted, err)
		}
		if logsOf(t, s, "b-07") != 2 || logsOf(t, s, "b-08") != 0 {
			t.Errorf("logs: %d and %d", logsOf(t, s, "b-07"), logsOf(t, s, "b-08"))
		}
		for uid, marked := range map[types.UID]bool{"b-07": false, "b-17": true} {
			build := require.Value(s.GetBuild(t.Context(), "team", uid))(t)
			if (build.Expired != nil) != marked {
				t.Errorf("%s is marked: %v, want %t", uid, build.Expired, marked)
			}
		}
		if expired, deleted := sweep(t, s); fmt.Sprint(expired) != "[b-07 b-17]" || deleted != 2 {
			t.Errorf("again: expired %v, deleted %d", expired, deleted)
		}
	})
}

func TestAHoldThatComesWhileABuildExpiresKeepsItsLogs(t *testing.T) {
	holds := map[string]func(s *Store, b Build) (bool, error){
		"recorded": func(s *Store, b Build) (bool, error) {
			b.Held = true
			return false, s.PutBuild(t.Context(), b)
		},
		"reported": func(*Store, Build) (bool, error) { return true, nil },
	}
	for name, hold := range holds {
		for _, when := range []string{"before it is marked", "before its logs are deleted"} {
			s := newFake().open(Options{Clock: testingclock.NewFakePassiveClock(epoch().Add(2 * time.Hour))})
			withLog(t, s, finished("b"))
			marked := when == "before its logs are deleted"
			deleted := require.Value(s.Sweep(t.Context(), func(_ context.Context, b Build) (bool, error) {
				if marked == (b.Expired != nil) {
					return hold(s, b)
				}
				return false, nil
			}))(t)
			build := require.Value(s.GetBuild(t.Context(), "team", "b"))(t)
			if deleted != 0 || logsOf(t, s, "b") != 2 || (build.Expired != nil) != marked {
				t.Errorf("%s %s: deleted %d, logs %d, marked %v", name, when, deleted, logsOf(t, s, "b"), build.Expired)
			}
			require.NoError(t, s.PutBuild(t.Context(), finished("b")))
			if expired, deleted := sweep(t, s); len(expired) != 1 || deleted != 1 || logsOf(t, s, "b") != 0 {
				t.Errorf("the hold is over: expired %v, deleted %d", expired, deleted)
			}
		}
	}
}

// If any call fails, or is the last call before a crash, the next Sweep completes the work of the interrupted Sweep.
func TestASweepThatFailsAtAnyStepIsGoneOnWith(t *testing.T) {
	for name, set := range faults() {
		for n := 1; ; n++ {
			f := newFake()
			s := f.open(Options{Clock: testingclock.NewFakePassiveClock(epoch().Add(2 * time.Hour))})
			withLog(t, s, finished("b"))
			begun, failed := len(f.calls), false
			set(f, func(c call) error {
				if c.number >= begun+n {
					failed = true
					return errors.New("crashed")
				}
				return nil
			})
			called := 0
			deleted, err := s.Sweep(t.Context(), func(context.Context, Build) (bool, error) { called++; return false, nil })
			if failed && (err == nil || deleted != 0) {
				t.Errorf("%s, call %d: deleted %d, %v", name, n, deleted, err)
			}
			if called == 0 && logsOf(t, unbroken(f), "b") != 2 {
				t.Errorf("%s, call %d: logs are deleted before anybody knows", name, n)
			}
			f.before, f.after = nil, nil
			again, _ := sweep(t, s)
			if got := f.keys(root); fmt.Sprint(got) != "[team/b/build.json]" || called+len(again) == 0 {
				t.Errorf("%s, call %d: called %d and %d, left are %q", name, n, called, len(again), got)
			}
			if !failed {
				break
			}
		}
	}
}

// unbroken is a store of the same objects without the faults.
func unbroken(f *fake) *Store {
	return (&fake{content: f.content, modified: f.modified}).open(Options{})
}

func TestSweepDeletesTemporaryFilesOfADayAgo(t *testing.T) {
	directory := t.TempDir()
	s := open(t, "file://"+directory, Options{})
	withLog(t, s, Build{Namespace: "team", Name: "app", UID: "b"})
	folder := filepath.Join(directory, "v1", "team", "b")
	old, young := filepath.Join(folder, "1-p", "x.zst.18a.tmp"), filepath.Join(folder, "build.json.18b.tmp")
	for _, name := range []string{old, young} {
		require.NoError(t, os.WriteFile(name, []byte("half of"), 0o600))
	}
	require.NoError(t, os.Chtimes(old, time.Time{}, time.Now().Add(-25*time.Hour)))
	if _, deleted := sweep(t, s); deleted != 0 {
		t.Errorf("deleted %d", deleted)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old file still exists, or Stat failed: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("the young file: %v", err)
	}
	if logsOf(t, s, "b") != 2 {
		t.Error("the logs were deleted")
	}
}

func TestTheContextEndsASweep(t *testing.T) {
	s := newFake().open(Options{Clock: testingclock.NewFakePassiveClock(epoch().Add(2 * time.Hour))})
	for i := range 100 {
		withLog(t, s, finished(types.UID(fmt.Sprint(i))))
	}
	ctx, cancel := context.WithCancel(t.Context())
	deleted, err := s.Sweep(ctx, func(context.Context, Build) (bool, error) { cancel(); return false, ctx.Err() })
	if deleted != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("deleted %d, %v", deleted, err)
	}
}

func TestWhatIsMarkedIsDeletedThoughTheRetentionGrew(t *testing.T) {
	s := newFake().open(Options{Clock: testingclock.NewFakePassiveClock(epoch().Add(2 * time.Hour))})
	withLog(t, s, finished("b"))
	_, err := s.Sweep(t.Context(), func(_ context.Context, b Build) (bool, error) {
		if b.Expired != nil {
			return false, errors.New("the API does not answer")
		}
		return false, nil
	})
	if err == nil {
		t.Error("the failure is not told")
	}
	longer := finished("b")
	longer.Retention = nil
	require.NoError(t, s.PutBuild(t.Context(), longer))
	if expired, deleted := sweep(t, s); len(expired) != 1 || deleted != 1 {
		t.Errorf("expired %v, deleted %d", expired, deleted)
	}
}
