// SPDX-License-Identifier: Apache-2.0

package kept

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/builders/debian/flock"
	"goldsmith.dev/goldsmith/e2e/require"
)

// key returns a key that begins with a digit.
func key(digit int) string { return fmt.Sprint(digit) + strings.Repeat("0", 63) }

// names returns what is in the directory of a store, keys by their first digit.
func names(t *testing.T, s *Store) []string {
	t.Helper()
	names := []string{}
	for _, entry := range require.Value(os.ReadDir(s.Directory))(t) {
		switch {
		case entryName.MatchString(entry.Name()):
			names = append(names, entry.Name()[:1])
		case entry.Name() != lockName:
			names = append(names, entry.Name())
		}
	}
	return names
}

func add(t *testing.T, s *Store, digit int, content string) {
	t.Helper()
	_, _, err := s.Add(key(digit), strings.NewReader(content))
	require.NoError(t, err)
	entries := require.Value(s.entries())(t)
	at := time.Unix(int64(digit), 0) // the times of two files can be equal
	require.NoError(t, os.Chtimes(filepath.Join(s.Directory, entries[0].Name()), at, at))
}

func TestTheFilesUsedLastStayWithinTheLimit(t *testing.T) {
	t.Parallel()
	s := &Store{Directory: t.TempDir(), Max: 1 << 20}
	for digit := 1; digit <= 3; digit++ {
		add(t, s, digit, "content")
	}
	s.Max = 2 * require.Value(s.entries())(t)[0].Size()
	file, _, err := s.Open(key(1))
	require.NoError(t, err)
	require.NoError(t, s.Trim())
	if diff := cmp.Diff([]string{"1", "3"}, names(t, s)); diff != "" {
		t.Error(diff)
	}
	s.Max = 0
	require.NoError(t, s.Trim())
	if diff := cmp.Diff([]string{}, names(t, s)); diff != "" {
		t.Error(diff)
	}
	if rest := require.Value(io.ReadAll(file))(t); len(rest) == 0 {
		t.Error("a file that is open was lost")
	}
	require.NoError(t, file.Close())
	if err := (&Store{Directory: filepath.Join(s.Directory, "none")}).Trim(); err != nil {
		t.Error(err)
	}
}

func TestADamagedFileIsRemoved(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"a byte":  func(path string) error { return os.WriteFile(path, []byte("other"), 0o600) },
		"the end": func(path string) error { return os.Truncate(path, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Store{Directory: t.TempDir(), Max: 1 << 20}
			add(t, s, 1, "content")
			require.NoError(t, damage(filepath.Join(s.Directory, require.Value(s.entries())(t)[0].Name())))
			if _, _, err := s.Open(key(1)); !errors.As(err, new(*DamagedError)) {
				t.Errorf("error %v", err)
			}
			if _, _, err := s.Open(key(1)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestNothingIsLeftOfAContentThatIsNotKept(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		content io.Reader
		max     int64
	}{
		"it is not whole": {iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("content"))), 1 << 20},
		"it is too large": {strings.NewReader("content"), 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Store{Directory: t.TempDir(), Max: test.max}
			if _, _, err := s.Add(key(1), test.content); err == nil {
				t.Error("it is kept")
			}
			if diff := cmp.Diff([]string{}, names(t, s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOneContentOfAKeyStaysAndWhatAKilledProcessLeftIsRemoved(t *testing.T) {
	t.Parallel()
	s := &Store{Directory: t.TempDir(), Max: 1 << 20}
	other := require.Value(os.Create(filepath.Join(s.Directory, "1"+unfinished)))(t)
	defer func() { _ = other.Close() }()
	require.NoError(t, flock.Lock(other, syscall.LOCK_EX))
	require.NoError(t, os.WriteFile(filepath.Join(s.Directory, "2"+unfinished), nil, 0o600))
	add(t, s, 1, "first")
	add(t, s, 1, "second")
	if diff := cmp.Diff([]string{"1" + unfinished, "1"}, names(t, s)); diff != "" {
		t.Error(diff)
	}
}
