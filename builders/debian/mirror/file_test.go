// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsNotAFileOfAnArchiveIsRefused(t *testing.T) {
	m := serve(t, Options{Directory: t.TempDir()})
	for name, test := range map[string]struct {
		method, target string
		status         int
		body           string
	}{
		"https":                   {http.MethodConnect, "example.com:443", http.StatusMethodNotAllowed, "https mirrors cannot be cached: use their http address"},
		"https by a proxy":        {http.MethodGet, "https://example.com/debian/pool/x.deb", http.StatusBadRequest, "only http"},
		"a write":                 {http.MethodPut, "/example.com/debian/pool/x.deb", http.StatusMethodNotAllowed, "only GET and HEAD"},
		"a query":                 {http.MethodGet, "/example.com/debian/pool/x.deb?y", http.StatusBadRequest, "no query"},
		"no host":                 {http.MethodGet, "/", http.StatusBadRequest, `"" is not the name of a host`},
		"a hidden host":           {http.MethodGet, "/.unfinished/pool/x", http.StatusBadRequest, "is not the name of a host"},
		"dots for a host":         {http.MethodGet, "/../pool/x", http.StatusBadRequest, "is not the name of a host"},
		"an IPv6 address":         {http.MethodGet, "http://[::1]/debian/pool/x.deb", http.StatusBadRequest, "is not the name of a host"},
		"another user":            {http.MethodGet, "http://a@example.com/x", http.StatusNotFound, "is not a file below dists or pool"},
		"a page":                  {http.MethodGet, "/example.com/index.html", http.StatusNotFound, "is not a file below dists or pool"},
		"a directory":             {http.MethodGet, "/example.com/debian/pool/", http.StatusNotFound, "is not a file below dists or pool"},
		"the root of dists":       {http.MethodGet, "/example.com/debian/dists", http.StatusNotFound, "is not a file below dists or pool"},
		"a path that leads out":   {http.MethodGet, "/example.com/debian/pool/../../../../etc/passwd", http.StatusNotFound, "is not a file below dists or pool"},
		"an encoded path":         {http.MethodGet, "/example.com/debian/pool/%2e%2e/%2e%2e/x", http.StatusNotFound, "is not a file below dists or pool"},
		"an encoded slash":        {http.MethodGet, "/example.com/debian/pool/..%2f..%2fx", http.StatusNotFound, "is not a file below dists or pool"},
		"a zero byte":             {http.MethodGet, "/example.com/debian/pool/x%00", http.StatusNotFound, "is not a file below dists or pool"},
		"a port":                  {http.MethodGet, "/example.com:22/debian/pool/x.deb", http.StatusForbidden, "have to be allowed"},
		"this machine":            {http.MethodGet, "/127.0.0.1/debian/pool/x.deb", http.StatusBadGateway, "127.0.0.1 is not a public address: allow the host"},
		"this machine by a name":  {http.MethodGet, "/localhost:80/debian/pool/x.deb", http.StatusBadGateway, "is not a public address: allow the host"},
		"this machine as a proxy": {http.MethodGet, "http://LOCALHOST/debian/pool/x.deb", http.StatusBadGateway, "is not a public address: allow the host"},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			m.ServeHTTP(recorder, httptest.NewRequest(test.method, test.target, nil))
			if recorder.Code != test.status || !strings.Contains(recorder.Body.String(), test.body) {
				t.Errorf("status %d: %s", recorder.Code, recorder.Body)
			}
		})
	}
	if files := kept(t, m.directory); len(files) > 0 {
		t.Errorf("kept are %v", names(files))
	}
}

func TestOnlyAllowedHostsAreReached(t *testing.T) {
	a := newArchive(t)
	m := serve(t, Options{Directory: t.TempDir(), Allow: []string{"example.com"}})
	if got := m.proxied(a.host, deb, nil); got.status != http.StatusForbidden || !strings.Contains(got.body, "host "+a.host+" is not allowed") {
		t.Errorf("got %+v", got)
	}
	if _, asked := a.get(deb); asked > 0 {
		t.Error("the host was asked")
	}
}

func TestPublicAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"151.101.2.132:80": true, "[2a04:4e42::644]:80": true, "100.63.0.1:80": true,
		"127.0.0.1:80": false, "10.1.2.3:80": false, "172.16.0.1:80": false, "192.168.1.1:80": false, "169.254.169.254:80": false, "100.64.0.1:80": false,
		"0.0.0.0:80": false, "224.0.0.1:80": false, "255.255.255.255:80": false, "[::1]:80": false, "[::]:80": false, "[fe80::1]:80": false, "[fd00::1]:80": false,
		"[::ffff:127.0.0.1]:80": false, "[::ffff:10.0.0.1]:80": false, "nonsense": false, "example.com:80": false,
	} {
		if err := public(address); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// No request names a file outside the directory, or one that the mirror has for itself.
func FuzzRequested(f *testing.F) {
	for _, seed := range []string{
		"/example.com/debian/pool/a", "http://example.com/debian/dists/a/b", "http://../pool/x", "/../pool/x", "//pool/x", "/a/pool//x", "/a/pool/./x", "/.lock/pool/x",
		"/a/%2e%2e/pool/x", "http://a%2fb/pool/x", "http://a:0/pool/x", "/a\\..\\b/pool/x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		request, err := http.NewRequest(http.MethodGet, target, nil)
		if err != nil {
			return
		}
		wanted, err := requested(request)
		if err != nil {
			return
		}
		if name := wanted.name(); !filepath.IsLocal(name) || path.Clean(name) != name || strings.HasPrefix(name, ".") || strings.Count(name, "/") < 2 {
			t.Errorf("%q names %q", target, name)
		}
	})
}
