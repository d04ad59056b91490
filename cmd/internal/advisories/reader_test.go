// SPDX-License-Identifier: Apache-2.0

package advisories

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/advisories"
)

const (
	tracker = `{"openssl": {"CVE-2026-1111": {"releases": {"trixie": {"status": "open", "urgency": "high"}}}}}`
	two     = `{"openssl": {"CVE-2026-1111": {"releases": {"trixie": {"status": "open", "urgency": "high"}}}, "CVE-2026-2": {}}}`
	osv     = `{"id": "CVE-2026-2222", "affected": [{"package": {"ecosystem": "npm", "name": "left-pad"}, "versions": ["1.0.0"]}]}`
)

// opened is a reader of one source, with what it told.
type opened struct {
	*Reader
	clock *clocktesting.FakeClock
	told  []string
}

func open(t *testing.T, places ...string) *opened {
	t.Helper()
	flags := Flags{Sources: places}
	reader := require.Value(flags.Open())(t)
	o := &opened{Reader: reader, clock: clocktesting.NewFakeClock(time.Unix(1_800_000_000, 0))}
	reader.clock = o.clock
	return o
}

// read reads the source once, and returns what Current has, and what was told.
func (o *opened) read(t *testing.T) string {
	t.Helper()
	o.told = nil
	o.pass(t.Context(), o.sources[0], func(line string) { o.told = append(o.told, line) })
	sets, sources, err := o.Current()
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprintf("%s %d entries, message %q, told %q", sources[0].Name, sets[0].Entries, sources[0].Message, o.told)
}

func TestAFileIsReadAgainWhenItChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tracker.json")
	reader := open(t, path)
	write := func(content string) {
		t.Helper()
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	// replace replaces the file in one step by one that differs only in its inode.
	replace := func(content string) {
		t.Helper()
		at := require.Value(os.Stat(path))(t).ModTime()
		require.NoError(t, os.WriteFile(path+".new", []byte(content), 0o600))
		require.NoError(t, os.Chtimes(path+".new", at, at))
		require.NoError(t, os.Rename(path+".new", path))
	}
	if _, _, err := reader.Current(); err == nil || err.Error() != "the server is reading the advisories tracker.json: ask again" {
		t.Errorf("before the first pass: %v", err)
	}
	for _, step := range []struct {
		name   string
		change func()
		want   string
	}{
		{"missing", func() {}, "error: the advisories tracker.json cannot be read: no such file or directory"},
		{"empty", func() { write("") }, "error: the advisories tracker.json cannot be read: it is empty, must be the JSON of"},
		{"written", func() { write(tracker) }, `tracker.json 1 entries, message "", told ["advisories: tracker.json: read 1 entries (DebianTracker)"]`},
		{"unchanged", func() {}, `tracker.json 1 entries, message "", told []`},
		{"grown", func() { write(two) }, `tracker.json 2 entries, message "", told ["advisories: tracker.json: read 2 entries (DebianTracker)"]`},
		{"replaced", func() { replace(strings.Replace(two, "CVE-2026-2", "CVE-2026-3", 1)) }, `told ["advisories: tracker.json: read 2`},
		{"truncated", func() { write(tracker[:40]) }, `tracker.json 2 entries, message "the advisories end in the middle of an entry, after`},
		{"still truncated", func() {}, `told []`},
		{"deleted", func() { require.NoError(t, os.Remove(path)) }, `message "no such file or directory", told ["advisories: tracker.json: no such file or directory: what was read before counts"]`},
		{"still deleted", func() {}, `message "no such file or directory", told []`},
		{"back", func() { write(two) }, `tracker.json 2 entries, message "", told ["advisories: tracker.json: read 2`},
		{"a directory", func() {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.Mkdir(path, 0o700))
		}, `message "it is not a regular file"`},
	} {
		step.change()
		if got := reader.read(t); !strings.Contains(got, step.want) {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
	}
}

