// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the served OpenAPI document to apis/generated/openapi/v3.json")

// TestOpenAPIIsTheReviewedOne compares the document that clients get with the committed document, so that the diff of a change
// of the API shows the change for clients.
func TestOpenAPIIsTheReviewedOne(t *testing.T) {
	lab := newLaboratory(t, "goldsmith")
	served, err := lab.kube.Discovery().RESTClient().Get().AbsPath("/openapi/v3/apis/images.goldsmith.dev/v1alpha1").
		SetHeader("Accept", "application/json").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var document bytes.Buffer
	if err := json.Indent(&document, served, "", "  "); err != nil {
		t.Fatal(err)
	}
	document.WriteByte('\n')
	file := filepath.Join("..", "..", "..", "apis", "generated", "openapi", "v3.json")
	if *update {
		if err := os.WriteFile(file, document.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), document.String()); diff != "" {
		t.Errorf("what is served differs from %s: review the difference and run make generate\n%s", file, diff)
	}
}
