// SPDX-License-Identifier: Apache-2.0

package plan

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
)

const (
	debian = `apiVersion: images.goldsmith.dev/v1alpha1
kind: Image
metadata: {name: debian, labels: {team: a}}
spec: {builder: {name: mock}}
`
	alpine = `{"apiVersion": "images.goldsmith.dev/v1alpha1", "kind": "Image", "metadata": {"name": "alpine", "namespace": "other"}, "spec": {}}`

	isIgnoredText = " is ignored: only an Image of images.goldsmith.dev/v1alpha1 has a plan\n"
)

func TestReadsTheImagesOfAFile(t *testing.T) {
	for _, test := range []struct {
		name, content string
		want          []string // source and name
		stderr        string
		err           string
	}{
		{name: "YAML", content: debian, want: []string{"stdin: debian"}},
		{name: "JSON", content: alpine, want: []string{"stdin: alpine"}},
		{name: "several JSON objects", content: alpine + alpine, want: []string{"stdin: alpine", "stdin: alpine"}},
		{name: "several, and some without content", content: "---\n# nothing\n---\n" + debian + "---\n" + alpine + "\n---\n", want: []string{"stdin: debian", "stdin: alpine"}},
		{name: "a List", content: "apiVersion: v1\nkind: List\nitems:\n- " + alpine + "\n- {apiVersion: v1, kind: Secret, metadata: {name: token}}\n",
			want: []string{"stdin: alpine"}, stderr: "stdin: Secret token of v1" + isIgnoredText},
		{name: "a List with an unknown field", content: "apiVersion: v1\nkind: List\nitems: [" + strings.Replace(alpine, `"spec"`, `"speck"`, 1) + "]\n",
			err: `stdin: image alpine: strict decoding error: unknown field "speck"`},
		{name: "an ImageList", content: "apiVersion: images.goldsmith.dev/v1alpha1\nkind: ImageList\nitems: [" + alpine + "]\n", want: []string{"stdin: alpine"}},
		{name: "nothing", content: "", err: "no Image in stdin"},
		{name: "nothing but comments", content: "# none\n---\n", err: "no Image in stdin"},
		{name: "another kind", content: debian + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: files}\n---\n" + alpine,
			want: []string{"stdin: debian", "stdin: alpine"}, stderr: "stdin: ConfigMap files of v1" + isIgnoredText},
		{name: "another kind of ours", content: "apiVersion: images.goldsmith.dev/v1alpha1\nkind: ImageBuild\nmetadata: {name: b}\n",
			stderr: "stdin: ImageBuild b of images.goldsmith.dev/v1alpha1" + isIgnoredText, err: "no Image in stdin"},
		{name: "an Image of others", content: debian + "---\napiVersion: image.openshift.io/v1\nkind: Image\nmetadata: {name: i}\n", want: []string{"stdin: debian"},
			stderr: "stdin: Image i of image.openshift.io/v1" + isIgnoredText},
		{name: "another version, and an Image", content: strings.Replace(debian, "v1alpha1", "v1", 1) + "---\n" + alpine, want: []string{"stdin: alpine"},
			err: `stdin: kind Image of apiVersion "images.goldsmith.dev/v1" cannot be planned: use apiVersion: images.goldsmith.dev/v1alpha1 and kind: Image`},
		{name: "no group", content: strings.Replace(debian, "images.goldsmith.dev/", "", 1), err: `stdin: kind Image of apiVersion "v1alpha1" cannot be planned: use`},
		{name: "a kind in lower case", content: strings.Replace(debian, "kind: Image", "kind: image", 1), err: `stdin: kind image of apiVersion "images.goldsmith.dev/v1alpha1" cannot be planned: use`},
		{name: "a kind in plural", content: strings.Replace(debian, "kind: Image", "kind: Images", 1), err: `stdin: kind Images of apiVersion "images.goldsmith.dev/v1alpha1" cannot be planned: use`},
		{name: "no apiVersion", content: strings.Replace(debian, "apiVersion: images.goldsmith.dev/v1alpha1\n", "", 1), err: `stdin: kind Image of apiVersion "" cannot be planned: use`},
		{name: "no kind", content: strings.Replace(debian, "kind: Image\n", "", 1), err: `unable to decode "stdin": Object 'Kind' is missing: a manifest is YAML or JSON with apiVersion: images.goldsmith.dev/v1alpha1 and kind: Image`},
		{name: "a template of Packer", content: `{"builders": [{"type": "qemu"}]}`, err: "Object 'Kind' is missing: a manifest is YAML or JSON"},
		{name: "HCL", content: "source \"qemu\" \"web\" {\n  iso = 1\n}\n", err: "a manifest is YAML or JSON"},
		{name: "a word", content: "web", err: "it is no object: a manifest is YAML or JSON"},
		{name: "a tab", content: strings.Replace(debian, "spec:", "spec:\n\tbase:", 1), err: "YAML indents with spaces"},
		{name: "a misspelt field", content: strings.Replace(debian, "{builder:", "{parametres: [], builder:", 1), err: `unknown field "spec.parametres": did you mean "spec.parameters"?`},
		{name: "a field in another place", content: strings.Replace(debian, "{builder:", "{schedule: {}, builder:", 1), err: `did you mean "spec.triggers.schedule"?`},
		{name: "no object", content: "- a\n", err: `unable to decode "stdin": `},
		{name: "no YAML", content: "a: [\n", err: "error parsing stdin: "},
		{name: "an unknown field", content: strings.Replace(debian, "builder:", "bilder:", 1), err: `stdin: image debian: strict decoding error: unknown field "spec.bilder"`},
		{name: "a field of another type", content: strings.Replace(debian, "{name: mock}", "mock", 1),
			err: "stdin: image debian: spec.builder: must be an object, not a string"},
		{name: "a duration of days", content: strings.Replace(debian, "builder:", "timeouts: {run: 7d}, builder:", 1), want: []string{"stdin: debian"}},
		{name: "a duration of weeks", content: strings.Replace(debian, "builder:", "timeouts: {run: 2w}, builder:", 1),
			err: "stdin: image debian: spec.timeouts.run: must be a duration such as 90s, 30m, 2h or 7d"},
		{name: "no name", content: "apiVersion: images.goldsmith.dev/v1alpha1\nkind: Image\n", err: "stdin: metadata.name: Required value"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stderr strings.Builder
			asked := sources{files: []string{"-"}}
			documents, err := asked.read(strings.NewReader(test.content), &stderr)
			if stderr.String() != test.stderr {
				t.Errorf("stderr %q, want %q", stderr.String(), test.stderr)
			}
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got error %v, want %q", err, test.err)
			}
			var got []string
			for _, document := range documents {
				got = append(got, document.source+": "+document.image.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadsFilesAndDirectoriesAsKubectlDoes(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{
		"a.txt": debian, "dir/b.yaml": debian, "dir/a.json": alpine, "dir/c.yml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n",
		"dir/notes.txt": "no YAML: [\n", "dir/deeper/d.yaml": debian, "empty/notes.txt": "",
		"overlay/kustomization.yaml": "namePrefix: new-\nresources: [debian.yaml]\n", "overlay/debian.yaml": debian,
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	}
	server := httptest.NewServer(http.FileServer(http.Dir(".")))
	defer server.Close()
	const stderr = "dir/c.yml: Namespace team of v1" + isIgnoredText
	for _, test := range []struct {
		asked       sources
		want        []string
		stderr, err string
	}{
		{asked: sources{files: []string{"a.txt"}}, want: []string{"a.txt: debian"}},
		{asked: sources{files: []string{"dir"}}, want: []string{"dir/a.json: alpine", "dir/b.yaml: debian"}, stderr: stderr},
		{asked: sources{files: []string{"dir"}, recursive: true}, want: []string{"dir/a.json: alpine", "dir/b.yaml: debian", "dir/deeper/d.yaml: debian"}, stderr: stderr},
		{asked: sources{files: []string{"a.txt", "dir/", "-"}}, stderr: stderr, want: []string{"a.txt: debian", "dir/a.json: alpine", "dir/b.yaml: debian", "stdin: debian"}},
		{asked: sources{files: []string{server.URL + "/a.txt"}}, want: []string{server.URL + "/a.txt: debian"}},
		{asked: sources{kustomize: "overlay"}, want: []string{"overlay: new-debian"}},
		{asked: sources{files: []string{"dir/c.yml"}}, stderr: stderr, err: "no Image in dir/c.yml"},
		{asked: sources{files: []string{"empty"}}, err: "read images: error reading [empty]: recognized file extensions are [.json .yaml .yml]"},
		{asked: sources{files: []string{"a.txt", "missing"}}, err: `read images: the path "missing" does not exist`},
	} {
		var out strings.Builder
		documents, err := test.asked.read(strings.NewReader(debian), &out)
		var got []string
		for _, document := range documents {
			got = append(got, document.source+": "+document.image.Name)
		}
		if diff := cmp.Diff(test.want, got); diff != "" || out.String() != test.stderr {
			t.Errorf("%+v: stderr %q (-want +got):\n%s", test.asked, out.String(), diff)
		}
		if (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%+v: got error %v, want %q", test.asked, err, test.err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(debian)
	f.Add(alpine)
	f.Add("---\n- a\n---\nnull\n")
	f.Add("apiVersion: v1\nkind: List\nitems: [" + alpine + "]\n")
	f.Fuzz(func(t *testing.T, content string) {
		asked := sources{files: []string{"-"}}
		documents, err := asked.read(strings.NewReader(content), io.Discard)
		if err == nil && len(documents) == 0 {
			t.Errorf("no document and no error in %q", content)
		}
	})
}