func TestAConfigMapIsReadAgain(t *testing.T) {
	volume := t.TempDir()
	mount := func(version, content string) {
		t.Helper()
		require.NoError(t, os.Mkdir(filepath.Join(volume, version), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(volume, version, "tracker.json"), []byte(content), 0o600))
		require.NoError(t, os.Symlink(version, filepath.Join(volume, "..tmp")))
		require.NoError(t, os.Rename(filepath.Join(volume, "..tmp"), filepath.Join(volume, "..data")))
	}
	mount("..1", tracker)
	require.NoError(t, os.Symlink("..data/tracker.json", filepath.Join(volume, "tracker.json")))
	reader := open(t, filepath.Join(volume, "tracker.json"))
	for _, want := range []string{"1 entries", "2 entries"} {
		if got := reader.read(t); !strings.Contains(got, "tracker.json "+want) {
			t.Errorf("got %s, want %s", got, want)
		}
		if want == "1 entries" {
			mount("..2", two)
		}
	}
}

func TestAnAddressIsAskedWhetherItHasChanged(t *testing.T) {
	var handler atomic.Pointer[http.HandlerFunc]
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) { (*handler.Load())(writer, request) }))
	defer server.Close()
	address := strings.Replace(server.URL, "://", "://me:secret@", 1) + "/data?token=secret"
	reader := open(t, address)
	archive := &bytes.Buffer{}
	entries := zip.NewWriter(archive)
	require.Value(require.Value(entries.Create("CVE-2026-2222.json"))(t).Write([]byte(osv)))(t)
	require.NoError(t, entries.Close())
	for _, step := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"not found", http.NotFound, "/data cannot be read: the server answers 404 Not Found"},
		{"a redirect loop", func(writer http.ResponseWriter, request *http.Request) {
			http.Redirect(writer, request, "/data", http.StatusFound)
		}, "redirects more than 5 times"},
		{"not modified, without a question", func(writer http.ResponseWriter, _ *http.Request) { writer.WriteHeader(http.StatusNotModified) }, "answers 304"},
		{"with a tag", func(writer http.ResponseWriter, _ *http.Request) {
			writer.Header().Set("ETag", `"1"`)
			writer.Header().Set("Last-Modified", "Sun, 29 Nov 2026 10:00:00 GMT")
			_, _ = writer.Write([]byte(tracker))
		}, `/data 1 entries, message ""`},
		{"unchanged", func(writer http.ResponseWriter, request *http.Request) {
			if request.Header.Get("If-None-Match") == `"1"` && request.Header.Get("If-Modified-Since") == "Sun, 29 Nov 2026 10:00:00 GMT" {
				writer.WriteHeader(http.StatusNotModified)
			}
		}, `/data 1 entries, message "", told []`},
		{"a page", func(writer http.ResponseWriter, _ *http.Request) { _, _ = writer.Write([]byte("<!DOCTYPE html>")) }, `/data 1 entries, message "it begins with`},
		{"cut off", func(writer http.ResponseWriter, _ *http.Request) {
			writer.Header().Set("Content-Length", "1000")
			_, _ = writer.Write([]byte(tracker[:50]))
		}, `/data 1 entries, message "the advisories end in the middle`},
		{"a zip archive", func(writer http.ResponseWriter, _ *http.Request) { _, _ = writer.Write(archive.Bytes()) }, `read 1 entries (OSV)`},
	} {
		handler.Store(&step.handler)
		got := reader.read(t)
		if !strings.Contains(got, step.want) {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
		if strings.Contains(got, "secret") {
			t.Errorf("%s shows the credentials: %s", step.name, got)
		}
	}
	server.Close()
	if got := reader.read(t); !strings.Contains(got, "connection refused") || strings.Contains(got, "secret") || !strings.Contains(got, "/data 1 entries") {
		t.Errorf("without a server: %s", got)
	}
}

func TestAnAddressIsReadEachHourAndSoonerAfterAFailure(t *testing.T) {
	var content atomic.Value
	content.Store(tracker)
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(writer, content.Load()) }))
	defer server.Close()
	reader := open(t, server.URL)
	pass := func() time.Duration { return reader.pass(t.Context(), reader.sources[0], func(string) {}) }
	if again := pass(); again < time.Hour || again > 66*time.Minute {
		t.Errorf("read again after %s", again)
	}
	content.Store("<!DOCTYPE html>")
	for _, want := range []time.Duration{10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, time.Hour, time.Hour} {
		if again := pass(); again < want || again > want*11/10 {
			t.Errorf("a page was read again after %s, want %s", again, want)
		}
	}
	server.Close()
	if again := pass(); again < 5*time.Minute || again > 6*time.Minute {
		t.Errorf("tried again after %s", again)
	}
}

