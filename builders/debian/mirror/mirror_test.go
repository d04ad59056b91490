// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What was fetched once is served from the directory: by a mirror that fetches, and by one that is offline.
func TestWhatIsKeptIsNeverFetchedAgain(t *testing.T) {
	a := newArchive(t)
	m := mirrorOf(t, a)
	index, _ := a.get(packages)
	paths := []string{release, packages, byHash(index), deb}
	check := func(m *served, hits, misses int64) {
		t.Helper()
		for _, path := range paths {
			want, _ := a.get(path)
			if got := m.proxied(a.host, path, nil); got.status != http.StatusOK || got.body != want || got.err != nil {
				t.Errorf("%s by the proxy: status %d, %d bytes, %v, %.100s", path, got.status, len(got.body), got.err, got.body)
			}
			if got := m.mirrored(http.MethodGet, a.host, path); got.status != http.StatusOK || got.body != want {
				t.Errorf("%s by the mirror: status %d, %d bytes", path, got.status, len(got.body))
			}
			if got := m.mirrored(http.MethodHead, a.host, path); got.status != http.StatusOK || got.body != "" || got.header.Get("Last-Modified") != "Tue, 14 Nov 2023 22:13:20 GMT" {
				t.Errorf("the head of %s: %+v", path, got)
			}
			if got := m.proxied(a.host, path, http.Header{"Range": {"bytes=10-19"}}); got.status != http.StatusPartialContent || got.body != want[10:20] {
				t.Errorf("a part of %s: %+v", path, got)
			}
			if _, asked := a.get(path); asked != 1 {
				t.Errorf("%s was fetched %d times", path, asked)
			}
		}
		if s := m.Statistics(); s.Hits != hits || s.Misses != misses || s.Bytes == 0 {
			t.Errorf("the statistics are %+v", s)
		}
	}
	check(m, 12, 4)
	if s := m.Statistics(); s.FetchedBytes != int64(len(index)*2+500_008)+int64(len(kept(t, m.directory)[a.host+release])) {
		t.Errorf("the statistics are %+v", s)
	}
	m.stop(t)

	a.publish("second") // is never seen
	a.publish("first")
	offline := serve(t, Options{Directory: m.directory, Offline: true})
	check(offline, 16, 0)
	const missing = "/debian/pool/main/m/missing.deb"
	if got := offline.mirrored(http.MethodGet, a.host, missing); got.status != http.StatusNotFound || !strings.Contains(got.body, missing+" is not kept, and the mirror is offline") {
		t.Errorf("what is missing is answered with %+v", got)
	}
	if got := offline.mirrored(http.MethodGet, "", "statistics"); !strings.Contains(got.body, `"hits":16,"misses":1,`) {
		t.Errorf("the statistics are %s", got.body)
	}
	offline.stop(t)
	if !strings.Contains(offline.log.String(), "missing: http://"+a.host+missing) {
		t.Errorf("the log is %s", offline.log)
	}
}

// Requests at the same time have one download, and get its bytes as they come.
func TestRequestsAtTheSameTimeFetchOnce(t *testing.T) {
	const clients = 8
	a := newArchive(t)
	var begun, ended sync.WaitGroup
	begun.Add(clients)
	a.set(func() {
		a.fault = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(&halting{w, begun.Wait}, r)
			})
		}
	})
	m := mirrorOf(t, a)
	want, _ := a.get(deb)
	for range clients {
		ended.Go(func() {
			response, err := http.Get(m.URL + "/" + a.host + deb)
			begun.Done() // the archive has not sent the end yet
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = response.Body.Close() }()
			got := &strings.Builder{}
			if _, err := io.Copy(got, response.Body); err != nil || got.String() != want {
				t.Errorf("%d bytes, %v", got.Len(), err)
			}
		})
	}
	ended.Wait()
	if _, asked := a.get(deb); asked != 1 {
		t.Errorf("%d requests reach the archive", asked)
	}
	if s := m.Statistics(); s.Misses != clients {
		t.Errorf("the statistics are %+v", s)
	}
}

// A download goes on when its client leaves: the next one finds the file.
func TestADownloadOutlivesItsClient(t *testing.T) {
	a := newArchive(t)
	left := make(chan struct{})
	a.set(func() {
		a.fault = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(&halting{w, func() { <-left }}, r)
			})
		}
	})
	m := mirrorOf(t, a)
	ctx, leave := context.WithCancel(t.Context())
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, m.URL+"/"+a.host+deb, nil)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	leave()
	_ = response.Body.Close()
	close(left)
	want, _ := a.get(deb)
	if got := m.proxied(a.host, deb, nil); got.body != want {
		t.Errorf("the next client gets status %d, %d bytes", got.status, len(got.body))
	}
	if _, asked := a.get(deb); asked != 1 {
		t.Errorf("%d requests reach the archive", asked)
	}
}

// Only one mirror fetches into a directory. What it had not finished is removed by the next one.
func TestADirectoryHasOneMirrorThatFetches(t *testing.T) {
	a := newArchive(t)
	m := mirrorOf(t, a)
	a.set(func() {
		a.fault = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(&halting{w, func() { <-r.Context().Done() }}, r) // never ends
			})
		}
	})
	response, err := http.Get(m.URL + "/" + a.host + deb)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := Open(Options{Directory: m.directory}); err == nil || !strings.Contains(err.Error(), "another mirror fetches into it") {
		t.Errorf("a second mirror opens the directory: %v", err)
	}
	other, err := Open(Options{Directory: m.directory, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if err := m.Mirror.Close(); err != nil { // cancels the download
		t.Error(err)
	}
	if got := m.fetch(file{a.host, deb}); got.err == nil || statusOf(got.err) != http.StatusServiceUnavailable {
		t.Errorf("a mirror that is closed begins a download: %v", got.err)
	}
	if diff := cmp.Diff([]string(nil), names(kept(t, m.directory))); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	a.set(func() { a.fault = nil })
	next := serve(t, Options{Directory: m.directory, Allow: []string{a.host}})
	if got := next.proxied(a.host, deb, nil); got.status != http.StatusOK {
		t.Errorf("the next mirror answers with %+v", got)
	}
}
