// SPDX-License-Identifier: Apache-2.0

package documents

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"goldsmith.dev/goldsmith/e2e/require"
)

// pairs is a watch of files whose lines are name=value. The value "bad" is a problem.
func pairs(place Place) Watch[string] {
	return Watch[string]{
		Place: place, Subject: "pairs", Equal: func(a, b string) bool { return a == b },
		Change: func(map[string]string) error { return nil }, Tell: func(string) {},
		Read: func() (map[string]string, error) {
			files, problems := place.Read()
			found := map[string]string{}
			for _, file := range files {
				for line := range strings.Lines(string(file.Content)) {
					name, value, paired := strings.Cut(strings.TrimSpace(line), "=")
					if found[name] = value; !paired || value == "bad" {
						problems = append(problems, fmt.Errorf("%s: %s is bad", file.Path, name))
					}
				}
			}
			if len(problems) > 0 {
				return nil, errors.Join(problems...)
			}
			return found, nil
		},
	}
}

func TestChangesAreAppliedOnceAndProblemsToldOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pairs.yaml")
	var told []string
	var applied map[string]string
	watch := pairs(Place{Path: file, Optional: true, MaxMiB: 1})
	watch.Change = func(declared map[string]string) error { applied = declared; return nil }
	watch.Tell = func(line string) { told = append(told, line) }
	r := watch.start(map[string]string{})
	stay := ": the registered pairs stay as they were"
	for _, step := range []struct {
		name, content, want string
		applied             int
	}{
		{"nothing", "", "", 0},
		{"the first document", "one=1", "registered one", 1},
		{"another format", "one=1\n", "", 1},
		{"two", "one=2\ntwo=2", "registered two; changed one", 2},
		{"broken", "one=bad\ntwo=bad", file + ": one is bad" + stay + "\n" + file + ": two is bad" + stay, 2},
		{"broken elsewhere", "one=2\ntwo=bad", file + ": two is bad" + stay, 2},
		{"repaired", "one=2\ntwo=2", "the documents are correct again, and the registered pairs are the same", 2},
		{"one less", "one=1", "changed one; removed two", 1},
		{"deleted", "", "removed one", 0},
	} {
		told = nil
		var err error
		if step.content == "" {
			err = os.RemoveAll(file)
		} else {
			err = os.WriteFile(file, []byte(step.content), 0o600)
		}
		require.NoError(t, err)
		for range 4 {
			r.pass()
		}
		if got := strings.Join(told, "\n"); got != step.want || len(applied) != step.applied {
			t.Errorf("%s: told %q, want %q; applied %v", step.name, got, step.want, applied)
		}
	}
	// A document in the middle of a write does not count.
	told = nil
	for _, content := range []string{"one=", "one=1"} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		if after := r.pass(); after != SettleTime {
			t.Errorf("the next pass is due after %s", after)
		}
	}
	r.pass()
	if strings.Join(told, "\n") != "registered one" {
		t.Errorf("told %q", told)
	}
}

func TestAChangeThatIsRefusedIsMadeAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pairs.yaml")
	require.NoError(t, os.WriteFile(file, []byte("one=1"), 0o600))
	var told []string
	var refusal error
	calls := 0
	watch := pairs(Place{Path: file, Optional: true, MaxMiB: 1})
	watch.Change = func(map[string]string) error { calls++; return refusal }
	watch.Tell = func(line string) { told = append(told, line) }
	r := watch.start(map[string]string{})
	for _, step := range []struct {
		name    string
		refusal error
		change  func() error
		want    string
		again   bool
	}{
		{"refused", errors.New("no room"), nil, "no room", true},
		{"refused again", errors.New("no room"), nil, "", true},
		{"refused otherwise", errors.New("no time"), nil, "no time", true},
		{"accepted", nil, nil, "registered one", false},
		{"a removal is refused", errors.New("no room"), func() error { return os.Remove(file) }, "no room", true},
		{"what was registered is there again", nil, func() error { return os.WriteFile(file, []byte("one=1"), 0o600) },
			"the documents are correct again, and the registered pairs are the same", false},
	} {
		if step.change != nil {
			require.NoError(t, step.change())
		}
		told, refusal, calls = nil, step.refusal, 0
		var next time.Duration
		for range 3 {
			next = r.pass()
		}
		if got := strings.Join(told, "\n"); got != step.want || (next == problemInterval) != step.again || calls == 0 || !step.again && calls > 1 {
			t.Errorf("%s: told %q, want %q; %d changes, the next pass after %s", step.name, got, step.want, calls, next)
		}
	}
}

// TestSteadyChangesDoNotPostponeAReadingForEver changes a file beside the document until the document counts.
func TestSteadyChangesDoNotPostponeAReadingForEver(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pairs.yaml")
	require.NoError(t, os.WriteFile(file, []byte("one=1"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		watch := pairs(Place{Path: file, MaxMiB: 1})
		watch.Change = func(map[string]string) error { stop(); return nil }
		r := watch.start(map[string]string{})
		events := make(chan fsnotify.Event)
		go func() {
			for {
				select {
				case <-time.After(SettleTime / 2):
				case <-ctx.Done():
					return
				}
				select {
				case events <- fsnotify.Event{Name: filepath.Join(filepath.Dir(file), "other.yaml")}:
				case <-ctx.Done():
					return
				}
			}
		}()
		if err := follow(ctx, file, events, nil, r.concerns, r.pass); !errors.Is(err, context.Canceled) {
			t.Errorf("the document is not read: %v", err)
		}
	})
}

// TestAChangedConfigMapIsRead changes files as a kubelet does. Unchanged files are not read again.
func TestAChangedConfigMapIsRead(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"a directory": "", "a file": "pairs.yaml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			volume := t.TempDir()
			update := func(revision, content string) {
				directory, link := filepath.Join(volume, ".."+revision), filepath.Join(volume, "..data_tmp")
				require.NoError(t, errors.Join(
					os.Mkdir(directory, 0o700), os.WriteFile(filepath.Join(directory, "pairs.yaml"), []byte(content), 0o600),
					os.Symlink(filepath.Base(directory), link), os.Rename(link, filepath.Join(volume, "..data")),
				))
			}
			update("2026_11_27_1", "one=1")
			require.NoError(t, os.Symlink("..data/pairs.yaml", filepath.Join(volume, "pairs.yaml")))
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			var changed map[string]string
			watch := pairs(Place{Path: filepath.Join(volume, path), MaxMiB: 1})
			watch.Change = func(declared map[string]string) error { changed = declared; stop(); return nil }
			r := watch.start(map[string]string{"one": "1"})
			started := false
			err := Follow(ctx, volume, r.concerns, func(follow func(string)) time.Duration {
				follow(volume)
				next := r.pass()
				if !started {
					started = true
					update("2026_11_27_2", "one=2")
				}
				if next == interval {
					return time.Hour
				}
				return next
			})
			if !errors.Is(err, context.Canceled) || changed["one"] != "2" {
				t.Errorf("read %v: %v", changed, err)
			}
		})
	}
}
