// SPDX-License-Identifier: Apache-2.0

package console

import (
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/e2e/require"
)

// embedded returns the contents of the files of the pages, by their path below Path.
func embedded(t *testing.T) map[string]string {
	t.Helper()
	contents := map[string]string{}
	require.NoError(t, fs.WalkDir(files, "ui", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			contents[strings.TrimPrefix(name, "ui/")] = string(require.Value(files.ReadFile(name))(t))
		}
		return err
	}))
	if contents["index.html"] == "" || contents["app.js"] == "" {
		t.Fatalf("got the files %v", contents)
	}
	return contents
}

// checkPage compares an answer with a file of the pages.
func checkPage(t *testing.T, l *local, method, target, want, mediaType string) {
	t.Helper()
	answer := l.asks(method, target, "", "Authorization", "")
	if answer.Code != http.StatusOK || answer.Body.String() != want {
		t.Errorf("%s %s: got %d and %d bytes, want %d", method, target, answer.Code, answer.Body.Len(), len(want))
	}
	for header, want := range map[string]string{
		"Content-Security-Policy": policy, "Content-Type": mediaType, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Set-Cookie": "",
	} {
		if got := strings.Join(answer.Header().Values(header), ", "); got != want {
			t.Errorf("%s %s: got %s %q, want %q", method, target, header, got, want)
		}
	}
	if tag := answer.Header().Get("ETag"); !strings.HasPrefix(tag, `"`) || len(tag) != 66 {
		t.Errorf("%s %s: got ETag %s", method, target, tag)
	}
}

func TestEveryFileIsServedWithItsMediaType(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	mediaTypes := map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
	for name, content := range embedded(t) {
		mediaType, known := mediaTypes[path.Ext(name)]
		if !known {
			t.Errorf("%s has no media type", name)
		}
		checkPage(t, l, http.MethodGet, "/ui/"+name, content, mediaType)
		checkPage(t, l, http.MethodGet, "/ui/"+name+"?v=1", content, mediaType)
		checkPage(t, l, http.MethodHead, "/ui/"+name, "", mediaType)
	}
}

func TestEveryAddressOfAPageHasTheDocument(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	document := embedded(t)["index.html"]
	for _, target := range []string{
		"/ui/", "/ui/ns/", "/ui/ns/team", "/ui/ns/team/images/web?a=b", "/ui/ns/-/builds/", "/ui/ns/team/builds/web-1/log?attempt=2", "/ui/ns/team/app.js",
		"/ui/ns/%3Cscript%3E", "/ui/ns/a%2fb", "/ui/ns/session",
	} {
		checkPage(t, l, http.MethodGet, target, document, "text/html; charset=utf-8")
		checkPage(t, l, http.MethodHead, target, "", "text/html; charset=utf-8")
	}
	for target, want := range map[string]string{"/": "/ui/", "/ui": "/ui/", "/ui/ns/../app.js": "/ui/app.js", "/ui//app.js": "/ui/app.js"} {
		answer := l.asks(http.MethodGet, target, "", "Authorization", "")
		if got := answer.Header().Get("Location"); answer.Code < 300 || answer.Code > 399 || got != want {
			t.Errorf("%s: got %d to %q, want a redirect to %s", target, answer.Code, got, want)
		}
	}
}

func TestUnknownFilesAreNotFound(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	for _, target := range []string{
		"/ui/missing.js", "/ui/libraries", "/ui/libraries/", "/ui/libraries/uplot/", "/ui/pages", "/ui/pages/", "/ui/nsx", "/ui/ns", "/ui/index.html/", "/ui/app.js/",
		"/ui/libraries/uplot/LICENSE", "/ui/ui/app.js", "/ui/console.go", "/ui/..%2fconsole.go", "/ui/%2e%2e%2fconsole.go", "/ui/pages%2f..%2fapp.js", "/ui/%00",
	} {
		checkStatus(t, target, l.asks(http.MethodGet, target, ""), http.StatusNotFound, "the console has no page /ui/")
	}
}

func TestABrowserKeepsAFileUntilItChanges(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	seen := map[string]string{}
	for name, content := range embedded(t) {
		tag := l.asks(http.MethodGet, "/ui/"+name, "").Header().Get("ETag")
		if other, known := seen[tag]; known && other != content {
			t.Errorf("%s has the ETag of another file", name)
		}
		seen[tag] = content
		answer := l.asks(http.MethodGet, "/ui/"+name, "", "If-None-Match", tag)
		if answer.Code != http.StatusNotModified || answer.Body.Len() > 0 || answer.Header().Get("ETag") != tag || answer.Header().Get("Content-Security-Policy") != policy {
			t.Errorf("%s: got %d %v", name, answer.Code, answer.Header())
		}
		if answer := l.asks(http.MethodGet, "/ui/"+name, "", "If-None-Match", `"older"`); answer.Code != http.StatusOK || answer.Body.String() != content {
			t.Errorf("%s after a change: got %d", name, answer.Code)
		}
	}
	page := l.asks(http.MethodGet, "/ui/ns/team/images", "").Header().Get("ETag")
	if answer := l.asks(http.MethodGet, "/ui/ns/team/builds", "", "If-None-Match", page); answer.Code != http.StatusNotModified {
		t.Errorf("another page: got %d", answer.Code)
	}
}

func TestPagesAreOnlyRead(t *testing.T) {
	t.Parallel()
	l := newLocal(t, nil)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
		for _, target := range []string{"/ui/", "/ui/ns/team/images", "/ui/app.js", "/ui/missing.js", "/ui/session/"} {
			checkStatus(t, method+" "+target, l.asks(method, target, "{}"), http.StatusNotFound, "use kubectl")
			checkStatus(t, method+" "+target+" without a token", l.asks(method, target, "{}", "Authorization", ""), http.StatusUnauthorized, notSignedIn)
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete} {
		checkStatus(t, method, l.asks(method, "/ui/session", "{}"), http.StatusNotFound, "use kubectl")
	}
	if seen := l.forwarded(); len(seen) > 0 {
		t.Errorf("the server got %d requests", len(seen))
	}
}

// TestPagesLoadNothingFromElsewhere holds what policy promises: browsers report a breach only to the developer.
func TestPagesLoadNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	for directive := range strings.SplitSeq(policy, "; ") {
		for _, source := range strings.Fields(directive)[1:] {
			switch source {
			case "'none'", "'self'", "'script'", "lit-html", "goldsmith":
			default:
				t.Errorf("the policy allows %s: %s", source, directive)
			}
		}
	}
	document := embedded(t)["index.html"]
	for _, address := range []string{`src="`, `href="`} {
		for _, part := range strings.Split(document, address)[1:] {
			name, _, _ := strings.Cut(part, `"`)
			if _, known := embedded(t)[strings.TrimPrefix(name, Path)]; !known {
				t.Errorf("the document loads %s, which is no file of the pages", name)
			}
		}
	}
	if strings.Contains(document, "<style") || strings.Count(document, "<script") != 1 || strings.Contains(document, " style=") || regexp.MustCompile(` on[a-z]+=`).MatchString(document) {
		t.Error("the document has what the policy refuses")
	}
}
