// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"goldsmith.dev/goldsmith/builders/debian/mirror/faults"
)

// halting calls a function in the middle of an answer.
type halting struct {
	http.ResponseWriter
	halt func()
}

func (h *halting) Write(content []byte) (int, error) {
	n, err := h.ResponseWriter.Write(content[:len(content)/2])
	if err != nil {
		return n, err
	}
	if halt := h.halt; halt != nil {
		h.halt = nil
		_ = http.NewResponseController(h.ResponseWriter).Flush()
		halt()
	}
	rest, err := h.ResponseWriter.Write(content[len(content)/2:])
	return n + rest, err
}

// raw answers with these bytes, and ends the connection.
func raw(text string) faults.Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			connection, buffered, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = buffered.WriteString(text)
				_ = buffered.Flush()
				_ = connection.Close()
			}
		})
	}
}

// redirected sends the client elsewhere.
func redirected(to string) faults.Fault {
	return func(http.Handler) http.Handler { return http.RedirectHandler(to, http.StatusFound) }
}

// A file that the archive does not send as it is, and as a whole, is not kept, and no client gets a whole file. The next request fetches it.
func TestWhatIsNotWholeIsNotKept(t *testing.T) {
	a := newArchive(t)
	index, _ := a.get(packages)
	for name, test := range map[string]struct {
		fault  faults.Fault
		path   string // deb by default
		status int    // 0: the connection breaks
		body   string
	}{
		"unreachable":               {fault: faults.Unreachable, status: http.StatusBadGateway, body: "fetch http://" + a.host + deb + ": EOF"},
		"an error":                  {fault: faults.Status(http.StatusServiceUnavailable), status: http.StatusServiceUnavailable, body: "the archive answers 503"},
		"not there":                 {fault: faults.Status(http.StatusNotFound), status: http.StatusNotFound, body: "the archive answers 404"},
		"a part that nobody wanted": {fault: raw("HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\n!"), status: http.StatusBadGateway, body: "the archive answers 206"},
		"nothing but a header":      {fault: raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"), status: http.StatusBadGateway, body: "unexpected EOF"},
		"half":                      {fault: faults.Half},
		"half of chunks":            {fault: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n" + archived + "x\r\n")},
		"without a length":          {fault: raw("HTTP/1.1 200 OK\r\n\r\n" + archived), status: http.StatusBadGateway, body: "does not tell the length"},
		"a page":                    {fault: raw("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 5\r\n\r\nlogin"), status: http.StatusBadGateway, body: "require a login"},
		"not a package":             {fault: raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlogin"), body: "logi"},
		"not signed":                {fault: raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlogin"), path: release, status: http.StatusBadGateway, body: "is not signed"},
		"half an InRelease":         {fault: faults.Half, path: release, status: http.StatusBadGateway, body: "unexpected EOF"},
		"a byte of an index":        {fault: faults.ChangedByte, path: packages, status: http.StatusBadGateway, body: "another state than the kept InRelease: start the mirror with --refresh"},
		"a byte of a hashed index":  {fault: faults.ChangedByte, path: byHash(index)},
		"a hash that is none":       {path: indexOf("by-hash/SHA256/0"), status: http.StatusNotFound, body: "only SHA256"},
		"another hash":              {path: indexOf("by-hash/MD5Sum/" + sum("")), status: http.StatusNotFound, body: "only SHA256"},
		"not described":             {path: indexOf("z.gz"), status: http.StatusNotFound, body: "does not describe"},
		"without an InRelease":      {path: "/debian/dists/sid/main/Packages", status: http.StatusNotFound, body: "without its InRelease"},
		"directly below dists":      {path: "/debian/dists/Release", status: http.StatusNotFound, body: "without its InRelease"},
		"redirected to a stranger":  {fault: redirected("http://stranger.example/pool/x.deb"), status: http.StatusForbidden, body: "stranger.example is not allowed"},
		"redirected to a directory": {fault: redirected("/debian/pool/"), status: http.StatusNotFound, body: "is a directory"},
		"redirected to a file":      {fault: redirected("file:///etc/passwd"), status: http.StatusBadGateway, body: "redirected to file"},
		"redirected for ever":       {fault: redirected(deb), status: http.StatusBadGateway, body: "more than 5 times"},
	} {
		t.Run(name, func(t *testing.T) {
			a.set(func() { a.fault = nil })
			m := mirrorOf(t, a)
			path := test.path
			if path == "" {
				path = deb
			}
			if path != release && !strings.Contains(path, "/sid/") && test.body != "without its InRelease" {
				m.proxied(a.host, release, nil)
			}
			a.set(func() { a.fault = test.fault })
			got := m.proxied(a.host, path, nil)
			broken := test.status == 0 && (got.err != nil || got.status != http.StatusOK)
			if !broken && (got.status != test.status || got.status == http.StatusOK) || test.status != 0 && !strings.Contains(got.body, test.body) {
				t.Errorf("status %d, %d bytes, %v: %.200s", got.status, len(got.body), got.err, got.body)
			}
			if _, ok := kept(t, m.directory)[a.host+path]; ok {
				t.Error("it is kept")
			}
			if test.fault == nil {
				return
			}
			a.set(func() { a.fault = nil })
			if got := m.proxied(a.host, path, nil); got.status != http.StatusOK || got.err != nil {
				t.Errorf("then: status %d, %d bytes, %v", got.status, len(got.body), got.err)
			}
		})
	}
}

// A redirect to a host that is allowed is followed, and the file is kept under the name that was asked for.
func TestARedirectIsFollowed(t *testing.T) {
	a, other := newArchive(t), newArchive(t)
	a.set(func() { a.fault = redirected(other.URL + deb) })
	m := serve(t, Options{Directory: t.TempDir(), Allow: []string{a.host, other.host}})
	want, _ := a.get(deb)
	if got := m.proxied(a.host, deb, nil); got.body != want || kept(t, m.directory)[a.host+deb] != want {
		t.Errorf("status %d, %d bytes", got.status, len(got.body))
	}
}

// An archive that sends nothing any more is given up.
func TestAStalledDownloadEnds(t *testing.T) {
	a := newArchive(t)
	a.set(func() {
		a.fault = func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(&halting{w, func() { <-r.Context().Done() }}, r)
			})
		}
	})
	m := serve(t, Options{Directory: t.TempDir(), Allow: []string{a.host}, stalled: 50 * time.Millisecond})
	if got := m.proxied(a.host, deb, nil); got.err == nil && got.status == http.StatusOK {
		t.Error("the client gets a whole file")
	}
	m.stop(t)
	if !strings.Contains(m.log.String(), "no byte in 50ms") {
		t.Errorf("the log is %s", m.log)
	}
}

// Whatever breaks and whenever: a directory has whole files only, and no client takes a part for the whole.
func TestAnyInterruptionLeavesWholeFiles(t *testing.T) {
	a := newArchive(t)
	index, _ := a.get(packages)
	paths := []string{release, packages, byHash(index), deb}
	whole := 0
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		directory := t.TempDir()
		for range 3 {
			m := serve(t, Options{Directory: directory, Allow: []string{a.host}})
			for range 6 {
				a.set(func() { a.fault = randomFault(random) })
				path := paths[random.IntN(len(paths))]
				want, _ := a.get(path)
				got := m.proxied(a.host, path, nil)
				if got.err == nil && got.status == http.StatusOK && got.body != want {
					t.Fatalf("seed %d: a client takes %d bytes of %s for the whole", seed, len(got.body), path)
				}
				if random.IntN(4) == 0 { // the client leaves
					interrupted(m, a.host+path, random.Int64N(int64(len(want))))
				}
			}
			m.stop(t)
			for name, content := range kept(t, directory) {
				if want, _ := a.get(strings.TrimPrefix(name, a.host)); content != want {
					t.Fatalf("seed %d: %s is kept with %d of %d bytes", seed, name, len(content), len(want))
				}
				whole++
			}
		}
	}
	if whole < 40 {
		t.Errorf("only %d files were kept", whole)
	}
}

