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
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/discovery"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/local/cascade"
)

var update = flag.Bool("update", false, "write the served documents to apis/generated")

// An object of a kind that the cascade does not know outlives its namespace, and no deletion in the foreground ends.
func TestTheCascadeKnowsEveryKindWhoseObjectsAreStored(t *testing.T) {
	known, stored := sets.New[string](), sets.New[string]()
	for _, kind := range cascade.Kinds() {
		known.Insert(kind.String())
	}
	lists, err := newLaboratory(t, "goldsmith").kube.Discovery().ServerPreferredResources()
	require.NoError(t, err)
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"delete"}}, lists) {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		require.NoError(t, err)
		for _, resource := range list.APIResources {
			stored.Insert(version.WithResource(resource.Name).String())
		}
	}
	stored.Delete(eventsv1.SchemeGroupVersion.WithResource("events").String()) // the same objects as in v1
	if diff := cmp.Diff(sets.List(stored), sets.List(known)); diff != "" {
		t.Errorf("kinds of the cascade (-stored +known):\n%s", diff)
	}
}

// TestTheServedDocumentsAreTheReviewedOnes compares the documents that clients get with the committed documents, so that the diff of
// a change of the API shows the change for clients. The specs of discovery and the permissions of users follow from the second one.
func TestTheServedDocumentsAreTheReviewedOnes(t *testing.T) {
	lab := newLaboratory(t, "goldsmith")
	for file, path := range map[string]string{
		"openapi/v3.json":         "/openapi/v3/apis/images.goldsmith.dev/v1alpha1",
		"discovery/v1alpha1.json": "/apis/images.goldsmith.dev/v1alpha1",
	} {
		served, err := lab.kube.Discovery().RESTClient().Get().AbsPath(path).SetHeader("Accept", "application/json").DoRaw(t.Context())
		require.NoError(t, err)
		var document bytes.Buffer
		require.NoError(t, json.Indent(&document, bytes.TrimSpace(served), "", "  "))
		document.WriteByte('\n')
		file = filepath.Join("..", "..", "..", "apis", "generated", filepath.FromSlash(file))
		if *update {
			require.NoError(t, os.WriteFile(file, document.Bytes(), 0o644))
		}
		committed, err := os.ReadFile(file)
		require.NoError(t, err)
		if diff := cmp.Diff(string(committed), document.String()); diff != "" {
			t.Errorf("what is served differs from %s: review the difference and run make generate\n%s", file, diff)
		}
	}
}