func TestSourcesShareMemory(t *testing.T) {
	var places []string
	for name, content := range map[string]string{"a": tracker, "b": tracker} {
		places = append(places, filepath.Join(t.TempDir(), name))
		require.NoError(t, os.WriteFile(places[len(places)-1], []byte(content), 0o600))
	}
	set := require.Value(advisories.Read(strings.NewReader(tracker)))(t)
	for memory, want := range map[int64]string{2 * set.Memory(): "", 2*set.Memory() - 1: "cannot be read: all advisories together need more than 0 MiB of memory: use those of one distribution"} {
		reader := open(t, places...)
		reader.memory = memory
		for _, one := range append(reader.sources, reader.sources[0]) { // the first is replaced
			one.seen = nil
			reader.pass(t.Context(), one, func(string) {})
		}
		if _, _, err := reader.Current(); (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%d bytes: %v", memory, err)
		}
	}
}

func TestOneSourceIsReadAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tracker.json")
	require.NoError(t, os.WriteFile(path, []byte(tracker), 0o600))
	synctest.Test(t, func(t *testing.T) {
		reader := open(t, path)
		reader.reading <- struct{}{}
		go reader.pass(t.Context(), reader.sources[0], func(string) {})
		synctest.Wait()
		if _, _, err := reader.Current(); err == nil {
			t.Error("it was read while another source is read")
		}
		<-reader.reading
		synctest.Wait()
		if _, _, err := reader.Current(); err != nil {
			t.Error(err)
		}
	})
}

func TestAnAddressIsNotLedAwayFromTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.RedirectHandler("http://127.0.0.1/", http.StatusFound))
	defer server.Close()
	reader := open(t, server.URL)
	reader.client.Transport = server.Client().Transport
	if got := reader.read(t); !strings.Contains(got, "cannot be read: request it: it redirects from https:// to http://") {
		t.Errorf("got %s", got)
	}
}

func TestRunReadsAllSourcesUntilItIsStopped(t *testing.T) {
	var places []string
	for name, content := range map[string]string{"a": tracker, "b": osv} {
		places = append(places, filepath.Join(t.TempDir(), name))
		require.NoError(t, os.WriteFile(places[len(places)-1], []byte(content), 0o600))
	}
	reader := open(t, places...)
	ctx, stop := context.WithCancel(t.Context())
	told, ended := make(chan string, 2), make(chan error)
	go func() { ended <- reader.Run(ctx, func(line string) { told <- line }) }()
	<-told
	<-told
	if sets, sources, err := reader.Current(); err != nil || len(sets) != 2 || len(sources) != 2 {
		t.Errorf("%d sets, %d sources, %v", len(sets), len(sources), err)
	}
	stop()
	if err := <-ended; err == nil {
		t.Error("it ended without an error")
	}
}

func TestSourcesAreFilesOrAddresses(t *testing.T) {
	for _, c := range []struct {
		sources []string
		want    string
	}{
		{[]string{"tracker.json", "https://security-tracker.debian.org/tracker/data/json", "http://127.0.0.1:8000/all.zip"}, ""},
		{[]string{""}, `--advisories "": must be the path of a file, or a URL`},
		{[]string{"ftp://me:secret@mirror.example/json"}, "--advisories ftp://mirror.example/json: must be a file, or a URL with https:// or http://"},
		{[]string{"https:///json"}, "must be a file, or a URL"},
		{[]string{"https://me:sec%ret@host/"}, "--advisories has no valid URL: write https://host/path"},
		{[]string{"a", "./a"}, "--advisories a: is there twice: set it once"},
	} {
		flags := Flags{Sources: c.sources}
		err := flags.Check()
		if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.Contains(got, c.want) || strings.Contains(got, "sec") {
			t.Errorf("%q: %v", c.sources, err)
		}
	}
	if known, err := (&Flags{}).Advisories(); known != nil || err != nil {
		t.Errorf("without sources: %v, %v", known, err)
	}
}
