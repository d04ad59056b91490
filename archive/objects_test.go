// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"gocloud.dev/blob/fileblob"

	"goldsmith.dev/goldsmith/e2e/require"
)

// files of a directory, below it.
func files(t *testing.T, directory string) []string {
	t.Helper()
	var found []string
	require.NoError(t, filepath.WalkDir(directory, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, strings.TrimPrefix(name, directory))
		}
		return err
	}))
	return found
}

func TestAPutThatFailsLeavesNoFile(t *testing.T) {
	directory := t.TempDir()
	s := open(t, "file://"+directory, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.put(ctx, "v1/n/b/build.json", []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	require.NoError(t, os.MkdirAll(filepath.Join(directory, "v1/n/b/seal.json/in-the-way"), 0o700))
	if err := s.put(t.Context(), "v1/n/b/seal.json", []byte("x")); err == nil {
		t.Error("a directory was replaced by a file")
	}
	if found := files(t, directory); len(found) != 0 {
		t.Errorf("left are %q", found)
	}
}

func TestAPutReplacesAsAWhole(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		for _, content := range []string{"a long one", "short", ""} {
			require.NoError(t, s.put(t.Context(), "v1/x", []byte(content)))
			got := require.Value(s.get(t.Context(), "v1/x", []byte("before ")))(t)
			same(t, "got", got, []byte("before "+content))
		}
		for range 2 {
			require.NoError(t, s.remove(t.Context(), "v1/x"))
		}
		if _, err := s.get(t.Context(), "v1/x", nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAListIsWhole(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		const chunks = 1100 // more than a page
		var want, got []string
		for i := range chunks {
			if s.location != "mem:" && i%50 != 0 {
				continue // each is synced
			}
			key := fmt.Sprintf("v1/n/b/%d-p/%s", i/500, span{start: int64(i), end: int64(i + 1)}.name())
			want = append(want, key)
			require.NoError(t, s.put(t.Context(), key, []byte("x")))
		}
		require.NoError(t, s.put(t.Context(), "v1/n/b2/build.json", []byte("x")))
		require.NoError(t, s.list(t.Context(), "v1/n/b/", "", func(e entry) {
			got = append(got, e.key)
			if e.modified.IsZero() {
				t.Errorf("%s has no time", e.key)
			}
		}))
		same(t, "all", []byte(strings.Join(got, "\n")), []byte(strings.Join(want, "\n")))
		got = nil
		require.NoError(t, s.list(t.Context(), "v1/n/", "/", func(e entry) { got = append(got, e.key) }))
		if fmt.Sprint(got) != "[v1/n/b/ v1/n/b2/]" {
			t.Errorf("with a delimiter: %q", got)
		}
		require.NoError(t, s.list(t.Context(), "v1/nobody/", "", func(e entry) { t.Errorf("found %v", e) }))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.list(ctx, root, "", func(entry) {}); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
	})
}

// slow is a bucket that lists an entry each 30 ms, and then hangs.
type slow struct{ Bucket }

func (slow) List(ctx context.Context, prefix, _ string, each func(string, time.Time)) error {
	for i := range 10 {
		time.Sleep(30 * time.Millisecond) // in the time of the test
		each(fmt.Sprint(prefix, i), time.Time{})
	}
	<-ctx.Done()
	return errors.New("the connection breaks")
}

func TestTheTimeLimitOfAListIsForEachEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		err := (&bucket{Bucket: slow{}, timeout: 200 * time.Millisecond}).list(t.Context(), root, "", func(e entry) { got = append(got, e.key) })
		if len(got) != 10 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// Until version 0.1.0, directories were written by gocloud.dev.
func TestADirectoryOfGocloud(t *testing.T) {
	each := []string{"v1/team/b-1/build.json", "v1/team/b-1/1-p-1/0-5-0-4.zst", "v1/team/b_2.x/build.json"}
	directory := t.TempDir()
	theirs := require.Value(fileblob.OpenBucket(directory, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite, DirFileMode: 0o700}))(t)
	ours := open(t, "file://"+directory, Options{})
	for _, key := range each {
		require.NoError(t, theirs.WriteAll(t.Context(), key, []byte(key), nil))
		same(t, "their object", require.Value(ours.get(t.Context(), key, nil))(t), []byte(key))
		info := require.Value(os.Stat(filepath.Join(directory, key)))(t)
		require.NoError(t, ours.put(t.Context(), key, []byte("ours")))
		same(t, "our object", require.Value(theirs.ReadAll(t.Context(), key))(t), []byte("ours"))
		if mode := require.Value(os.Stat(filepath.Join(directory, key)))(t).Mode(); mode != info.Mode() {
			t.Errorf("%s has mode %s instead of %s", key, mode, info.Mode())
		}
		require.NoError(t, theirs.Delete(t.Context(), key))
		if _, err := ours.get(t.Context(), key, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("deleted: %v", err)
		}
	}
	if _, err := ours.get(t.Context(), "v1/team", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("a folder: %v", err)
	}
	require.NoError(t, theirs.Close())
}

func TestADirectoryMayBeElsewhere(t *testing.T) {
	directory := t.TempDir()
	require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(directory, "v1")))
	s := open(t, "file://"+directory, Options{})
	require.NoError(t, s.put(t.Context(), "v1/n/b/build.json", []byte("x")))
	for delimiter, want := range map[string]string{"": "v1/n/b/build.json ", "/": "v1/n/ "} {
		got := ""
		require.NoError(t, s.list(t.Context(), root, delimiter, func(e entry) { got += e.key + " " }))
		if got != want {
			t.Errorf("listed are %q", got)
		}
	}
}