func randomFault(random *rand.Rand) faults.Fault {
	at := random.IntN(600_000)
	switch random.IntN(6) {
	case 0:
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(&cut{w, at}, r) })
		}
	case 1:
		return faults.Half
	case 2:
		return faults.Status(http.StatusBadGateway)
	case 3:
		return raw("HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(at) + "\r\n\r\n" + signed)
	}
	return nil
}

// cut ends an answer after some bytes.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(content []byte) (int, error) {
	if c.left -= len(content); c.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return c.ResponseWriter.Write(content)
}

// interrupted reads some bytes of a file, and leaves.
func interrupted(m *served, name string, most int64) {
	response, err := http.Get(m.URL + "/" + name)
	if err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, bufio.NewReader(response.Body), most)
	_ = response.Body.Close()
}

// The archive that moves on while a snapshot is being filled does not tear it.
func TestASnapshotIsNotTorn(t *testing.T) {
	a := newArchive(t)
	m := mirrorOf(t, a)
	m.proxied(a.host, release, nil)
	m.proxied(a.host, deb, nil)
	first, _ := a.get(packages)
	a.publish("second")
	second, _ := a.get(packages)
	if got := m.proxied(a.host, packages, nil); got.status != http.StatusBadGateway || !strings.Contains(got.body, "start the mirror with --refresh") {
		t.Errorf("an index of another state: status %d: %.100s", got.status, got.body)
	}
	if got := m.proxied(a.host, byHash(first), nil); got.status != http.StatusNotFound {
		t.Errorf("an index that the archive has removed: status %d", got.status)
	}

	a.set(func() { a.fault = faults.Status(http.StatusServiceUnavailable) })
	before := kept(t, m.directory)
	if err := m.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "the archive answers 503 Service Unavailable; nothing is changed") {
		t.Errorf("refreshed: %v", err)
	}
	if after := kept(t, m.directory); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("the directory has %v", names(after))
	}
	a.set(func() { a.fault = nil })
	a.publish("first")
	m.proxied(a.host, packages, nil)
	m.proxied(a.host, byHash(first), nil)
	if err := m.Refresh(t.Context()); err != nil || len(kept(t, m.directory)) != 4 {
		t.Errorf("a refresh without a new state: %v, %v", err, names(kept(t, m.directory)))
	}
	a.publish("second")
	if err := m.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, _ := a.get(release)
	if files := kept(t, m.directory); len(files) != 2 || files[a.host+release] != want || files[a.host+deb] == "" {
		t.Errorf("the directory has %v", names(files))
	}
	if got := m.proxied(a.host, packages, nil); got.body != second {
		t.Errorf("status %d, %.100s", got.status, got.body)
	}
}
