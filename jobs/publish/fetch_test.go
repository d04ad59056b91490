// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

func TestFetchSurvivesFaultsAndClassifiesThem(t *testing.T) {
	content := randomBytes(300 << 10)
	pushed := artifact("linux/amd64/raw", "", content)
	for _, test := range []struct {
		name     string
		offset   int64
		digest   string
		patience time.Duration
		inject   func(r *registrytest.Registry)
		want     v1alpha1.FailureReason // of an *Error
		says     string                 // in an error
	}{
		{name: "broken connections", inject: func(r *registrytest.Registry) { r.Inject(3, "GET", "/blobs/", registrytest.Truncate(40)) }},
		{name: "broken connections from an offset", offset: 1000, inject: func(r *registrytest.Registry) { r.Inject(3, "GET", "/blobs/", registrytest.Truncate(40)) }},
		{name: "outages that end with progress", patience: time.Second, inject: func(r *registrytest.Registry) { r.Inject(12, "GET", "/blobs/", registrytest.Truncate(40)) }},
		{name: "unavailable", inject: func(r *registrytest.Registry) { r.Inject(2, "GET", "", registrytest.Status(503)) }},
		{name: "no ranges", offset: 1000, inject: func(r *registrytest.Registry) {
			r.Inject(1, "GET", "/blobs/", func(w http.ResponseWriter, req *http.Request, next http.Handler) {
				req.Header.Del("Range")
				next.ServeHTTP(w, req)
			})
		}},
		{name: "no ranges, and broken connections", offset: 1000, inject: func(r *registrytest.Registry) {
			for _, percent := range []int{0, 40, 100} {
				r.Inject(1, "GET", "/blobs/", func(w http.ResponseWriter, req *http.Request, next http.Handler) {
					req.Header.Del("Range")
					registrytest.Truncate(percent)(w, req, next)
				})
			}
		}},
		{name: "another range", offset: 1000, inject: func(r *registrytest.Registry) {
			r.Inject(1, "GET", "/blobs/", registrytest.Header("Content-Range", "bytes 0-9/10"))
			r.Inject(1, "GET", "/blobs/", registrytest.Status(206, "Content-Range", "bytes 1000-1009/10"))
		}, want: v1alpha1.ReasonRegistryUnavailable, says: "another range"},
		{name: "denied", inject: func(r *registrytest.Registry) { r.Inject(1, "GET", "/blobs/", registrytest.Status(403)) }, want: v1alpha1.ReasonRegistryDenied, says: "403"},
		{name: "no manifest", inject: func(r *registrytest.Registry) { r.Inject(1, "GET", "/manifests/", registrytest.Status(404)) }, want: v1alpha1.ReasonRegistryRefused, says: "404"},
		{name: "no content", inject: func(r *registrytest.Registry) { r.Inject(1, "GET", "/blobs/", registrytest.Status(404)) }, want: v1alpha1.ReasonRegistryRefused, says: "404"},
		{name: "another manifest", inject: func(r *registrytest.Registry) {
			r.Inject(1, "GET", "/manifests/", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				_, _ = io.WriteString(w, `{"schemaVersion":2}`)
			})
		}, want: v1alpha1.ReasonRegistryUnavailable, says: "digest"},
		{name: "another digest", digest: otherDigest, says: "has no content " + otherDigest},
		{name: "offset after the end", offset: int64(len(content)) + 1, says: "offset"},
		{name: "broken for good", inject: func(r *registrytest.Registry) { r.Inject(always, "GET", "/blobs/", registrytest.Truncate(0)) }, want: v1alpha1.ReasonRegistryUnavailable, says: "retried for"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := registrytest.New(t, registrytest.Options{Auth: "Bearer", TokenUses: 2})
			o := transport.Options{DockerConfig: r.DockerConfig(registrytest.Password), Clock: registrytest.NewClock(), Patience: test.patience}
			location := require.Value(Push(t.Context(), r.Host()+"/team/web", []Artifact{pushed}, o))(t)[0].Location
			if test.inject != nil {
				test.inject(r)
			}
			if test.digest == "" {
				test.digest = pushed.Digest
			}
			got, err := fetchAll(t.Context(), location, test.digest, test.offset, o)
			if test.says == "" {
				require.NoError(t, err)
				if got != string(content[test.offset:]) {
					t.Errorf("got other %d bytes", len(got))
				}
				return
			}
			failure, classified := errors.AsType[*transport.Error](err)
			if err == nil || classified != (test.want != "") || classified && failure.Reason != test.want ||
				!strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "fetch from "+r.Host()+"/team/web: ") {
				t.Errorf("got %v, want %s that says %q", err, test.want, test.says)
			}
		})
	}
	for _, location := range []string{"", "registry.example/web", "registry.example/web:v1", "registry.example/web@v1", "@" + otherDigest} {
		if _, err := Fetch(t.Context(), location, otherDigest, 0, transport.Options{}); err == nil {
			t.Errorf("fetches from %q", location)
		}
	}
}

func TestAContentIsFetchedOnlyByADigest(t *testing.T) {
	r := registrytest.New(t, registrytest.Options{Auth: "Bearer"})
	o := transport.Options{DockerConfig: r.DockerConfig(registrytest.Password)}
	pusher := require.Value(transport.NewPusher(r.Host()+"/team/web", o))(t)
	for _, layer := range []string{"../../../other/secret", "sha256:../../x", "sha256:0"} {
		raw := fmt.Appendf(nil, `{"schemaVersion": 2, "layers": [{"digest": %q, "size": 3, "annotations": {%q: %q, %q: "0", %q: "3"}}]}`,
			layer, annotationDisk, otherDigest, annotationOffset, annotationSize)
		of := ociv1.Descriptor{MediaType: ociv1.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
		require.NoError(t, pusher.PushManifest(t.Context(), "push", of, raw))
		r.Requests()
		_, err := fetchAll(t.Context(), r.Host()+"/team/web@"+of.Digest.String(), otherDigest, 0, o)
		if failure, ok := errors.AsType[*transport.Error](err); !ok || failure.Reason != v1alpha1.ReasonRegistryRefused || !strings.Contains(err.Error(), fmt.Sprintf("the digest %q", layer)) {
			t.Errorf("got %v", err)
		}
		for _, request := range r.Requests() {
			if !strings.Contains(request, "/team/web/manifests/") && !strings.Contains(request, "/token") {
				t.Errorf("the registry got %s", request)
			}
		}
	}
}

const (
	always      = 1 << 30
	otherDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
)

func fetchAll(ctx context.Context, location, digest string, offset int64, o transport.Options) (string, error) {
	fetched, err := Fetch(ctx, location, digest, offset, o)
	if err != nil {
		return "", err
	}
	got, err := io.ReadAll(fetched)
	return string(got), errors.Join(err, fetched.Close())
}
