// SPDX-License-Identifier: Apache-2.0

package crilog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 500, time.UTC)

// writeLog writes each string with one write, a second after the previous string.
func writeLog(t testing.TB, limit int64, writes ...string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	now := start.Add(-time.Second)
	w := NewWriter(f, func() time.Time { return now }, NewFeed(), limit)
	for _, text := range writes {
		now = now.Add(time.Second)
		if n, err := io.WriteString(w, text); n != len(text) || err != nil {
			t.Fatalf("wrote %d bytes: %v", n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return f
}

func read(t testing.TB, log Log, options Options) string {
	t.Helper()
	r, err := NewReader(context.Background(), log, nil, options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhatWasWrittenIsReadBack(t *testing.T) {
	long := strings.Repeat("0123456789", 5000)
	for name, writes := range map[string][]string{
		"nothing":                           {},
		"empty lines":                       {"\n\n\n"},
		"a line in pieces":                  {"he", "llo", "\n"},
		"no line end":                       {"first\nlast"},
		"a long line":                       {long + "\n"},
		"a long line without an end":        {long},
		"a line of exactly one record":      {long[:MaxRecordBytes] + "\nnext\n"},
		"a line of one record, then no end": {long[:MaxRecordBytes], "\n", "next\n"},
		"bytes that are not text":           {"\x00\xff\r\n\x80"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := read(t, writeLog(t, 1<<20, writes...), Options{}), strings.Join(writes, ""); got != want {
				t.Errorf("%d bytes %.60q, want %d bytes %.60q", len(got), got, len(want), want)
			}
		})
	}
}

func TestOptionsSayWhatIsRead(t *testing.T) {
	long := strings.Repeat("x", MaxRecordBytes+1)
	log := writeLog(t, 1<<20, "one\ntwo\n", long+"\n", "four\n", "fi")
	for _, c := range []struct {
		name    string
		options Options
		want    string
	}{
		{"tail 0", Options{Tail: new(int64)}, ""},
		{"tail 1 is the unfinished line", Options{Tail: new(int64(1))}, "fi"},
		{"tail 2", Options{Tail: new(int64(2))}, "four\nfi"},
		{"tail counts a long line once", Options{Tail: new(int64(3))}, long + "\nfour\nfi"},
		{"tail 4", Options{Tail: new(int64(4))}, "two\n" + long + "\nfour\nfi"},
		{"tail of all", Options{Tail: new(int64(5))}, "one\ntwo\n" + long + "\nfour\nfi"},
		{"tail of more", Options{Tail: new(int64(1 << 60))}, "one\ntwo\n" + long + "\nfour\nfi"},
		{"since the time of a line includes it", Options{Since: start.Add(2 * time.Second)}, "four\nfi"},
		{"since after all", Options{Since: start.Add(time.Hour)}, ""},
		{"tail, then since", Options{Since: start.Add(2 * time.Second), Tail: new(int64(5))}, "four\nfi"},
		{"limit", Options{Limit: new(int64(5))}, "one\nt"},
		{"limit of more", Options{Tail: new(int64(1)), Limit: new(int64(500))}, "fi"},
		{"timestamps", Options{Timestamps: true, Tail: new(int64(3))}, "2026-03-01T12:00:01.000000500Z " + long +
			"\n2026-03-01T12:00:02.000000500Z four\n2026-03-01T12:00:03.000000500Z fi"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := read(t, log, c.options); got != c.want {
				t.Errorf("%d bytes %.60q, want %d bytes %.60q", len(got), got, len(c.want), c.want)
			}
		})
	}
}

func TestTailOfALogOfManyBlocks(t *testing.T) {
	var all []string
	for i := range 5000 {
		all = append(all, fmt.Sprintf("%d %s\n", i, strings.Repeat("y", i%97)))
	}
	log := writeLog(t, 1<<30, strings.Join(all, ""))
	for _, n := range []int{1, 2, 500, 4998, 4999, 5000, 5001} {
		if got, want := read(t, log, Options{Tail: new(int64(n))}), strings.Join(all[max(0, len(all)-n):], ""); got != want {
			t.Errorf("tail %d: %d bytes, want %d", n, len(got), len(want))
		}
	}
}

func TestALogIsCutAtItsLimit(t *testing.T) {
	log := writeLog(t, 200, strings.Repeat("a line\n", 100), "and another\n")
	text := read(t, log, Options{})
	if want := strings.Repeat("a line\n", 4) + "the log is cut here: it is longer than 200 bytes\n"; text != want {
		t.Errorf("%q, want %q", text, want)
	}
}

type failingFile struct{}

func (failingFile) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestAnErrorInWritingTheLogDoesNotHoldUpTheContainer(t *testing.T) {
	feed := NewFeed()
	w := NewWriter(failingFile{}, time.Now, feed, 1<<20)
	for range 3 {
		if n, err := w.Write([]byte("text\n")); n != 5 || err != nil {
			t.Errorf("wrote %d: %v", n, err)
		}
	}
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("close: %v", err)
	}
	if _, complete := feed.next(); !complete {
		t.Error("the feed is not complete")
	}
}

func TestDamagedRecordsAreLeftOut(t *testing.T) {
	good := string(Record{Time: start, Stream: "stderr", Text: []byte("good")}.Append(nil))
	for name, content := range map[string]string{
		"torn at the end":    good + good[:20],
		"no header":          "garbage\n" + good,
		"an unknown stream":  strings.Replace(good, "stderr", "stdin", 1) + good,
		"an unknown tag":     strings.Replace(good, " F ", " X ", 1) + good,
		"a line too long":    strings.Repeat("z", 200<<10) + "\n" + good,
		"an impossible time": "2026-99-01T12:00:00Z stdout F x\n" + good,
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			log, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = log.Close() }() // only read from
			if got := read(t, log, Options{}); got != "good\n" {
				t.Errorf("%.60q", got)
			}
		})
	}
}

