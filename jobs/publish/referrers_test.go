// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	ociv1 "github.com/opencontainers/image-spec/specs-go/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/publish/registrytest"
	"goldsmith.dev/goldsmith/jobs/publish/transport"
)

// visited is what a reader visits.
type visited struct {
	statements []string // types
	faults     []string
}

func (v *visited) visit(_ string, signed *attestation.Signed, err error) {
	if err != nil {
		v.faults = append(v.faults, err.Error())
		return
	}
	v.statements = append(v.statements, signed.Type)
}

func TestWhatStrangersAttachIsBounded(t *testing.T) {
	payload := base64.StdEncoding.EncodeToString([]byte(`{"_type": "https://in-toto.io/Statement/v1", "predicateType": "x"}`))
	bundle := []byte(`{"mediaType": "` + v1alpha1.MediaTypeBundle + `", "dsseEnvelope": {"payloadType": "application/vnd.in-toto+json", "payload": "` + payload + `", "signatures": [{"sig": "AA=="}]}}`)
	descriptor := func(artifactType, digest string, size int) string {
		return fmt.Sprintf(`{"mediaType": %q, "artifactType": %q, "digest": %q, "size": %d}`, ociv1.MediaTypeImageManifest, artifactType, digest, size)
	}
	list := func(header string, descriptors ...string) registrytest.Fault {
		return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", ociv1.MediaTypeImageIndex)
			if header != "" {
				w.Header().Set("Link", header)
			}
			_, _ = fmt.Fprintf(w, `{"schemaVersion": 2, "mediaType": %q, "manifests": [%s]}`, ociv1.MediaTypeImageIndex, strings.Join(descriptors, ", "))
		}
	}
	missing := contents.Digest([]byte("missing"))
	var many []string
	for i := range maxAttached + 10 {
		many = append(many, descriptor(v1alpha1.MediaTypeBundle, contents.Digest(fmt.Append(nil, i)), 9))
	}
	for name, test := range map[string]struct {
		answer     registrytest.Fault // of the referrers API; nil for what was pushed
		statements int
		faults     int
		requests   int // for manifests, besides that of the artifact
		fails      string
	}{
		"what was pushed":       {statements: 1, requests: 1},
		"documents of no type":  {answer: list("", descriptor("application/spdx+json", missing, 9), descriptor("", missing, 9)), faults: 1, requests: 1},
		"no digest":             {answer: list("", descriptor(v1alpha1.MediaTypeBundle, "sha256:../../x", 9)), faults: 1},
		"a large manifest":      {answer: list("", descriptor(v1alpha1.MediaTypeBundle, missing, 5<<20)), faults: 1},
		"many":                  {answer: list("", many...), faults: maxAttached, requests: maxAttached},
		"endless pages":         {answer: list(`</v2/team/web/referrers/x?last=1>; rel="next"`, descriptor("text/plain", missing, 9)), fails: "list referrers"},
		"endless empty pages":   {answer: list(`</v2/team/web/referrers/x?last=1>; rel="next"`), fails: "list referrers"},
		"no API of this name":   {answer: registrytest.Status(http.StatusBadRequest)},
		"not for this user":     {answer: registrytest.Status(http.StatusForbidden), fails: "list referrers: HTTP 403"},
		"a web page of a proxy": {answer: registrytest.Header("Content-Type", "text/html")},
	} {
		t.Run(name, func(t *testing.T) {
			registry := registrytest.New(t, registrytest.Options{Referrers: true})
			disk := artifact("linux/amd64/raw", "", []byte("disk"))
			disk.Documents = []Document{{Content: contentOf(bundle), MediaType: v1alpha1.MediaTypeBundle}}
			pushed := require.Value(pushIn(t, registry, transport.Options{}, disk))(t)
			if test.answer != nil {
				registry.Inject(1<<20, http.MethodGet, "/referrers/", test.answer)
			}
			reader := require.Value(NewReader(registry.Host()+"/team/web", transport.Options{Clock: registrytest.NewClock()}))(t)
			defer reader.Close()
			found := require.Value(reader.Find(t.Context(), pushed[0].Digest))(t)
			registry.Requests()
			var got visited
			err := reader.Bundles(t.Context(), found.Descriptor, got.visit)
			if test.fails == "" && err != nil || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
				t.Errorf("got error %v", err)
			}
			requests := 0
			for _, request := range registry.Requests() {
				if strings.Contains(request, "/manifests/sha256:") {
					requests++
				}
			}
			if len(got.statements) != test.statements || len(got.faults) != test.faults || requests != test.requests {
				t.Errorf("visited %d statements, %d faults in %d requests: %v", len(got.statements), len(got.faults), requests, got.faults[:min(len(got.faults), 3)])
			}
		})
	}
}