func TestAnObjectThatIsTooLargeIsNotRead(t *testing.T) {
	directory := t.TempDir()
	s := open(t, "file://"+directory, Options{})
	keep(t, s, []byte("x"), 0)
	name := filepath.Join(directory, prefixOf(t, attempt()), span{end: 1, textEnd: 1}.name())
	require.NoError(t, os.Truncate(name, 1<<40)) // sparse
	if _, err := s.Writer(t.Context(), attempt(), Limit{}); err == nil || !strings.Contains(err.Error(), "1099511627776 bytes") {
		t.Errorf("got %v", err)
	}
	content := bytes.Repeat([]byte("x"), maxObject+1)
	for size, sound := range map[int64]bool{maxObject - 1: true, maxObject: true, maxObject + 1: false} {
		got, err := appendAll(nil, io.NopCloser(bytes.NewReader(content[:size])), -1)
		if (err == nil) != sound || sound && int64(len(got)) != size {
			t.Errorf("of an unknown size, %d: got %d, %v", size, len(got), err)
		}
	}
}

func TestAStoreErrorIsOneLineWithoutSecrets(t *testing.T) {
	err := operationError("write", "v1/x", fmt.Errorf("PUT https://user:%s@host/bucket/v1/x?X-Amz-Signature=%s&y=z:\n\tdial \"http://host?%s\": %w\n%s",
		secret, secret, secret, syscall.ENOSPC, strings.Repeat("ä", 5000)))
	text := err.Error()
	for _, want := range []string{`log archive: write "v1/x": `, "https://host/bucket/v1/x ", `"http://host"`, "no space left"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	if strings.Contains(text, secret) || strings.ContainsAny(text, "\n\t") || len(text) > maxErrorText+100 || !utf8.ValidString(text) {
		t.Errorf("got %d bytes: %s", len(text), text)
	}
	if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, ErrNotFound) || errors.Unwrap(err) != nil {
		t.Errorf("%v is something else", err)
	}
	if operationError("write", "v1/x", nil) != nil {
		t.Error("nothing has failed")
	}
}

// A disk that is full, as far as a test can have one: no file of a process may be longer than limit. The process is one of its own,
// because go test writes a file, too: its log of the files that tests open.
func TestAWriteThatFailsLeavesNoFile(t *testing.T) {
	const limit, child = 1 << 20, "ARCHIVE_TEST_FULL_DISK"
	if os.Getenv(child) == "" {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		command.Env = append(os.Environ(), child+"=true")
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, output)
		}
		return
	}
	directory := t.TempDir()
	s := open(t, "file://"+directory, Options{})
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: before.Max}))
	err := s.put(t.Context(), "v1/n/b/seal.json", make([]byte, limit+1))
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("got %v", err)
	}
	if found := files(t, directory); len(found) != 0 {
		t.Errorf("left are %q", found)
	}
}
