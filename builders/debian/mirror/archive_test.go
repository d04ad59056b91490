// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/builders/debian/mirror/faults"
)

const (
	release  = "/debian/dists/trixie/InRelease"
	packages = "/debian/dists/trixie/main/binary-amd64/Packages.xz"
	deb      = "/debian/pool/main/h/hello/hello_2.10+1_amd64.deb"
)

// archive is an archive of Debian.
type archive struct {
	*httptest.Server
	host string

	mutex sync.Mutex
	files map[string]string
	fault faults.Fault   // of all answers
	asked map[string]int // requests, by path
}

func newArchive(t *testing.T) *archive {
	a := &archive{asked: map[string]int{}}
	a.publish("first")
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	a.host = a.Listener.Addr().String()
	return a
}

// publish makes a state of the archive.
func (a *archive) publish(state string) {
	index := strings.Repeat("packages of "+state+"\n", 20_000)
	a.set(func() {
		a.files = map[string]string{
			packages:        index,
			byHash(index):   index,
			deb:             archived + strings.Repeat("hello", 100_000),
			"/debian/a":     "elsewhere",
			indexOf("z.gz"): "not described",
			release: signed + "\nHash: SHA256\n\nSuite: trixie\nMD5Sum:\n 0 1 main/binary-amd64/Packages.xz\nSHA256:\n " +
				sum("x") + " 1 main/binary-amd64/x\n " + sum(index) + fmt.Sprintf(" %d", len(index)) + " main/binary-amd64/Packages.xz\n-----BEGIN PGP SIGNATURE-----\n",
		}
	})
}

func indexOf(name string) string { return "/debian/dists/trixie/main/binary-amd64/" + name }

func byHash(index string) string { return indexOf("by-hash/SHA256/" + sum(index)) }

func sum(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }

func (a *archive) set(change func()) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	change()
}

// get returns a file, and how often it was asked for.
func (a *archive) get(path string) (content string, asked int) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.files[path], a.asked[path]
}

func (a *archive) serve(w http.ResponseWriter, r *http.Request) {
	a.mutex.Lock()
	content, ok := a.files[r.URL.Path]
	a.asked[r.URL.Path]++
	fault := a.fault
	a.mutex.Unlock()
	var handler http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", contentType)
		http.ServeContent(w, r, "", time.Unix(1_700_000_000, 0), strings.NewReader(content))
	})
	if fault != nil {
		handler = fault(handler)
	}
	handler.ServeHTTP(w, r)
}

// served is a mirror that is served.
type served struct {
	*Mirror
	*httptest.Server
	directory string
	log       *bytes.Buffer // read it once the mirror is stopped
	stopped   bool
}

func serve(t *testing.T, options Options) *served {
	t.Helper()
	s := &served{directory: options.Directory, log: &bytes.Buffer{}}
	options.Log = log.New(s.log, "", 0)
	var err error
	if s.Mirror, err = Open(options); err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(s.Mirror)
	t.Cleanup(func() { s.stop(t) })
	return s
}

// mirrorOf serves a mirror of an archive, in a directory that is new.
func mirrorOf(t *testing.T, a *archive) *served {
	t.Helper()
	return serve(t, Options{Directory: t.TempDir(), Allow: []string{a.host}})
}

func (s *served) stop(t *testing.T) {
	if s.stopped {
		return
	}
	s.stopped = true
	s.cancel() // otherwise the requests wait for their downloads
	s.Server.Close()
	if err := s.Mirror.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

// answer is what a client of a mirror got.
type answer struct {
	status int // 0: none
	header http.Header
	body   string
	err    error // why the body is not whole
}

// proxied asks the mirror as a proxy.
func (s *served) proxied(host, path string, header http.Header) answer {
	at, _ := url.Parse(s.URL)
	client := http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at), DisableKeepAlives: true}}
	return ask(context.Background(), &client, http.MethodGet, "http://"+host+path, header)
}

// mirrored asks the mirror as a mirror.
func (s *served) mirrored(method, host, path string) answer {
	return ask(context.Background(), http.DefaultClient, method, s.URL+"/"+host+path, nil)
}

func ask(ctx context.Context, client *http.Client, method, address string, header http.Header) answer {
	request, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return answer{err: err}
	}
	maps.Copy(request.Header, header)
	response, err := client.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body), err}
}

// kept returns the files of a directory that a mirror serves, with their contents.
func kept(t *testing.T, directory string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && entry.Name() == unfinished {
			return cmp.Or(err, fs.SkipDir)
		}
		if entry.Type().IsRegular() && entry.Name() != ".lock" {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, _ := filepath.Rel(directory, path)
			files[name] = string(content)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func names(files map[string]string) []string { return slices.Sorted(maps.Keys(files)) }
