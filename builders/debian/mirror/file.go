// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// file is a file of an archive.
type file struct {
	host string // in lower case, with the port if it is not 80
	path string // begins with a slash, has no empty element and none of dots
}

// name is the path below the directory of the mirror.
func (f file) name() string { return f.host + f.path }

// url is where the archive has the file.
func (f file) url() *url.URL { return &url.URL{Scheme: "http", Host: f.host, Path: f.path} }

func (f file) String() string { return f.url().String() }

// refusal is an error that is answered with a status.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

var (
	// hostPattern leaves no host that is a path, or hidden.
	hostPattern = regexp.MustCompile(`\A[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?\z`)
	// archivePattern matches the paths of the files of an archive, so that a proxy for APT is not one for everything.
	archivePattern = regexp.MustCompile(`\A(/[^/]+)*/(dists|pool)(/[^/]+)+\z`)
)

// requested returns the file that a request is for: of a proxy, http://HOST/PATH, or of a mirror, /HOST/PATH.
func requested(r *http.Request) (file, error) {
	switch {
	case r.Method == http.MethodConnect:
		return file{}, refuse(http.StatusMethodNotAllowed, "https mirrors cannot be cached: use their http address, because APT checks signatures")
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return file{}, refuse(http.StatusMethodNotAllowed, "%s is not possible, only GET and HEAD", r.Method)
	case r.URL.Scheme != "" && r.URL.Scheme != "http":
		return file{}, refuse(http.StatusBadRequest, "%s is not possible, only http", r.URL.Scheme)
	case r.URL.RawQuery != "":
		return file{}, refuse(http.StatusBadRequest, "files of archives have no query")
	}
	host, name := r.URL.Host, r.URL.Path
	if host == "" {
		var rest string
		host, rest, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		name = "/" + rest
	}
	host = strings.TrimSuffix(strings.ToLower(host), ":80")
	if !hostPattern.MatchString(host) {
		return file{}, refuse(http.StatusBadRequest, "%q is not the name of a host", host)
	}
	if path.Clean(name) != name || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '\\' }) || !archivePattern.MatchString(name) {
		return file{}, refuse(http.StatusNotFound, "%q is not a file below dists or pool of an archive", name)
	}
	return file{host, name}, nil
}

// allow refuses the hosts that the operator has not allowed. Without a list every host is allowed.
func (m *Mirror) allow(host string) error {
	if len(m.options.Allow) == 0 {
		if strings.Contains(host, ":") {
			return refuse(http.StatusForbidden, "host %s is not allowed: hosts with a port have to be allowed by --allow", host)
		}
		return nil
	}
	if !slices.Contains(m.options.Allow, host) {
		return refuse(http.StatusForbidden, "host %s is not allowed: allow it with --allow", host)
	}
	return nil
}

// redirect checks where an archive sends the mirror.
func (m *Mirror) redirect(r *http.Request, via []*http.Request) error {
	const most = 5
	switch {
	case len(via) > most:
		return fmt.Errorf("redirected more than %d times", most)
	case r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return fmt.Errorf("redirected to %s", r.URL.Redacted())
	case strings.HasSuffix(r.URL.Path, "/"):
		return refuse(http.StatusNotFound, "%s is a directory", r.URL.Redacted())
	}
	host := strings.ToLower(r.URL.Host)
	if r.URL.Port() == map[string]string{"http": "80", "https": "443"}[r.URL.Scheme] {
		host = strings.ToLower(r.URL.Hostname())
	}
	if err := m.allow(host); err != nil {
		return fmt.Errorf("redirected to %s: %w", r.URL.Redacted(), err)
	}
	return nil
}

// public refuses addresses that clients must not reach through a mirror that allows every host.
func public(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	ip := net.ParseIP(host)
	shared := net.IPNet{IP: net.IPv4(100, 64, 0, 0), Mask: net.CIDRMask(10, 32)}
	if ip == nil || !ip.IsGlobalUnicast() || ip.IsPrivate() || shared.Contains(ip) {
		return fmt.Errorf("%s is not a public address: allow the host with --allow", host)
	}
	return nil
}

// statusOf returns the status with which an error is answered.
func statusOf(err error) int {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused.status
	}
	return http.StatusBadGateway
}
