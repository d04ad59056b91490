// SPDX-License-Identifier: Apache-2.0

package listing

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/e2e/require"
)

// serve starts a server for the given number of changes of an image, and returns a connection. The generations of the
// changes count from 1.
func serve(t *testing.T, changes int) *client.Connection {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		query := request.URL.Query()
		if !strings.HasSuffix(request.URL.Path, "/namespaces/team/images/web/changes") || query.Get("uid") != "a-uid" || query.Get("user") != "ada" {
			t.Errorf("asked for %s", request.URL)
		}
		limit, err := strconv.Atoi(query.Get("limit"))
		if err != nil {
			t.Error(err)
		}
		first := 0
		if next := query.Get("continue"); next != "" {
			if first, err = strconv.Atoi(next); err != nil {
				t.Error(err)
			}
		}
		page := &v1alpha1.ImageChanges{}
		page.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("ImageChanges"))
		for i := first; i < min(first+limit, changes); i++ {
			page.Items = append(page.Items, v1alpha1.ImageChange{Generation: int64(i + 1)})
		}
		if first+limit < changes {
			page.Continue = strconv.Itoa(first + limit)
		}
		answer.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(answer).Encode(page); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return &client.Connection{Interface: versioned.NewForConfigOrDie(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}), Namespace: "team"}
}

func TestRecordsAreShown(t *testing.T) {
	object := func(rest string) string {
		return "apiVersion: images.goldsmith.dev/v1alpha1\n" + rest + "kind: ImageChanges\nmetadata: {}\n"
	}
	for name, test := range map[string]struct {
		there       int
		limit       int
		format      output.Format
		out, stderr string
	}{
		"none, to people":         {0, 30, "", "", "nothing\n"},
		"none, to programs":       {0, 30, output.YAML, object("items: []\n"), ""},
		"all, to people":          {2, 2, "", "1,2,", ""},
		"some, to people":         {3, 2, "", "1,2,", "there are more: --limit 0 shows all\n"},
		"some, to programs":       {3, 1, output.YAML, object("continue: \"1\"\nitems:\n- generation: 1\n  path: \"\"\n"), ""},
		"more than are on a page": {501, 0, output.Name, "501 names", ""},
	} {
		t.Run(name, func(t *testing.T) {
			changes := Records[v1alpha1.ImageChange]{
				Subresource: "changes",
				Parameters:  map[string]string{"user": "ada"},
				NewPage: func() Page[v1alpha1.ImageChange] {
					page := &v1alpha1.ImageChanges{}
					return Page[v1alpha1.ImageChange]{Object: page, Items: &page.Items, Continue: &page.Continue}
				},
				None: "nothing",
				Print: func(items []v1alpha1.ImageChange, out io.Writer) error {
					for _, item := range items {
						if _, err := fmt.Fprintf(out, "%d,", item.Generation); err != nil {
							return err
						}
					}
					return nil
				},
				Names: func(items []v1alpha1.ImageChange, out io.Writer) error {
					_, err := fmt.Fprintf(out, "%d names", len(items))
					return err
				},
			}
			var out, stderr strings.Builder
			flags := &Flags{UID: "a-uid", Limit: test.limit, Format: test.format}
			require.NoError(t, changes.Show(t.Context(), serve(t, test.there), "web", flags, &out, &stderr))
			if diff := cmp.Diff([]string{test.out, test.stderr}, []string{out.String(), stderr.String()}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALimitIsNotNegative(t *testing.T) {
	for limit, valid := range map[int]bool{-1: false, 0: true, 30: true} {
		if err := (&Flags{Limit: limit}).Check(); valid != (err == nil) {
			t.Errorf("%d: got error %v", limit, err)
		}
	}
}
