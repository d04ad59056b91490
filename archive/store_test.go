// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestOpenRefusesWhatIsNoArchive(t *testing.T) {
	for address, want := range map[string]string{
		"":                                       "unknown scheme",
		"/var/lib/logs":                          "unknown scheme",
		"ftp://host/logs":                        `unknown scheme "ftp"`,
		"http://user:hunter2@host/logs":          `unknown scheme "http"`,
		"s3:hunter2":                             "must name a bucket without a path",
		"s3://":                                  "must name a bucket without a path",
		"s3://bucket/hunter2/hunter2":            "must name a bucket without a path",
		"s3://key:hunter2@bucket":                "remove the credentials from the URL",
		"s3://hunter2@bucket":                    "remove the credentials from the URL",
		"mem://bucket":                           "must name a bucket without a path",
		"mem://?secret=hunter2":                  "open the log archive mem:",
		"s3://bucket?secret=hunter2":             "unknown query parameter",
		"s3://bucket?secret=hunter2&a=e":         "unknown query parameter",
		"s3://bucket?use_path_style=hunter2":     "use_path_style",
		"s3://bucket?role=hunter2":               "role",
		"s3://bucket?a%22b=%22hunter2":           "unknown query parameter",
		"s3://bucket?role=ab\"hunter2%2Fx\"":     "role",
		"s3://bucket?region=hunter&role=hunter2": "role",
		"azblob://container?x=hunter2":           "this program does not read azblob:// archives",
		"gs://bucket?x=hunter2":                  "this program does not read gs:// archives",
		"file://host/directory":                  "absolute path",
		"file://relative":                        "absolute path",
		"file:relative":                          "absolute path",
		"file:///tmp/x?create_dir=hunter2":       "remove the query",
		"file:///tmp/x#hunter2":                  "remove the query",
		"s3://bucket\x7f?hunter2":                "not a URL",
		"s3://%zz?hunter2":                       "not a URL",
		"://hunter2":                             "not a URL",
	} {
		s, err := Open(t.Context(), address, Options{})
		if checked := Check(t.Context(), address, nil); checked == nil || err != nil && checked.Error() != err.Error() {
			t.Errorf("%q: Check returns %v", address, checked)
		}
		if err == nil {
			t.Errorf("%q: opened %s", address, s)
			continue
		}
		text := err.Error()
		if !strings.Contains(text, want) || !strings.HasPrefix(text, "open the log archive") {
			t.Errorf("%q: got %q, want %q in it", address, text, want)
		}
		if secret := strings.Contains(text, "hunter2") || strings.Contains(text, "…2"); secret && !strings.Contains(address, "/hunter2/") || strings.Contains(text, "\n") {
			t.Errorf("%q: got %q", address, text)
		}
	}
}

func TestALocationHasNoQuery(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	directory := t.TempDir()
	for address, want := range map[string]string{
		"mem://": "mem:",
		"s3://bucket?region=us-east-1&endpoint=http://127.0.0.1:1": "s3://bucket",
		"file://" + directory:          "file://" + directory,
		"file://localhost" + directory: "file://localhost" + directory,
	} {
		if got := open(t, address, Options{}).String(); got != want {
			t.Errorf("%q: got %q, want %q", address, got, want)
		}
	}
}

func TestADirectoryIsMadeAndIsItsOwnersAlone(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "a", "b")
	s := open(t, "file://"+directory, Options{})
	keep(t, s, []byte("x"), 0)
	require.NoError(t, s.Ping(t.Context()))
	for _, folder := range []string{directory, filepath.Join(directory, "v1", "team", "b-1")} {
		info := require.Value(os.Stat(folder))(t)
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %o", folder, info.Mode().Perm())
		}
	}
	require.NoError(t, os.RemoveAll(directory))
	if err := s.Ping(t.Context()); err == nil {
		t.Error("a missing directory answers a ping")
	}
}

func TestADirectoryThatIsAFileIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, path := range []string{file, file + "/below"} {
		if s, err := Open(t.Context(), "file://"+path, Options{}); err == nil {
			t.Errorf("opened %s", s)
		}
	}
}

