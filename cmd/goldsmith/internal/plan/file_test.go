// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
		told          string
		err           string
	}{
		{name: "YAML", content: debian, want: []string{"document 1 of stdin: debian"}},
		{name: "JSON", content: alpine, want: []string{"document 1 of stdin: alpine"}},
		{name: "several, and some without content", content: "---\n# nothing\n---\n" + debian + "---\n" + alpine + "\n---\n",
			want: []string{"document 2 of stdin: debian", "document 3 of stdin: alpine"}},
		{name: "a List", content: "apiVersion: v1\nkind: List\nitems:\n- " + alpine + "\n- {apiVersion: v1, kind: Secret}\n",
			want: []string{"item 1 of document 1 of stdin: alpine"},
			told: "item 2 of document 1 of stdin is ignored: kind Secret of v1 has no plan: only an Image of images.goldsmith.dev/v1alpha1 has a plan\n"},
		{name: "a List with an unknown field", content: "apiVersion: v1\nkind: List\nitems: [" + strings.Replace(alpine, `"spec"`, `"speck"`, 1) + "]\n",
			err: `document 1 of stdin: item 1: strict decoding error: unknown field "speck"`},
		{name: "a List that is none", content: "apiVersion: v1\nkind: List\nitems: 3\n", err: "document 1 of stdin: not a List: "},
		{name: "nothing", content: "", err: "no Image in stdin"},
		{name: "nothing but comments", content: "# none\n---\n", err: "no Image in stdin"},
		{name: "another kind", content: debian + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: files}\n---\n" + alpine,
			want: []string{"document 1 of stdin: debian", "document 3 of stdin: alpine"},
			told: "document 2 of stdin is ignored: kind ConfigMap of v1 has no plan: only an Image of images.goldsmith.dev/v1alpha1 has a plan\n"},
		{name: "another kind of ours", content: "apiVersion: images.goldsmith.dev/v1alpha1\nkind: ImageBuild\n",
			told: "document 1 of stdin is ignored: kind ImageBuild of images.goldsmith.dev/v1alpha1 has no plan: only an Image of images.goldsmith.dev/v1alpha1 has a plan\n",
			err:  "no Image in stdin"},
		{name: "an Image of others", content: debian + "---\napiVersion: image.openshift.io/v1\nkind: Image\n", want: []string{"document 1 of stdin: debian"},
			told: "document 2 of stdin is ignored: kind Image of image.openshift.io/v1 has no plan: only an Image of images.goldsmith.dev/v1alpha1 has a plan\n"},
		{name: "another version", content: strings.Replace(debian, "v1alpha1", "v1", 1), err: "document 1 of stdin: kind Image of images.goldsmith.dev/v1 cannot be planned: use"},
		{name: "no group", content: strings.Replace(debian, "images.goldsmith.dev/", "", 1), err: "document 1 of stdin: kind Image of v1alpha1 cannot be planned: use"},
		{name: "another version and what to write", content: strings.Replace(debian, "v1alpha1", "v1", 1),
			err: " cannot be planned: use apiVersion: images.goldsmith.dev/v1alpha1 and kind: Image"},
		{name: "a kind in lower case", content: strings.Replace(debian, "kind: Image", "kind: image", 1),
			err: "document 1 of stdin: kind image of images.goldsmith.dev/v1alpha1 cannot be planned: use"},
		{name: "a kind in plural", content: strings.Replace(debian, "kind: Image", "kind: Images", 1),
			err: "document 1 of stdin: kind Images of images.goldsmith.dev/v1alpha1 cannot be planned: use"},
		{name: "no kind and no apiVersion", content: "a: b\n",
			err: "document 1 of stdin: not a Kubernetes object: no apiVersion and no kind: an Image has apiVersion: images.goldsmith.dev/v1alpha1 and kind: Image"},
		{name: "no kind", content: strings.Replace(debian, "kind: Image\n", "", 1), err: "document 1 of stdin: not a Kubernetes object: no kind: an Image has"},
		{name: "no apiVersion", content: strings.Replace(debian, "apiVersion: images.goldsmith.dev/v1alpha1\n", "", 1), err: "document 1 of stdin: not a Kubernetes object: no apiVersion: an Image has"},
		{name: "no object", content: "- a\n", err: "document 1 of stdin: not a Kubernetes object: must be an object, not a list"},
		{name: "no YAML", content: "a: [\n", err: "document 1 of stdin: "},
		{name: "an unknown field", content: strings.Replace(debian, "builder:", "bilder:", 1), err: `document 1 of stdin: strict decoding error: unknown field "spec.bilder"`},
		{name: "a renamed field", content: strings.Replace(debian, "builder:", "retry: {on: [Timeout]}, builder:", 1),
			err: `unknown field "spec.retry.true": use "spec.retry.classes"`},
		{name: "a field of another type", content: strings.Replace(debian, "{name: mock}", "mock", 1),
			err: "document 1 of stdin: spec.builder: must be an object, not a string"},
		{name: "a duration of days", content: strings.Replace(debian, "builder:", "timeouts: {run: 7d}, builder:", 1), want: []string{"document 1 of stdin: debian"}},
		{name: "a duration of weeks", content: strings.Replace(debian, "builder:", "timeouts: {run: 2w}, builder:", 1),
			err: "document 1 of stdin: spec.timeouts.run: must be a duration such as 90s, 30m, 2h or 7d"},
		{name: "no name", content: "apiVersion: images.goldsmith.dev/v1alpha1\nkind: Image\n", err: "document 1 of stdin: metadata.name: Required value"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var told strings.Builder
			documents, err := read([]string{"-"}, strings.NewReader(test.content), &told)
			if told.String() != test.told {
				t.Errorf("told %q, want %q", told.String(), test.told)
			}
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
}

