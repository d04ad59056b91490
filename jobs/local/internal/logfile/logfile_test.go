// SPDX-License-Identifier: Apache-2.0

package logfile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"goldsmith.dev/goldsmith/e2e/require"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 500, time.UTC)

// lineOf returns a line of a file.
func lineOf(text string) string { return string(appendHeader(nil, start)) + text + "\n" }

// writeLog writes each string with one write, a second after the previous string.
func writeLog(t testing.TB, limit int64, writes ...string) (path string) {
	t.Helper()
	f := newLog(t)
	now := start.Add(-time.Second)
	w := NewWriter(f, func() time.Time { return now }, NewFeed(), limit)
	for _, text := range writes {
		now = now.Add(time.Second)
		if n, err := io.WriteString(w, text); n != len(text) || err != nil {
			t.Fatalf("wrote %d bytes: %v", n, err)
		}
	}
	require.NoError(t, w.Close())
	return f.Name()
}

func newLog(t testing.TB) *os.File {
	t.Helper()
	f := require.Value(os.Create(filepath.Join(t.TempDir(), "log")))(t)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func openLog(t testing.TB, path string, feed *Feed, options Options) io.ReadCloser {
	t.Helper()
	files, err := Open(path, os.Open)
	require.NoError(t, err)
	r, err := NewReader(context.Background(), files, feed, options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func read(t testing.TB, path string, options Options) string {
	t.Helper()
	text := require.Value(io.ReadAll(openLog(t, path, nil, options)))(t)
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
		"a line of exactly one record":      {long[:blockBytes] + "\nnext\n"},
		"a line of one record, then no end": {long[:blockBytes], "\n", "next\n"},
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
	long := strings.Repeat("x", blockBytes+1)
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
		{"tail of more", Options{Tail: new(int64(math.MaxInt64))}, "one\ntwo\n" + long + "\nfour\nfi"},
		{"since the time of a line includes it", Options{Since: start.Add(2 * time.Second)}, "four\nfi"},
		{"since after all", Options{Since: start.Add(time.Hour)}, ""},
		{"tail, then since", Options{Since: start.Add(2 * time.Second), Tail: new(int64(5))}, "four\nfi"},
		{"limit", Options{Limit: new(int64(5))}, "one\nt"},
		{"limit of more", Options{Tail: new(int64(1)), Limit: new(int64(math.MaxInt64))}, "fi"},
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

// The beginning of a line decides, to the nanosecond, also where the line is in several records.
func TestALineIsSinceATimeAsAWhole(t *testing.T) {
	log := writeLog(t, 1<<20, "one\n", strings.Repeat("x", blockBytes), "rest\n", "four\n")
	for since, want := range map[time.Duration]string{
		-1: "one\n", 0: "one\n", 1: "", time.Second: "", time.Second + 1: "four\n", 2 * time.Second: "four\n", 3*time.Second + 1: "",
	} {
		got := read(t, log, Options{Since: start.Add(since)})
		if since <= time.Second {
			want += strings.Repeat("x", blockBytes) + "rest\nfour\n"
		}
		if got != want {
			t.Errorf("since %s: %d bytes %.60q, want %d bytes %.60q", since, len(got), got, len(want), want)
		}
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

// notice is the line where bytes are missing.
var notice = regexp.MustCompile(`(?m)^(?:\S+ )?\[goldsmith: (\d+) bytes of the log were dropped because it is too long\]\n`)

// kept returns the beginning and the end of a log that was cut, and how many bytes are missing between them.
func kept(t *testing.T, text string) (head, tail string, missing int) {
	t.Helper()
	found := notice.FindAllStringSubmatchIndex(text, -1)
	if len(found) != 1 {
		t.Fatalf("%d notices in %d bytes %.200q", len(found), len(text), text)
	}
	missing = require.Value(strconv.Atoi(text[found[0][2]:found[0][3]]))(t)
	return text[:found[0][0]], text[found[0][1]:], missing
}

// size is the size of all files of a log.
func size(t *testing.T, path string) (bytes int64) {
	t.Helper()
	names := require.Value(filepath.Glob(path + "*"))(t)
	for _, name := range names {
		info := require.Value(os.Stat(name))(t)
		bytes += info.Size()
	}
	return bytes
}

func TestALogWithinItsLimitIsWhole(t *testing.T) {
	const limit = 1 << 20
	for name, line := range map[string]string{"lines of a byte": "\n", "lines": "a line of the builder\n", "no line end": "x"} {
		t.Run(name, func(t *testing.T) {
			text := strings.Repeat(line, limit*7/8/len(line))
			if got := read(t, writeLog(t, limit, text, "the end"), Options{}); got != text+"the end" {
				t.Errorf("%d bytes are read, and %d were written", len(got), len(text)+7)
			}
		})
	}
}

func TestALogBeyondItsLimitKeepsItsBeginningAndItsEnd(t *testing.T) {
	const limit = 1 << 20
	numbered := func(format string) (text string) {
		var b strings.Builder
		for i := 0; b.Len() < 3*limit; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		text  string
		lines bool // it is cut at line ends
	}{
		"lines":                  {numbered("line %d\n"), true},
		"lines of a byte":        {strings.Repeat("\n", 3*limit), true},
		"lines of some records":  {strings.Repeat(strings.Repeat("x", 3*blockBytes/8)+"\n"+strings.Repeat("y", 7000)+"\n", 250), true},
		"no line end":            {numbered("%d "), false},
		"one giant line at last": {"first\n" + numbered("%d ") + "\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeLog(t, limit, slices.Collect(func(yield func(string) bool) {
				for chunk := range slices.Chunk([]byte(c.text), 30_000) {
					if !yield(string(chunk)) {
						return
					}
				}
			})...)
			head, tail, missing := kept(t, read(t, path, Options{}))
			if !c.lines {
				head = strings.TrimSuffix(head, "\n") // ends the line that is cut
			}
			if !strings.HasPrefix(c.text, head) || !strings.HasSuffix(c.text, tail) {
				t.Errorf("neither the beginning nor the end: %.60q, %.60q", head, tail)
			}
			if whole := len(head) + missing + len(tail); whole != len(c.text) {
				t.Errorf("%d bytes, %d missing, %d bytes are %d of %d", len(head), missing, len(tail), whole, len(c.text))
			}
			if len(head)+len(tail) > limit || len(head) < limit*3/8 || len(tail) < limit*3/8 {
				t.Errorf("%d and %d bytes are kept, of a limit of %d", len(head), len(tail), limit)
			}
			if c.lines && !strings.HasSuffix(head, "\n") {
				t.Errorf("the beginning ends within a line: %q", head[len(head)-20:])
			}
			if c.lines && c.text[len(c.text)-len(tail)-1] != '\n' {
				t.Errorf("the end begins within a line: %.20q", tail)
			}
			if last := read(t, path, Options{Tail: new(int64(1))}); !strings.HasSuffix(c.text, last) || last == "" {
				t.Errorf("the last line is %.60q", last)
			}
			lines := strings.Count(tail, "\n")
			for n, want := range map[int]string{lines: tail, lines + 1: notice.FindString(read(t, path, Options{})) + tail} {
				if got := read(t, path, Options{Tail: new(int64(n))}); c.lines && got != want {
					t.Errorf("the last %d lines are %d bytes %.60q, want %d bytes %.60q", n, len(got), got, len(want), want)
				}
			}
		})
	}
}

func TestAFollowerOfALogThatIsCut(t *testing.T) {
	const limit, lines, never = 1 << 16, 2000, -1
	f, feed := newLog(t), NewFeed()
	w := NewWriter(f, time.Now, feed, limit)
	type follower struct {
		io.Reader
		stops int // before it reads this line
		seen  strings.Builder
	}
	var followers []*follower
	for _, stops := range []int{never, 50, lines / 2, lines/2 + 9, lines/2 + 18} {
		followers = append(followers, &follower{Reader: openLog(t, f.Name(), feed, Options{Follow: true}), stops: stops})
	}
	var all strings.Builder
	buffer := make([]byte, 1<<16)
	for i := range lines {
		line := fmt.Sprintf("line %d%s\n", i, strings.Repeat(".", i%7*300)) // some are longer than an eighth of a file
		all.WriteString(line)
		if _, err := io.WriteString(w, line); err != nil {
			t.Fatal(err)
		}
		for _, f := range followers {
			for (f.stops == never || i < f.stops) && f.seen.Len() < all.Len() {
				n := require.Value(f.Read(buffer))(t)
				f.seen.Write(buffer[:n])
			}
		}
		if got := size(t, f.Name()); i%100 == 0 && got > limit*8 {
			t.Fatalf("the files have %d bytes", got)
		}
	}
	require.NoError(t, w.Close())
	for _, f := range followers {
		rest := require.Value(io.ReadAll(f))(t)
		text := f.seen.String() + string(rest)
		if f.stops == never {
			if text != all.String() {
				t.Errorf("a follower that keeps up has %d bytes of %d", len(text), all.Len())
			}
			continue
		}
		head, tail, missing := kept(t, text)
		if !strings.HasPrefix(all.String(), head) {
			head = strings.TrimSuffix(head, "\n") // ends the line that is cut
		}
		if !strings.HasPrefix(all.String(), head) || !strings.HasSuffix(all.String(), tail) || len(head)+missing+len(tail) != all.Len() {
			t.Errorf("a follower that stops before line %d has %d bytes, %d missing, %d bytes of %d", f.stops, len(head), missing, len(tail), all.Len())
		}
	}
}

// A server that is killed leaves a torn record in the last file, and maybe a file too many.
func TestALogWhoseServerWasKilledIsRead(t *testing.T) {
	const limit = 1 << 16
	text := strings.Repeat("a line of the builder\n", 3*limit/22)
	path := writeLog(t, limit, text)
	names, err := filepath.Glob(path + ".*")
	if err != nil || len(names) < 2 {
		t.Fatalf("%q, %v", names, err)
	}
	slices.SortFunc(names, func(a, b string) int { return len(a) - len(b) + strings.Compare(a, b) })
	last := names[len(names)-1]
	info := require.Value(os.Stat(last))(t)
	require.NoError(t, os.Truncate(last, info.Size()-5))
	head, tail, missing := kept(t, read(t, path, Options{}))
	if whole := len(head) + missing + len(tail); !strings.HasPrefix(text, head) || whole != len(text)-5 {
		t.Errorf("%d bytes, %d missing, %d bytes of %d", len(head), missing, len(tail), len(text))
	}
}

// The writer removes files of the middle while the log is read.
func TestATailBeginsWhereTheLogEndedWhenItWasOpened(t *testing.T) {
	const half = 40_000
	f := newLog(t)
	w := NewWriter(f, time.Now, NewFeed(), 1<<20)
	line := func(number int) string { return fmt.Sprintf("line %d of the builder", number) }
	write := func(from, end int) {
		for number := from; number < end; number++ {
			require.Value(io.WriteString(w, line(number)+"\n"))(t)
		}
	}
	write(0, half)
	r := openLog(t, f.Name(), nil, Options{Tail: new(int64(10))})
	write(half, 2*half)
	require.NoError(t, w.Close())
	tail := strings.Split(string(require.Value(io.ReadAll(r))(t)), "\n")
	if !strings.HasSuffix(tail[0], line(half-10)) || !strings.HasSuffix(tail[9], line(half-1)) || !strings.HasSuffix(tail[len(tail)-2], line(2*half-1)) {
		t.Errorf("%d lines, the first %q, the last %q", len(tail), tail[0], tail[len(tail)-2:])
	}
}

func TestAnErrorInWritingTheLogDoesNotHoldUpTheContainer(t *testing.T) {
	feed := NewFeed()
	f := newLog(t)
	require.NoError(t, f.Close())
	w := NewWriter(f, time.Now, feed, 1<<20)
	for range 3 {
		if n, err := w.Write([]byte("text\n")); n != 5 || err != nil {
			t.Errorf("wrote %d: %v", n, err)
		}
	}
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "write the log: ") {
		t.Errorf("close: %v", err)
	}
	if _, complete := feed.next(); !complete {
		t.Error("the feed is not complete")
	}
}

func TestWhatHasNoHeaderIsLeftOutAndNotCounted(t *testing.T) {
	line := lineOf
	for damage, content := range map[string]string{
		"a torn time":        line("good") + line("torn")[:20],
		"a torn stream":      line("good") + line("torn")[:len(line(""))-6],
		"a torn header":      line("good") + line("")[:len(line(""))-1],
		"no header":          line("good") + "garbage\n",
		"an unknown stream":  line("good") + strings.Replace(line("x"), "stdout", "stdin", 1),
		"other separators":   line("good") + strings.ReplaceAll(line("x"), "\t", " "),
		"a line too long":    strings.Repeat("z", 200<<10) + "\n" + line("good"),
		"an impossible time": line("good") + strings.Replace(line("x"), "2026-03", "2026-99", 1),
	} {
		file := filepath.Join(t.TempDir(), "log")
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		for of, options := range map[string]Options{"all": {}, "tail": {Tail: new(int64(1))}, "limit": {Limit: new(int64(5))}} {
			if got := read(t, file, options); got != "good\n" {
				t.Errorf("%s, %s: %.60q", damage, of, got)
			}
		}
	}
}

func TestAFollowerGetsEverythingAndEndsWithTheLog(t *testing.T) {
	f, feed := newLog(t), NewFeed()
	w := NewWriter(f, time.Now, feed, 1<<20)
	r := openLog(t, f.Name(), feed, Options{Follow: true})
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
	require.NoError(t, w.Close())
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
		log, err := Open(newLog(t).Name(), os.Open)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		r, err := NewReader(ctx, log, NewFeed(), Options{Follow: true})
		require.NoError(t, err)
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
		if _, err := log.Size(); err == nil {
			t.Error("the file is still open")
		}
	}
	NewWithT(t).Eventually(runtime.NumGoroutine).WithTimeout(time.Minute).Should(BeNumerically("<=", before))
}

func FuzzReadOfAnyFile(f *testing.F) {
	good := lineOf("good")
	f.Add([]byte(good+good), int64(1), int64(3))
	f.Add([]byte(good+good+good[:len(good)-1]), int64(2), int64(100))
	f.Add([]byte("\n\n \n"), int64(1), int64(1))
	f.Fuzz(func(t *testing.T, content []byte, tail, limit int64) {
		file := filepath.Join(t.TempDir(), "log")
		require.NoError(t, os.WriteFile(file, content, 0o600))
		all := read(t, file, Options{})
		if text := read(t, file, Options{Tail: &tail}); !strings.HasSuffix(all, text) {
			t.Fatalf("tail %q of %q", text, all)
		}
		if limit < 1 {
			return
		}
		if text := read(t, file, Options{Limit: &limit}); !strings.HasPrefix(all, text) || int64(len(text)) > limit {
			t.Fatalf("the first %d bytes of %q: %q", limit, all, text)
		}
	})
}

func FuzzWhatIsWrittenIsReadBack(f *testing.F) {
	f.Add([]byte("a\nb"), 1)
	f.Add(bytes.Repeat([]byte("x"), 2*blockBytes+3), 1000)
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