func TestTwoMemoriesAreNotTheSame(t *testing.T) {
	keep(t, open(t, "mem://", Options{}), []byte("x"), 0)
	other := open(t, "mem://", Options{})
	if _, err := other.Reader(t.Context(), attempt(), Position{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestAnArchiveOutlivesItsStore(t *testing.T) {
	address := "file://" + t.TempDir()
	keep(t, open(t, address, Options{}), []byte("one\n"), 0)
	s := open(t, address, Options{})
	same(t, "all", readAll(t, s, Position{}), []byte("one\n"))
	write(t, writer(t, s, Limit{}), nil)
}

func TestNothingWorksAfterClose(t *testing.T) {
	for _, address := range []string{"mem://", "file://" + t.TempDir()} {
		s := require.Value(Open(t.Context(), address, Options{}))(t)
		w := keep(t, s, []byte("one\n"), 0)
		require.NoError(t, s.Close())
		write(t, w, []byte("two\n"))
		if err := w.Flush(t.Context()); err == nil {
			t.Error("a flush worked")
		}
		if _, err := s.Reader(t.Context(), attempt(), Position{}); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("a reader: %v", err)
		}
		if err := s.Ping(t.Context()); err == nil {
			t.Error("a ping worked")
		}
	}
}

func TestNamesThatCannotBeKeysAreRefused(t *testing.T) {
	each(t, Options{}, func(t *testing.T, s *Store) {
		for _, bad := range []string{"", ".", "..", "../x", "a/b", "a\\b", "a\x00", "ä", "a b", ".hidden", "a..", "%2e", strings.Repeat("x", 129)} {
			uid := types.UID(bad)
			for _, a := range []Attempt{{bad, "b", 1, "p"}, {"n", uid, 1, "p"}, {"n", "b", 1, uid}} {
				if _, err := s.Writer(t.Context(), a, Limit{}); !errors.Is(err, errBadName) {
					t.Errorf("%v: a writer: %v", a, err)
				}
				if _, err := s.Reader(t.Context(), a, Position{}); !errors.Is(err, ErrNotFound) {
					t.Errorf("%v: a reader: %v", a, err)
				}
				if _, err := s.Summary(t.Context(), a); !errors.Is(err, errBadName) {
					t.Errorf("%v: a summary: %v", a, err)
				}
			}
			if err := s.PutBuild(t.Context(), Build{Namespace: "n", UID: uid}); !errors.Is(err, errBadName) {
				t.Errorf("%q: PutBuild: %v", bad, err)
			}
			if _, err := s.GetBuild(t.Context(), bad, "b"); !errors.Is(err, ErrNotFound) {
				t.Errorf("%q: GetBuild: %v", bad, err)
			}
			if _, err := s.Attempts(t.Context(), "n", uid); !errors.Is(err, errBadName) {
				t.Errorf("%q: Attempts: %v", bad, err)
			}
		}
		if _, err := s.Writer(t.Context(), Attempt{"n", "b", -1, "p"}, Limit{}); !errors.Is(err, errBadName) {
			t.Errorf("attempt -1: %v", err)
		}
		longest := Attempt{strings.Repeat("n", 63), types.UID(strings.Repeat("b", 128)), 1 << 30, types.UID(strings.Repeat("p", 128))}
		w := require.Value(s.Writer(t.Context(), longest, Limit{}))(t)
		write(t, w, []byte("x"))
		seal(t, w, Seal{})
	})
}

func TestTheTimeLimitEndsAnOperation(t *testing.T) {
	s := open(t, "mem://", Options{Timeout: time.Nanosecond})
	w := &Writer{stored: stored{s: s, attempt: attempt(), prefix: prefixOf(t, attempt())}, layout: newLayout(Limit{})}
	write(t, w, []byte("x"))
	if err := w.Flush(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestAChunkNameIsReadAsItWasWritten(t *testing.T) {
	for _, chunk := range []span{
		{end: 1}, {end: chunkSize, textEnd: chunkSize}, {start: 5, end: 6, text: 3, textEnd: 4}, {start: 1<<62 - 1, end: 1 << 62, text: 1<<62 - 1, textEnd: 1 << 62},
		{start: 5, end: 105, text: 5, textEnd: 75},
	} {
		if got, ok := parseSpan(chunk.name()); !ok || got != chunk {
			t.Errorf("%v: got %v, %t", chunk, got, ok)
		}
	}
	good := span{end: 5}.name()
	for _, bad := range []string{
		"", good + ".tmp", "x" + good[1:], strings.Replace(good, "-", "+", 1), span{start: 5, end: 5}.name(), span{start: 6, end: 5}.name(),
		span{end: chunkSize + 1}.name(), "99999999999999999999" + good[20:], good[:20] + good[21:], "+" + good[1:], sealName,
		span{end: 5, text: 1}.name(), strings.Replace(good, ".zst", "-00000000000000000000.zst", 1), good[:2*offsetDigits+1] + chunkSuffix,
	} {
		if got, ok := parseSpan(bad); ok {
			t.Errorf("%q is %v", bad, got)
		}
	}
}
