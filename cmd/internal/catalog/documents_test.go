// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/debian"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

const header = "apiVersion: images.goldsmith.dev/v1alpha1\nkind: ImageKind\n"

// manifest is a document with a kind of one field.
func manifest(name, kind string) string {
	return header + "metadata: {name: " + name + "}\nspec:\n  names: {kind: " + kind + `}
  template: {builder: {name: mock}, targets: [{platform: linux/amd64, format: raw}]}
  versions:
  - name: v1
    schema: {type: object, required: [release], properties: {release: {type: string, minLength: 1}}}
    bindings: [{field: spec.release, to: spec.base.reference, prefix: "debian:"}]
`
}

func write(t *testing.T, directory string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600))
	}
}

func TestDocumentsDeclareKinds(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	write(t, directory, map[string]string{
		"a.yaml": "# comments alone\n---\n" + manifest("debians", "Debian") + "---\n" + manifest("desktops", "Desktop") + "---\n# the end\n",
		"b.yaml": manifest("bases", "Base"), "c.yaml": "# none yet\n", "notes.txt": "no document",
	})
	source := NewSource(directory, false, catalog.Compile)
	found, err := source.Read(t.Context())
	require.NoError(t, err)
	if names := slices.Sorted(maps.Keys(found)); !slices.Equal(names, []string{"bases", "debians", "desktops"}) {
		t.Errorf("found %v", names)
	}
	for name, kind := range found {
		if kind.Name() != name {
			t.Errorf("%s is %s", name, kind.Name())
		}
	}
	if sorted := Sorted(found); len(sorted) != 3 || sorted[0] != found["bases"] || sorted[2] != found["desktops"] {
		t.Errorf("sorted %v", sorted)
	}
	// A kind whose document has another format, place or comment is the same.
	write(t, directory, map[string]string{
		"a.yaml": "# moved\n\n" + manifest("desktops", "Screen"), "b.yaml": "# comment\n" + manifest("bases", "Base"), "d.yaml": manifest("debians", "Debian"),
	})
	again, err := source.Read(t.Context())
	require.NoError(t, err)
	if again["bases"] != found["bases"] || again["debians"] != found["debians"] || again["desktops"] == found["desktops"] {
		t.Errorf("before %v, after %v", found, again)
	}
	if none, err := NewSource(filepath.Join(directory, "gone.yaml"), true, catalog.Compile).Read(t.Context()); err != nil || len(none) != 0 {
		t.Errorf("a missing file: %v %v", none, err)
	}
}

func TestWhatIsWrongIsNamedWithFileLineKindAndPath(t *testing.T) {
	t.Parallel()
	valid := manifest("debians", "Debian")
	for name, test := range map[string]struct {
		content string
		want    []string // FILE is the path of the file
	}{
		"empty":           {"\n", []string{"FILE: it is empty, as while it is being written: write kinds or a comment, or delete it"}},
		"no YAML":         {valid + "---\nkind: {\n", []string{"FILE:12: yaml: line 12: did not find expected node content: correct the file"}},
		"half written":    {valid[:len(header)+15], []string{"FILE:1: yaml: line 3: did not find expected ',' or '}': correct the file"}},
		"no object":       {"- x", []string{"FILE:1: it must be an object with fields"}},
		"another kind":    {"apiVersion: v1\nkind: List", []string{`FILE:1: apiVersion "v1" and kind "List" must be images.goldsmith.dev/v1alpha1 and ImageKind`}},
		"kind is no text": {"kind: [1]", []string{"FILE:1: kind: must be text: write it in quotes"}},
		"unknown fields":  {strings.ReplaceAll(valid, "names:", "nmes: {}\n  names:") + "extra: {}\n", []string{`FILE:1: debians: unknown field "extra"`, `FILE:1: debians: unknown field "spec.nmes"`}},
		"duplicate field": {strings.Replace(valid, "  versions:", "  names: {}\n  versions:", 1), []string{`FILE:1: yaml: unmarshal errors: line 7: key "names" already set in map: correct the file`}},
		"a wrong type":    {strings.Replace(valid, "kind: Debian", "kind: 5", 1), []string{"FILE:1: debians: spec.names.kind: must be text: write it in quotes"}},
		"same kind twice": {valid + "---\n" + valid, []string{"FILE:12: debians: metadata.name: debians is also set in FILE:1: choose another name"}},
		"names conflict": {valid + "---\n" + manifest("others", "Debian"), []string{
			`FILE:12: others: spec.names.kind: Duplicate value: "Debian": is the kind, or the kind of lists, of the ImageKind debians in FILE:1: choose another name`,
		}},
		"a namespace": {strings.Replace(valid, "{name: debians}", "{name: debians, namespace: red}", 1), []string{
			"FILE:1: debians: metadata.namespace: Forbidden: an ImageKind belongs to no namespace: leave it out",
		}},
		"checks": {"# comment\n---\n" + strings.Replace(valid, "spec.base", "spec.bse", 1) + "---\n" + manifest("refused", "Refused"), []string{
			"FILE:3: debians: spec.versions[0].bindings[0].to: ", `FILE:14: refused: spec.names: Invalid value: "x": two lines`,
		}},
		"everything":   {"kind: {\n---\n- x\n---\n" + valid + "---\n" + valid, []string{"FILE:1: ", "FILE:3: it must be", "FILE:16: debians: metadata.name: "}},
		"a large file": {strings.Repeat("#", 4<<20+1), []string{"FILE: it is larger than 4 MiB"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "kinds.yaml")
			write(t, filepath.Dir(file), map[string]string{"kinds.yaml": test.content})
			source := NewSource(file, false, func(ctx context.Context, declared *v1alpha1.ImageKind) (*catalog.Kind, field.ErrorList) {
				if declared.Name == "refused" {
					return nil, field.ErrorList{field.Invalid(field.NewPath("spec.names"), "x", "two\nlines")}
				}
				return catalog.Compile(ctx, declared)
			})
			for range 2 { // a document that was read before has the same problems
				found, err := source.Read(t.Context())
				if err == nil || found != nil {
					t.Fatalf("found %v", found)
				}
				lines := strings.Split(strings.ReplaceAll(err.Error(), file, "FILE"), "\n")
				if !slices.EqualFunc(lines, test.want, strings.HasPrefix) {
					t.Errorf("got %s\nwant %s", strings.Join(lines, "\n"), strings.Join(test.want, "\n"))
				}
			}
		})
	}
}

