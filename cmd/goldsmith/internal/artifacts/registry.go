// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/jobs/publish"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

// published is a content in a registry.
type published struct {
	*content
	// location is REPOSITORY@DIGEST of the manifest.
	location string
	// options returns how to reach the registry.
	options func() (transport.Options, error)
}

// String implements source.
func (p *published) String() string { return p.location }

// open implements source.
func (p *published) open(ctx context.Context, at int64) (io.ReadCloser, error) {
	if strings.HasSuffix(p.location, "@"+p.Digest) { // the builder pushed it, and reported the digest of its manifest
		return nil, fmt.Errorf("it is an image or another manifest of OCI, and no file: pull it with `podman pull %s` or `oras pull %s`", p.location, p.location)
	}
	options, err := p.options()
	if err != nil {
		return nil, err
	}
	fetched, err := publish.Fetch(ctx, p.location, p.Digest, at, options)
	if err != nil {
		return nil, err
	}
	if fetched.SizeBytes != p.SizeBytes {
		_ = fetched.Close() // was not read
		return nil, fmt.Errorf("the registry has %d bytes, and the build reported %d: fetch the artifact of another build", fetched.SizeBytes, p.SizeBytes)
	}
	return fetched, nil
}

// sourcesOf returns where a content can be fetched from, the server first. If there is no such place, the error names the location of the
// content, and what fetches from there.
func (o *options) sourcesOf(connection *client.Connection, content *content, shown *progress) (sources []source, err error) {
	if content.read != nil {
		return []source{&attached{content}}, nil
	}
	if onServer(content) {
		server, err := newKept(connection, content, o.clock, shown.interrupted)
		if err != nil {
			return nil, err
		}
		sources = append(sources, server)
	}
	if location, repository, ok := ManifestAt(content.Location); ok {
		sources = append(sources, &published{content: content, location: location, options: func() (transport.Options, error) {
			options, err := registryOptions(repository, o.plainHTTP, o.clock) // only if the server does not keep it
			options.Retrying = shown.retrying
			return options, err
		}})
	}
	if len(sources) == 0 {
		return nil, notFetchableError(content)
	}
	return sources, nil
}

// onServer reports whether the API server should keep a content.
func onServer(content *content) bool {
	return content.Verified == v1alpha1.ArtifactVerifiedContent || strings.HasPrefix(content.Location, "/apis/")
}

// ManifestAt returns an OCI reference with a digest, as REPOSITORY@DIGEST, and its repository.
func ManifestAt(location string) (canonical string, repository reference.Named, ok bool) {
	named, err := reference.ParseNormalizedNamed(strings.TrimPrefix(location, "oci://"))
	if err != nil {
		return "", nil, false
	}
	digested, ok := named.(reference.Digested)
	if !ok || digested.Digest().Algorithm() != digest.SHA256 {
		return "", nil, false
	}
	repository = reference.TrimNamed(named)
	return repository.Name() + "@" + digested.Digest().String(), repository, true
}

// notFetchableError is the error for a content that this command cannot fetch.
func notFetchableError(content *content) error {
	location := output.OneLine(content.Location)
	if location == "" {
		return fmt.Errorf("the server does not keep the %s, and its builder reported no location", content)
	}
	with := "a client of that place, such as oras or skopeo for an OCI reference"
	if parsed, err := url.Parse(location); err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") {
		with = "curl --location --remote-name"
	}
	return fmt.Errorf("the server does not keep the %s: fetch it from %s with %s, and compare its digest with %s", content, location, with, content.Digest)
}

// OpenRepository returns a reader of a repository, with the credentials of the user. The caller closes the reader.
func OpenRepository(repository reference.Named, plainHTTP bool, clock clock.Clock) (*publish.Reader, error) {
	options, err := registryOptions(repository, plainHTTP, clock)
	if err != nil {
		return nil, err
	}
	return publish.NewReader(repository.Name(), options)
}

// registryOptions returns how to reach the registry of a repository, with the credentials of the user.
func registryOptions(repository reference.Named, plainHTTP bool, clock clock.Clock) (transport.Options, error) {
	logins, err := readLogins()
	if err != nil {
		return transport.Options{}, err
	}
	options := transport.Options{Logins: logins, Clock: clock, Impatient: true}
	if plainHTTP {
		options.PlainHTTP = []string{reference.Domain(repository)}
	}
	return options, nil
}

// CredentialFiles is where users store credentials for registries, for the help of commands.
const CredentialFiles = "The command uses your credentials for the registry. The first of these files that has some counts: " +
	"$REGISTRY_AUTH_FILE, or else $XDG_RUNTIME_DIR/containers/auth.json; ~/.config/containers/auth.json; $DOCKER_CONFIG/config.json, or else " +
	"~/.docker/config.json. `podman login` and `docker login` store them there."

// readLogins reads where the user stores credentials for registries, in the order of containers-auth.json(5).
func readLogins() ([]transport.Login, error) {
	path := func(directory string, below ...string) string {
		if directory == "" {
			return ""
		}
		return filepath.Join(append([]string{directory}, below...)...)
	}
	home, _ := os.UserHomeDir() // empty without a home
	const podman, auth = "podman login", "containers/auth.json"
	logins := []transport.Login{
		{Command: podman, File: cmp.Or(os.Getenv("REGISTRY_AUTH_FILE"), path(os.Getenv("XDG_RUNTIME_DIR"), auth))},
		{Command: podman, File: cmp.Or(path(os.Getenv("XDG_CONFIG_HOME"), auth), path(home, ".config", auth))},
		{Command: "docker login", File: cmp.Or(path(os.Getenv("DOCKER_CONFIG"), "config.json"), path(home, ".docker", "config.json"))},
	}
	for i := range logins {
		if logins[i].File == "" {
			continue
		}
		var err error
		if logins[i].Config, err = os.ReadFile(logins[i].File); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read the credentials for registries: %w", err)
		}
	}
	return logins, nil
}
