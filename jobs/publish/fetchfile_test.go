// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

func TestFetchFileTellsAMissingContentFromAFailure(t *testing.T) {
	content := randomBytes(300 << 10)
	for _, test := range []struct {
		name    string
		inject  func(r *registrytest.Registry)
		size    int64                  // added to that of the content
		missing bool                   // a *MissingError
		want    v1alpha1.FailureReason // of an *Error
		says    string
	}{
		{name: "broken connections", inject: func(r *registrytest.Registry) { r.Inject(3, "GET", "/blobs/", registrytest.Truncate(40)) }},
		{name: "no manifest", inject: func(r *registrytest.Registry) { r.Inject(1, "GET", "/manifests/", registrytest.Status(404)) }, missing: true, says: "404"},
		{name: "no content", inject: func(r *registrytest.Registry) { r.Inject(1, "GET", "/blobs/", registrytest.Status(404)) }, missing: true, says: "404"},
		{name: "no more content", inject: func(r *registrytest.Registry) {
			r.Inject(1, "GET", "/blobs/", registrytest.Truncate(40))
			r.Inject(1, "GET", "/blobs/", registrytest.Status(404))
		}, missing: true, says: "404"},
		{name: "another size", size: 1, missing: true, says: "the registry has 307200 bytes, and the artifact 307201"},
		{name: "denied", inject: func(r *registrytest.Registry) { r.Inject(1, "GET", "/blobs/", registrytest.Status(403)) }, want: v1alpha1.ReasonRegistryDenied, says: "403"},
		{name: "another content", inject: func(r *registrytest.Registry) {
			r.Inject(1, "GET", "/blobs/", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { _, _ = io.CopyN(w, zeros{}, 300<<10) })
		}, want: v1alpha1.ReasonRegistryUnavailable, says: "another content"},
	} {
		t.Run(test.name, func(t *testing.T) {
			registry := registrytest.New(t, registrytest.Options{})
			o := transport.Options{Clock: registrytest.NewClock()}
			artifact := artifact("linux/amd64/raw", "", content)
			location := require.Value(Push(t.Context(), registry.Host()+"/team/web", []Artifact{artifact}, o))(t)[0].Location
			if test.inject != nil {
				test.inject(registry)
			}
			var file bytes.Buffer
			err := FetchFile(t.Context(), location, artifact.Digest, int64(len(content))+test.size, &file, o)
			if failed := test.missing || test.want != ""; failed != (err != nil) || !failed && !bytes.Equal(file.Bytes(), content) {
				t.Fatalf("%v, and %d bytes", err, file.Len())
			}
			if err == nil {
				return
			}
			_, missing := errors.AsType[*MissingError](err)
			failure, _ := errors.AsType[*transport.Error](err)
			if missing != test.missing || (failure == nil) != (test.want == "") || failure != nil && failure.Reason != test.want || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%T: %v", err, err)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