func TestChangedDocumentsReplaceTheKinds(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "kinds.yaml")
	replace := func(content string) {
		t.Helper()
		require.NoError(t, errors.Join(os.WriteFile(file+".new", []byte(content), 0o600), os.Rename(file+".new", file)))
	}
	source := NewSource(file, true, catalog.Compile)
	current, err := source.Read(t.Context())
	require.NoError(t, err)
	ctx := t.Context()
	kinds, told, ended := make(chan []*catalog.Kind, 10), make(chan string, 10), make(chan error, 1)
	go func() {
		ended <- source.Watch(ctx, current, func(changed map[string]*catalog.Kind) { kinds <- Sorted(changed) }, func(line string) { told <- line })
	}()
	for _, step := range []struct {
		content, line string
		kinds         int // -1 if they stay
	}{
		{manifest("debians", "Debian"), "registered debians", 1},
		{manifest("debians", "Debian") + "---\n" + manifest("bases", "Base"), "registered bases", 2},
		{"kind: {", file + ":1: yaml: line 1: did not find expected node content: correct the file: the registered kinds stay as they were", -1},
		{manifest("debians", "Debian") + "---\n" + manifest("bases", "Base"), "the documents are correct again, and the registered kinds are the same", -1},
		{manifest("bases", "Ground"), "changed bases; removed debians", 1},
	} {
		replace(step.content)
		if got := <-told; got != step.line {
			t.Errorf("told %q, want %q", got, step.line)
		}
		if step.kinds >= 0 {
			if got := <-kinds; len(got) != step.kinds {
				t.Errorf("%s: kinds %v", step.line, got)
			}
		}
	}
}

// TestTheExamplesAreKinds holds that each field of the examples also has a text for kubectl explain.
func TestTheExamplesAreKinds(t *testing.T) {
	t.Parallel()
	found, err := NewSource(examples(t), false, catalog.Compile).Read(t.Context())
	require.NoError(t, err)
	if len(found) != 4 {
		t.Errorf("found %v", found)
	}
	for name, kind := range found {
		spec := kind.Structural().Properties["spec"]
		undescribed(&spec, "spec", func(path string) { t.Errorf("%s: %s has no description", name, path) })
	}
}

// TestTheBuilderDebianTakesItsKind holds that the parameters of the example that users start from, and of the object among the examples, are
// those of the builder, and that a list reaches it in the form that it takes.
func TestTheBuilderDebianTakesItsKind(t *testing.T) {
	t.Parallel()
	found, err := NewSource(examples(t), false, catalog.Compile).Read(t.Context())
	require.NoError(t, err)
	kind := found["servers"]
	object := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal(require.Value(os.ReadFile(filepath.Join(examples(t), "instances", "server.yaml")))(t), &object.Object))
	users := object.DeepCopy()
	user := map[string]any{"name": "admin", "authorizedKeys": []any{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA admin"}}
	require.NoError(t, unstructured.SetNestedSlice(users.Object, []any{user}, "spec", "users"))
	for name, view := range map[string]*unstructured.Unstructured{"the start of users": kind.Example(t.Context()), "an object": object, "users": users} {
		image := require.Value(kind.Put(t.Context(), view, nil, nil))(t)
		capabilities := debian.Capabilities()
		path := field.NewPath("spec")
		errs := append(capabilities.CheckParameters("debian", image.Spec.Parameters, path), capabilities.CheckTargets("debian", image.Spec.Targets, path)...)
		if len(errs) > 0 {
			t.Errorf("%s: %v", name, errs)
		}
	}
	image := require.Value(kind.Put(t.Context(), object, nil, nil))(t)
	if i := slices.IndexFunc(image.Spec.Parameters, func(p v1alpha1.Parameter) bool { return p.Name == "packages" }); i < 0 || image.Spec.Parameters[i].Value != "nginx-light curl" {
		t.Errorf("the parameters are %v", image.Spec.Parameters)
	}
}

// examples is the directory of the example kinds.
func examples(t *testing.T) string {
	t.Helper()
	return require.Value(filepath.Abs("../../../examples/catalog"))(t)
}

func undescribed(schema *structuralschema.Structural, path string, report func(path string)) {
	if schema.Description == "" {
		report(path)
	}
	for name, property := range schema.Properties {
		undescribed(&property, path+"."+name, report)
	}
}
