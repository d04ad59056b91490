// SPDX-License-Identifier: Apache-2.0

package source_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"goldsmith.dev/goldsmith/jobs/source"
)

// proxy is a proxy on a loopback address that the environment names. It sends all requests to one server, and lists the hosts that it was asked for.
type proxy struct {
	server *httptest.Server
	mu     sync.Mutex
	asked  []string
}

func newProxy(t *testing.T, target http.Handler) *proxy {
	t.Helper()
	p := &proxy{}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		p.mu.Lock()
		p.asked = append(p.asked, req.URL.Host)
		p.mu.Unlock()
		if req.Method == http.MethodConnect {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		target.ServeHTTP(w, req)
	}))
	t.Cleanup(p.server.Close)
	for _, variable := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		t.Setenv(variable, strings.Replace(p.server.URL, "//", "//user:s3cret@", 1))
	}
	t.Setenv("NO_PROXY", "")
	return p
}

// requests returns the hosts that the proxy was asked for since the last call, each once.
func (p *proxy) requests() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, one := range p.asked {
		if len(all) == 0 || all[len(all)-1] != one {
			all = append(all, one)
		}
	}
	p.asked = nil
	return strings.Join(all, ", ")
}

// A proxy is used wherever it is, and gets no request for an address that is refused.
func TestAProxyIsAskedForNoAddressThatIsRefused(t *testing.T) {
	r := newRepository(t, "sha1")
	commit := r.commit("refs/heads/main", "m", item{name: "a"})
	p := newProxy(t, r.handler())
	const git, oci = "/team/images.git", "/team/files"
	for _, test := range []struct {
		name, host  string
		gitReason   string // empty: it is found
		ociReason   string
		text, asked string
	}{
		{"a name that only the proxy resolves", "git.invalid", "", source.NotFound, "", "git.invalid"},
		{"metadata", "169.254.169.254", source.Refused, source.Refused, "169.254.169.254 is refused", ""},
		{"metadata, with a dot", "169.254.169.254.", source.Refused, source.Refused, "a number that is no address", ""},
		{"a short address", "127.1", source.Refused, source.Refused, "a number that is no address", ""},
		{"a number", "2130706433", source.Refused, source.Refused, "a number that is no address", ""},
		{"a hexadecimal number", "0x7f000001", source.Refused, source.Refused, "a number that is no address", ""},
		{"an address within another", "[64:ff9b::a9fe:a9fe]", source.Refused, source.Refused, "is refused", ""},
		{"loopback, which no proxy is asked for", "localhost", source.Refused, source.Refused, "is refused", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := func(err error, reason string) {
				t.Helper()
				if reason != "" {
					wantError(t, err, reason, test.text)
				} else if err != nil {
					t.Error(err)
				}
				if got := p.requests(); got != test.asked {
					t.Errorf("the proxy was asked for %q, want %q", got, test.asked)
				}
			}
			found, err := source.Resolve(t.Context(), gitSource("http://"+test.host+git, "", ""), source.Options{})
			want(err, test.gitReason)
			if err == nil && found.ID != "sha1:"+commit {
				t.Errorf("got %+v", found)
			}
			host := strings.TrimSuffix(test.host, ".") // the name of a repository has no such dot
			if host != test.host {
				return
			}
			_, err = source.Resolve(t.Context(), source.Source{OCI: &source.OCI{Repository: host + ":80" + oci}}, source.Options{PlainHTTP: []string{strings.Trim(host, "[]")}})
			if test.asked != "" {
				test.asked += ":80"
			}
			want(err, test.ociReason)
		})
	}

	// A redirect is checked as well, and no error has the credentials of the proxy.
	p = newProxy(t, http.RedirectHandler("http://169.254.169.254/info/refs?service=git-upload-pack", http.StatusFound))
	_, err := source.Resolve(t.Context(), gitSource("http://git.invalid"+git, "", ""), source.Options{})
	wantError(t, err, source.Refused, "169.254.169.254 is refused")
	if got := p.requests(); got != "git.invalid" {
		t.Errorf("the proxy was asked for %q", got)
	}
	_, err = source.Resolve(t.Context(), gitSource("https://git.invalid"+git, "", ""), source.Options{})
	wantError(t, err, source.Unavailable, "Bad Gateway")
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error has the password of the proxy: %v", err)
	}
}