func TestAFollowerGetsEverythingAndEndsWithTheLog(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	feed := NewFeed()
	w := NewWriter(f, time.Now, feed, 1<<20)
	r, err := NewReader(context.Background(), f, feed, Options{Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 100)
	for _, line := range []string{"one\n", "two\n"} {
		if _, err := io.WriteString(w, line); err != nil {
			t.Fatal(err)
		}
		if n, err := r.Read(buffer); err != nil || string(buffer[:n]) != line {
			t.Errorf("read %q: %v", buffer[:n], err)
		}
	}
	done := make(chan string)
	go func() {
		rest, err := io.ReadAll(r)
		done <- fmt.Sprintf("%s%v", rest, err)
	}()
	if _, err := io.WriteString(w, "three"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got != "three<nil>" {
		t.Errorf("read %q", got)
	}
}

func TestAFollowerThatGoesAwayLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, leave := range []func(context.CancelFunc, io.Closer){
		func(cancel context.CancelFunc, _ io.Closer) { cancel() },
		func(_ context.CancelFunc, r io.Closer) { _ = r.Close() },
	} {
		log, err := os.Create(filepath.Join(t.TempDir(), "log"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		r, err := NewReader(ctx, log, NewFeed(), Options{Follow: true})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := r.Read(make([]byte, 10))
			done <- err
		}()
		leave(cancel, r)
		if err := <-done; err == nil {
			t.Error("the read does not end")
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if _, err := log.Stat(); err == nil {
			t.Error("the file is still open")
		}
	}
	NewWithT(t).Eventually(runtime.NumGoroutine).WithTimeout(time.Minute).Should(BeNumerically("<=", before))
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("2026-03-01T12:00:00.5Z stdout F text"))
	f.Add([]byte("2026-03-01T12:00:00+01:00 stderr P:x "))
	f.Add([]byte("  "))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := Parse(line)
		if err != nil || r.Time.UTC().Year() < 0 || r.Time.UTC().Year() > 9999 {
			return
		}
		// Parsing, writing and parsing a record again yields the same record.
		again, err := Parse(bytes.TrimSuffix(r.Append(nil), []byte{'\n'}))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if !again.Time.Equal(r.Time) || again.Stream != r.Stream || again.Partial != r.Partial || !bytes.Equal(again.Text, r.Text) {
			t.Fatalf("%+v became %+v", r, again)
		}
	})
}

func FuzzReadOfAnyFile(f *testing.F) {
	good := string(Record{Time: start, Stream: "stdout", Text: []byte("good")}.Append(nil))
	f.Add([]byte(good+good), int64(1), int64(3))
	f.Add([]byte(good+strings.Replace(good, " F ", " P ", 1)+good[:30]), int64(2), int64(100))
	f.Add([]byte("\n\n \n"), int64(1), int64(1))
	f.Fuzz(func(t *testing.T, content []byte, tail, limit int64) {
		file := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		log, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = log.Close() }() // only read from
		all := read(t, log, Options{})
		if text := read(t, log, Options{Tail: &tail}); !strings.HasSuffix(all, text) {
			t.Fatalf("tail %q of %q", text, all)
		}
		if limit < 1 {
			return
		}
		if text := read(t, log, Options{Limit: &limit}); !strings.HasPrefix(all, text) || int64(len(text)) > limit {
			t.Fatalf("the first %d bytes of %q: %q", limit, all, text)
		}
	})
}

func FuzzWhatIsWrittenIsReadBack(f *testing.F) {
	f.Add([]byte("a\nb"), 1)
	f.Add(bytes.Repeat([]byte("x"), 2*MaxRecordBytes+3), 1000)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		if size < 1 {
			return
		}
		var writes []string
		for chunk := range slices.Chunk(text, size) {
			writes = append(writes, string(chunk))
		}
		if got := read(t, writeLog(t, 1<<30, writes...), Options{}); got != string(text) {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
