// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const (
	// snapshots is the archive of all former states of Debian.
	snapshots = "http://snapshot.debian.org/archive"
	// toolSources is where the tools name their mirrors.
	toolSources = "etc/apt/sources.list"

	maxReleaseFile = 8 << 20
	fetchLimit     = time.Minute
)

// source is a suite of a mirror. parameter sets the mirror.
type source struct{ url, suite, parameter string }

func (s source) releaseFile() string { return s.url + "/dists/" + s.suite + "/InRelease" }

// sources returns the suites that packages are installed from, and those that apt of the machine uses.
func (b *build) sources() (build, machine []source, err error) {
	c := b.config
	mirror, security, err := mirrorsOf(filepath.Join(b.tools, toolSources))
	if err != nil {
		return nil, nil, err
	}
	build = c.suites(cmp.Or(c.mirror, mirror), cmp.Or(c.security, security))
	if build[0].url == "" {
		return nil, nil, fail("NoMirror", "the tools of the builder name no mirror: set parameter %s", paramMirror)
	}
	if c.machineMirror == noMirror {
		return build, c.suites(noMirror, c.machineSecurity), nil
	}
	return build, c.suites(cmp.Or(c.machineMirror, reachable(c.mirror, mirror)), cmp.Or(c.machineSecurity, reachable(c.security, security))), nil
}

// suites returns the suites of two mirrors.
func (c *configuration) suites(mirror, security string) []source {
	fromMirror, fromSecurity := paramMirror, paramSecurityMirror
	if c.snapshot {
		fromMirror, fromSecurity = paramSnapshot, paramSnapshot
	}
	var sources []source
	if mirror != noMirror {
		sources = append(sources, source{mirror, release, fromMirror}, source{mirror, release + "-updates", fromMirror})
	}
	if security != "" && security != noMirror {
		sources = append(sources, source{security, release + "-security", fromSecurity})
	}
	return sources
}

// reachable returns the mirror of a build, or that of the tools if there is none, or if other machines cannot reach it.
func reachable(mirror, ofTools string) string {
	if isLoopback(mirror) {
		return cmp.Or(ofTools, mirror)
	}
	return cmp.Or(mirror, ofTools)
}

// isLoopback reports whether the host of a URL is the machine that asks.
func isLoopback(address string) bool {
	parsed, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(parsed.Hostname(), "."))
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && (ip.Unmap().IsLoopback() || ip.IsUnspecified())
}

// mirrorsOf returns the mirrors that a list of apt names for the release, and for its security updates (sources.list(5)).
func mirrorsOf(file string) (mirror, security string, err error) {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("read the mirrors of the tools: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(optionsOfSource.ReplaceAllString(line, ""))
		if len(words) < 3 || words[0] != "deb" {
			continue
		}
		switch address := strings.TrimSuffix(words[1], "/"); words[2] {
		case release:
			mirror = address
		case release + "-security":
			security = address
		}
	}
	return mirror, security, nil
}

var optionsOfSource = regexp.MustCompile(`\[.*?\]`)

// findTime reads the release files of the mirrors, and returns the newest of their dates, and what they describe. So the same state of the mirrors
// gives the same time.
func (b *build) findTime(ctx context.Context, sources []source) (newest time.Time, origins []v1alpha1.PackageSource, err error) {
	b.begin(stageMirror, percentMirror)
	client := &http.Client{Timeout: fetchLimit, Transport: &http.Transport{Proxy: b.proxies()}}
	defer client.CloseIdleConnections()
	for _, source := range sources {
		file, err := readRelease(ctx, client, source)
		if err != nil {
			return newest, nil, err
		}
		if err := b.config.checkComponents(source, file.components); err != nil {
			return newest, nil, err
		}
		b.logf("%s is of %s", source.releaseFile(), file.date.Format(time.RFC3339))
		if file.date.After(newest) {
			newest = file.date
		}
		b.releases = append(b.releases, file.digest)
		origins = append(origins, b.config.origins(source, file)...)
	}
	return newest, origins, nil
}

// proxies returns the proxy for a request, as apt chooses it, from the environment of the builder.
func (b *build) proxies() func(*http.Request) (*url.URL, error) {
	config := httpproxy.Config{HTTPProxy: b.getenv("http_proxy"), HTTPSProxy: b.getenv("https_proxy"), NoProxy: b.getenv("no_proxy")}
	proxy := config.ProxyFunc()
	return func(request *http.Request) (*url.URL, error) { return proxy(request.URL) }
}

// checkComponents returns an error for a component that a suite lacks: apt only warns of it.
func (c *configuration) checkComponents(source source, components []string) error {
	for _, component := range c.components {
		// A suite of security updates may have them as updates/main.
		if !slices.ContainsFunc(components, func(has string) bool { return path.Base(has) == component }) {
			return fail("UnknownComponent", "parameter %s: %s has no component %s, only %s", paramComponents, source.releaseFile(), component, strings.Join(components, ", "))
		}
	}
	return nil
}

// releaseFile is what the builder needs of a release file.
type releaseFile struct {
	date       time.Time
	components []string
	digest     string // SHA-256, in hexadecimal digits
}

// readRelease reads a release file. apt verifies its signature later.
func readRelease(ctx context.Context, client *http.Client, source source) (releaseFile, error) {
	var file releaseFile
	address := source.releaseFile()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return file, err // its URL was checked
	}
	response, err := client.Do(request)
	if err != nil {
		return file, fail(ReasonMirror, "%s: %v", address, cause(err))
	}
	defer func() { _ = response.Body.Close() }() // only read from
	switch {
	case response.StatusCode == http.StatusNotFound:
		return file, fail("NotAMirror", "%s does not exist: set parameter %s to a mirror that has %s", address, source.parameter, source.suite)
	case response.StatusCode != http.StatusOK:
		return file, fail(ReasonMirror, "%s: %s", address, response.Status)
	}
	sum := sha256.New()
	body := io.TeeReader(io.LimitReader(response.Body, maxReleaseFile), sum)
	lines := bufio.NewScanner(body)
	for lines.Scan() && (file.date.IsZero() || file.components == nil) {
		switch name, text, _ := strings.Cut(lines.Text(), ": "); name {
		case "Date":
			if file.date, err = time.Parse(time.RFC1123, strings.TrimSpace(text)); err != nil {
				return file, fail("NotAMirror", "%s: %v", address, err)
			}
			file.date = file.date.UTC()
		case "Components":
			file.components = strings.Fields(text)
		}
	}
	err = lines.Err()
	if err == nil {
		_, err = io.Copy(io.Discard, body) // for its digest
	}
	if err != nil {
		return file, fail(ReasonMirror, "%s: %v", address, cause(err))
	}
	file.digest = hex.EncodeToString(sum.Sum(nil))
	if file.date.IsZero() || file.components == nil {
		return file, fail("NotAMirror", "%s has no date or no components: it is not a release file of Debian", address)
	}
	return file, nil
}

// cause returns an error without the method and the address, which the message has already.
func cause(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