func TestReadsFilesAndDirectoriesAsKubectlDoes(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{
		"a.txt": debian, "dir/b.yaml": debian, "dir/a.json": alpine, "dir/c.yml": "apiVersion: v1\nkind: Namespace\n",
		"dir/notes.txt": "no YAML: [\n", "dir/deeper/d.yaml": debian, "empty/notes.txt": "",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const told = "document 1 of dir/c.yml is ignored: kind Namespace of v1 has no plan: only an Image of images.goldsmith.dev/v1alpha1 has a plan\n"
	for _, test := range []struct {
		names     []string
		want      []string
		told, err string
	}{
		{names: []string{"a.txt"}, want: []string{"document 1 of a.txt"}},
		{names: []string{"dir"}, want: []string{"document 1 of dir/a.json", "document 1 of dir/b.yaml"}, told: told},
		{names: []string{"a.txt", "dir/", "-", "empty"}, told: told,
			want: []string{"document 1 of a.txt", "document 1 of dir/a.json", "document 1 of dir/b.yaml", "document 1 of stdin"}},
		{names: []string{"empty", "dir/c.yml"}, told: told, err: "no Image in empty, dir/c.yml"},
		{names: []string{"a.txt", "missing"}, err: "find the files of images: stat missing: no such file or directory"},
	} {
		var out strings.Builder
		documents, err := read(test.names, strings.NewReader(debian), &out)
		var got []string
		for _, document := range documents {
			got = append(got, document.place)
		}
		if diff := cmp.Diff(test.want, got); diff != "" || out.String() != test.told {
			t.Errorf("%q: told %q (-want +got):\n%s", test.names, out.String(), diff)
		}
		if (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%q: got error %v, want %q", test.names, err, test.err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(debian)
	f.Add(alpine)
	f.Add("---\n- a\n---\nnull\n")
	f.Add("apiVersion: v1\nkind: List\nitems: [" + alpine + "]\n")
	f.Fuzz(func(t *testing.T, content string) {
		documents, err := read([]string{"-"}, strings.NewReader(content), io.Discard)
		if (err == nil) != (len(documents) > 0) {
			t.Errorf("%d documents, error %v", len(documents), err)
		}
	})
}

func TestPlansTheImagesOfAFile(t *testing.T) {
	for _, test := range []struct {
		name, content, namespace string
		format                   output.Format
		want                     string // the Images in the requests
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
			out: "image debian would not be built now\n", err: "document 2 of stdin: image alpine: metadata.namespace is other, but --namespace is team: correct one of the two"},
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
			documents, err := read([]string{"-"}, strings.NewReader(test.content), io.Discard)
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
