// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/fake"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

const (
	debian = `apiVersion: images.goldsmith.dev/v1alpha1
kind: Image
metadata: {name: debian, labels: {team: a}, uid: 0-0, resourceVersion: "3"}
spec: {builder: {name: mock}}
`
	alpine = `{"apiVersion": "images.goldsmith.dev/v1alpha1", "kind": "Image", "metadata": {"name": "alpine", "namespace": "other"}, "spec": {}}`
)

func TestReadsTheImagesOfAFile(t *testing.T) {
	for _, test := range []struct {
		name, content string
		want          []string // place and name
		err           string
	}{
		{name: "YAML", content: debian, want: []string{"document 1 of stdin: debian"}},
		{name: "JSON", content: alpine, want: []string{"document 1 of stdin: alpine"}},
		{name: "several, and some without content", content: "---\n# nothing\n---\n" + debian + "---\n" + alpine + "\n---\n",
			want: []string{"document 2 of stdin: debian", "document 3 of stdin: alpine"}},
		{name: "nothing", content: "", err: "there is no Image in stdin"},
		{name: "nothing but comments", content: "# none\n---\n", err: "there is no Image in stdin"},
		{name: "another kind", content: debian + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: files}\n",
			err: "document 2 of stdin: its kind is ConfigMap of v1: only an Image of images.goldsmith.dev/v1alpha1 has a plan"},
		{name: "another kind of ours", content: "apiVersion: images.goldsmith.dev/v1alpha1\nkind: ImageBuild\n",
			err: "document 1 of stdin: its kind is ImageBuild of images.goldsmith.dev/v1alpha1: only an Image"},
		{name: "another version", content: strings.Replace(debian, "v1alpha1", "v1", 1), err: "document 1 of stdin: its kind is Image of images.goldsmith.dev/v1: only"},
		{name: "no kind", content: "a: b\n", err: "document 1 of stdin: it is no object: it has no apiVersion or no kind"},
		{name: "no object", content: "- a\n", err: "document 1 of stdin: it is no object: "},
		{name: "no YAML", content: "a: [\n", err: "document 1 of stdin: "},
		{name: "an unknown field", content: strings.Replace(debian, "builder:", "bilder:", 1), err: `document 1 of stdin: strict decoding error: unknown field "spec.bilder"`},
		{name: "a renamed field", content: strings.Replace(debian, "builder:", "retry: {on: [Timeout]}, builder:", 1),
			err: `unknown field "spec.retry.true": use "spec.retry.classes"`},
		{name: "a field of another type", content: strings.Replace(debian, "{name: mock}", "mock", 1), err: "document 1 of stdin: "},
		{name: "no name", content: "apiVersion: images.goldsmith.dev/v1alpha1\nkind: Image\n", err: "document 1 of stdin: metadata.name: Required value"},
	} {
		t.Run(test.name, func(t *testing.T) {
			documents, err := read("-", strings.NewReader(test.content))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %d documents, error %v, want %q", len(documents), err, test.err)
				}
				return
			}
			var got []string
			for _, document := range documents {
				got = append(got, document.place+": "+document.image.Name)
			}
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "images.yaml")
	if err := os.WriteFile(path, []byte(debian), 0o600); err != nil {
		t.Fatal(err)
	}
	if documents, err := read(path, strings.NewReader("")); err != nil || documents[0].place != "document 1 of "+path {
		t.Errorf("a file: got %v, error %v", documents, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(debian)
	f.Add(alpine)
	f.Add("---\n- a\n---\nnull\n")
	f.Fuzz(func(t *testing.T, content string) {
		documents, err := read("-", strings.NewReader(content))
		if (err == nil) != (len(documents) > 0) {
			t.Errorf("%d documents, error %v", len(documents), err)
		}
	})
}

func TestPlansTheImagesOfAFile(t *testing.T) {
	for _, test := range []struct {
		name, content, namespace string
		format                   output.Format
		want                     string // what is asked for
		out                      string
		err                      string
	}{
		{name: "one", content: debian, want: "team/debian map[team:a] mock", out: "image debian would not be built now\n"},
		{name: "several", content: debian + "---\n" + alpine, want: "team/debian map[team:a] mock, other/alpine map[] ",
			out: "image debian would not be built now\n\nimage alpine would not be built now\n"},
		{name: "one for programs", content: debian, format: output.JSON, want: "team/debian map[team:a] mock", out: `"kind": "ImagePlan"`},
		{name: "several for programs", content: debian + "---\n" + alpine, format: output.YAML,
			want: "team/debian map[team:a] mock, other/alpine map[] ", out: "kind: List"},
		{name: "one that the server refuses", content: strings.Replace(debian, "debian", "bad", 1) + "---\n" + alpine, want: "other/alpine map[] ",
			out: "image alpine would not be built now\n", err: "document 1 of stdin: plan image bad: spec.base: Required value"},
		{name: "one of another namespace than asked for", content: debian + "---\n" + alpine, namespace: "team", want: "team/debian map[team:a] mock",
			out: "image debian would not be built now\n", err: "document 2 of stdin: image alpine is of namespace other, not of team, which --namespace names"},
	} {
		t.Run(test.name, func(t *testing.T) {
			clients := fake.NewClientset()
			var asked []string
			clients.PrependReactor("create", "imageplans", func(action clienttesting.Action) (bool, runtime.Object, error) {
				plan := action.(clienttesting.CreateAction).GetObject().(*v1alpha1.ImagePlan)
				if plan.Name == "bad" {
					return true, nil, errors.New("spec.base: Required value")
				}
				if plan.UID != "" || plan.ResourceVersion != "" {
					t.Error("it is of an object that exists")
				}
				asked = append(asked, strings.Join([]string{action.GetNamespace() + "/" + plan.Name, labels(plan), plan.Spec.Builder.Name}, " "))
				return true, plan, nil
			})
			documents, err := read("-", strings.NewReader(test.content))
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err = ofDocuments(t.Context(), &client.Connection{Interface: clients, Namespace: "team"}, test.namespace, documents, test.format, &out)
			if (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
				t.Errorf("got error %v, want %q", err, test.err)
			}
			if got := strings.Join(asked, ", "); got != test.want {
				t.Errorf("asked for %q, want %q", got, test.want)
			}
			if test.format == "" && out.String() != test.out || !strings.Contains(out.String(), test.out) {
				t.Errorf("got\n%s\nwant\n%s", &out, test.out)
			}
		})
	}
}

func labels(plan *v1alpha1.ImagePlan) string {
	return fmt.Sprint(plan.Labels)
}
