// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/internal/builders/document"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/local"
)

const header = "apiVersion: goldsmith.dev/v1alpha1\nkind: BuilderConfiguration\n"

// write writes files into a directory. The files without an extension are executable, and scripts if they are empty.
func write(t *testing.T, directory string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		mode := os.FileMode(0o600)
		if filepath.Ext(name) == "" {
			mode = 0o700
			if content == "" {
				content = script
			}
		}
		path := filepath.Join(directory, name)
		require.NoError(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), mode)))
	}
}

func TestADocumentDeclaresBuilders(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	tool := filepath.Join(directory, "bin", "tool")
	write(t, directory, map[string]string{
		"bin/tool": "", "secret.txt": "s3cret\n", "notes.txt": "no document", ".hidden.yaml": "no document",
		"a.yaml": "# comments alone\n---\n" + header + `
builders:
- name: full
  description: Makes disks
  path: bin/../bin/tool
  args: [--fast, ""]
  env:
  - {name: PLAIN, value: "a b"}
  - {name: EMPTY, value: ""}
  - {name: TOKEN, valueFrom: {file: secret.txt}}
  workers: 2
  unconfined: true
  reports: false
  base: {enum: ["debian:trixie"]}
  fileNames: {pattern: ^root/}
  parameters:
    type: object
    description: How the disk is made
    properties:
      users:
        contentMediaType: application/yaml
        contentSchema: {type: array, items: {type: object, properties: {name: {minLength: 1}}, required: [name], additionalProperties: false}}
      size: {type: string, pattern: "^[0-9]+M$", default: 64M}
      level: {type: integer, minimum: 1, enum: [1, 2]}
    required: [level]
    additionalProperties: true
  targets:
  - {platform: linux/amd64, format: raw}
  - {format: oci}
  reasons:
  - {reason: NoSpace, class: Config, meaning: the volume is full, remedy: free space}
  - {reason: Down, class: Infrastructure, meaning: nothing answers}
  probe: true
`,
		"b.yaml": header + "builders: [{name: small, path: " + tool + "}]\n",
		"c.yaml": header,
	})
	found, err := source{Path: directory}.read()
	require.NoError(t, err)
	want := map[string]builder{
		"full": {Description: "Makes disks", Builder: local.Builder{
			Path: tool, Args: []string{"--fast", ""}, Workers: 2, Unconfined: true,
			Env: []local.EnvVar{{Name: "PLAIN", Value: "a b"}, {Name: "EMPTY"}, {Name: "TOKEN", File: filepath.Join(directory, "secret.txt")}},
		}, Capabilities: capability.Capabilities{
			Probe: true,
			Base:  &capability.Property{Enum: []any{"debian:trixie"}}, FileNames: &capability.Property{Pattern: "^root/"},
			Parameters: &capability.Schema{
				Type: "object", Description: "How the disk is made", Required: []string{"level"}, AdditionalProperties: true,
				Properties: map[string]capability.Property{
					"users": {ContentMediaType: "application/yaml", ContentSchema: &capability.Content{
						Property: capability.Property{Type: "array"}, Items: &capability.Content{
							Property: capability.Property{Type: "object"}, Required: []string{"name"},
							Properties: map[string]capability.Content{"name": {Property: capability.Property{MinLength: new(int64(1))}}},
						},
					}},
					"size":  {Type: "string", Pattern: "^[0-9]+M$", Default: "64M"},
					"level": {Type: "integer", Minimum: new(1.0), Enum: []any{int64(1), int64(2)}},
				},
			},
			Targets: []capability.Target{{Platform: "linux/amd64", Format: "raw"}, {Format: "oci"}},
			Reasons: []v1alpha1.BuilderReason{
				{Reason: "NoSpace", Class: v1alpha1.FailureConfig, Meaning: "the volume is full", Remedy: "free space"}, {Reason: "Down", Class: v1alpha1.FailureInfrastructure, Meaning: "nothing answers"},
			},
		}},
		"small": {Builder: local.Builder{Path: tool}, Reports: true},
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Error(diff)
	}
	one, err := source{Path: filepath.Join(directory, "b.yaml")}.read()
	if err != nil || len(one) != 1 {
		t.Errorf("one document: %v %v", one, err)
	}
	if none, err := (source{Path: filepath.Join(directory, "missing.yaml"), Optional: true}).read(); err != nil || len(none) != 0 {
		t.Errorf("no document: %v %v", none, err)
	}
}

func TestWhatIsWrongIsNamedWithFileBuilderAndField(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	large := strings.Repeat("x", 64<<10+1)
	write(t, directory, map[string]string{"tool": "", "plain.txt": "", "big.txt": large, "zero.txt": "s3cret\x00"})
	// The values are what follows "FILE: ". A document without a header consists of the items of a list of builders.
	for document, want := range map[string]string{
		"":                                "it is empty: set apiVersion: goldsmith.dev/v1alpha1 and kind: BuilderConfiguration",
		"# comment\n":                     "it is empty: set apiVersion: goldsmith.dev/v1alpha1 and kind: BuilderConfiguration",
		"\xff":                            "it is not UTF-8",
		"kind: {":                         "yaml: line 1: did not find expected node content",
		"- x":                             "it must be an object with fields",
		"kind: [1]":                       "kind: must be text: write it in quotes",
		"apiVersion: v1\nkind: List":      `apiVersion "v1" and kind "List" must be goldsmith.dev/v1alpha1 and BuilderConfiguration`,
		header + "builder: []":            `unknown field "builder"`,
		header + "builders: {}":           "builders: must be a list",
		header + "---\n" + header:         "it has several YAML documents: write all builders in one",
		header + "kind: x":                `yaml: unmarshal errors: line 3: key "kind" already set in map`,
		"{path: tool}":                    "builders[0]: name: set the name of the builder",
		"5":                               "builders[0]: it must be an object with fields",
		"{name: 5, path: tool}":           "builders[0]: name: must be text: write it in quotes",
		"{name: Bad, path: tool}":         `builder "Bad": name: a lowercase RFC 1123 label`,
		"{name: mock, path: tool}":        `builder "mock": name: mock is built in: choose another name`,
		"{name: x, path: tool, pth: 1}":   `builder "x": unknown field "pth"`,
		"{name: x, Path: tool}":           `builder "x": unknown field "Path"`,
		"{name: x}":                       `builder "x": path: set the path of the executable`,
		"{name: x, path: tool, image: x}": `builder "x": image: is for a cluster: set path`,
		"{name: x, path: tool, nodeSelector: {kvm: here}}":                                           `builder "x": nodeSelector: has no effect: it is for the pods of a cluster`,
		"{name: x, path: gone}":                                                                      `builder "x": path: ` + directory + `/gone: no such file or directory: correct the path`,
		"{name: x, path: plain.txt}":                                                                 `builder "x": path: ` + directory + `/plain.txt is not an executable file`,
		"{name: x, path: .}":                                                                         `builder "x": path: ` + directory + ` is not an executable file`,
		`{name: x, path: tool, description: "a\nb"}`:                                                 `builder "x": description: must be one line of printable characters`,
		`{name: x, path: tool, description: ` + strings.Repeat("é", 121) + `}`:                       `builder "x": description: must have at most 120 characters`,
		`{name: x, path: tool, args: text}`:                                                          `builder "x": args: must be a list`,
		`{name: x, path: tool, args: ["\0"]}`:                                                        `builder "x": args[0]: has a zero byte`,
		"{name: x, path: tool, args: [a, " + large + "]}":                                            `builder "x": args[1]: is larger than 64 KiB: write it to a file`,
		"{name: x, path: tool, env: [{name: A, value: " + large + "}]}":                              `builder "x": env[0] A: value: is larger than 64 KiB: write it to a file that the builder reads, and set the path`,
		"{name: x, path: tool, parameters: 5}":                                                       `builder "x": parameters: it must be an object with fields`,
		"{name: x, path: tool, parameters: {additionalProperties: {type: string}}}":                  `builder "x": parameters: additionalProperties: must be true or false`,
		"{name: x, path: tool, parameters: {oneOf: []}}":                                             `builder "x": parameters: unknown field "oneOf"`,
		"{name: x, path: tool, parameters: {properties: {size: {patern: a}}}}":                       `builder "x": parameters.properties.size: unknown field "patern"`,
		"{name: x, path: tool, parameters: {properties: {size: {minLength: many}}}}":                 `builder "x": parameters.properties.size: minLength: must be a whole number`,
		"{name: x, path: tool, parameters: {properties: {size: {minimum: many}}}}":                   `builder "x": parameters.properties.size: minimum: must be a number`,
		`{name: x, path: tool, parameters: {properties: {size: {pattern: "("}}}}`:                    `builder "x": parameters.properties.size.pattern: missing closing )`,
		"{name: x, path: tool, base: debian:trixie}":                                                 `builder "x": base: must be an object with fields`,
		"{name: x, path: tool, base: {enum: []}}":                                                    `builder "x": base.enum: must have a value`,
		"{name: x, path: tool, fileNames: {patern: a}}":                                              `builder "x": unknown field "fileNames.patern"`,
		"{name: x, path: tool, fileNames: {type: integer}}":                                          `builder "x": fileNames: must be of type string`,
		"{name: x, path: tool, parameters: {properties: {size: {contentSchema: {type: array}}}}}":    `builder "x": parameters.properties.size.contentMediaType: set both contentMediaType: application/yaml and contentSchema, or neither`,
		"{name: x, path: tool, parameters: {properties: {size: {contentSchema: {oneOf: []}}}}}":      `builder "x": parameters.properties.size: unknown field "contentSchema.oneOf"`,
		"{name: x, path: tool, targets: [{format: tar}]}":                                            `builder "x": targets[0].format: must be one of raw`,
		"{name: x, path: tool, workers: 0}":                                                          `builder "x": workers: must be 1 or greater, not 0`,
		"{name: x, path: tool, workers: many}":                                                       `builder "x": workers: must be a whole number`,
		"{name: x, path: tool, unconfined: maybe}":                                                   `builder "x": unconfined: must be true or false`,
		"{name: x, path: tool, reports: maybe}":                                                      `builder "x": reports: must be true or false`,
		"{name: x, path: tool, env: [{name: 1A, value: x}]}":                                         `builder "x": env[0] 1A: name: must have letters, digits and underscores, and not begin with a digit`,
		"{name: x, path: tool, env: [{name: GOLDSMITH_BASE, value: x}]}":                             `builder "x": env[0] GOLDSMITH_BASE: name: Goldsmith sets`,
		"{name: x, path: tool, env: [{name: TMPDIR, value: x}]}":                                     `builder "x": env[0] TMPDIR: name: Goldsmith sets`,
		"{name: x, path: tool, env: [{name: A}]}":                                                    `builder "x": env[0] A: set either value or valueFrom`,
		"{name: x, path: tool, env: [{name: A, value: s3cret, valueFrom: {file: tool}}]}":            `builder "x": env[0] A: set either value or valueFrom`,
		"{name: x, path: tool, env: [{name: A, value: 123454321}]}":                                  `builder "x": env.value: must be text: write it in quotes`,
		`{name: x, path: tool, env: [{name: A, value: "s3cret\0"}]}`:                                 `builder "x": env[0] A: value: has a zero byte`,
		"{name: x, path: tool, env: [{name: A, value: a}, {name: A, value: b}]}":                     `builder "x": env[1] A: is set twice`,
		"{name: x, path: tool, env: [{name: A, valueFrom: {}}]}":                                     `builder "x": env[0] A: valueFrom.file: set the path of a file`,
		"{name: x, path: tool, env: [{name: A, valueFrom: {files: a}}]}":                             `builder "x": unknown field "env[0].valueFrom.files"`,
		"{name: x, path: tool, env: [{name: A, valueFrom: {file: gone}}]}":                           `builder "x": env[0] A: valueFrom.file: read variable A from ` + directory + `/gone: no such file or directory`,
		"{name: x, path: tool, env: [{name: A, valueFrom: {file: .}}]}":                              `builder "x": env[0] A: valueFrom.file: read variable A from ` + directory + `: not a regular file`,
		"{name: x, path: tool, env: [{name: A, valueFrom: {file: big.txt}}]}":                        `builder "x": env[0] A: valueFrom.file: read variable A from ` + directory + `/big.txt: it is larger than 64 KiB`,
		"{name: x, path: tool, env: [{name: A, valueFrom: {file: zero.txt}}]}":                       `builder "x": env[0] A: valueFrom.file: read variable A from ` + directory + `/zero.txt: it has a zero byte`,
		"{name: x, path: tool}, {name: x, path: tool}":                                               `builder "x": name: x is also set in ` + directory + `/builders.yaml: choose another name`,
		"{name: x, path: tool}, {name: w, path: gone, workers: -1}, {name: z, path: tool, nme: 123}": `builder "z": unknown field "nme"` + "\n" + directory + `/builders.yaml: builder "w": path: ` + directory + `/gone: no such file or directory: correct the path` + "\n" + directory + `/builders.yaml: builder "w": workers: must be 1`,
	} {
		file := filepath.Join(directory, "builders.yaml")
		if strings.HasPrefix(document, "{") || document == "5" {
			document = header + "builders: [" + document + "]\n"
		}
		require.NoError(t, os.WriteFile(file, []byte(document), 0o600))
		found, err := source{Path: file, Taken: map[string]string{"mock": "is built in"}}.read()
		if err == nil || found != nil || !strings.HasPrefix(err.Error(), file+": "+want) {
			t.Errorf("%s\n got %v: %v\nwant %s", document, found, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "123454321") || strings.Contains(err.Error(), "Go ")) {
			t.Errorf("%s: the error has a value, or a type of Go: %v", document, err)
		}
	}
	for path, want := range map[string]string{"gone.yaml": "no such file or directory", "pipes.d": ": name: x is also set in "} {
		write(t, filepath.Join(directory, "pipes.d"), map[string]string{
			"1.yaml": header + "builders: [{name: x, path: ../tool}]", "2.yaml": header + "builders: [{name: x, path: ../tool}]",
		})
		if _, err := (source{Path: filepath.Join(directory, path)}).read(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestTheExampleOfThePageIsADocument(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../../docs/builders.md")
	require.NoError(t, err)
	_, after, _ := strings.Cut(string(page), "```yaml\n"+header)
	example, _, _ := strings.Cut(after, "```")
	if declarations, err := document.Decode([]byte(header + example)); err != nil || len(declarations) != 1 || len(declarations[0].Env) != 2 {
		t.Errorf("%v %+v", err, declarations)
	} else if declared, err := declarations[0].Capabilities(); err != nil || len(declared.Reasons) != 1 {
		t.Errorf("%v %+v", err, declared)
	}
}

// TestTheExamplesDeclareWhatTheyTake compares the document of the examples with what each script refuses.
func TestTheExamplesDeclareWhatTheyTake(t *testing.T) {
	t.Parallel()
	directory, err := filepath.Abs("../../../../examples/builders")
	require.NoError(t, err)
	examples, err := source{Path: directory}.read()
	require.NoError(t, err)
	scripts, err := filepath.Glob(filepath.Join(directory, "*.sh"))
	require.NoError(t, err)
	if len(examples) != 3 || len(scripts) != 3 {
		t.Errorf("examples %v, scripts %v", examples, scripts)
	}
	for name, example := range examples {
		script, err := os.ReadFile(example.Path)
		require.NoError(t, err)
		parameters, err := json.Marshal(slices.Sorted(maps.Keys(example.Capabilities.Parameters.Properties)))
		require.NoError(t, err)
		for _, check := range []string{
			".parameters | keys - " + strings.ReplaceAll(string(parameters), ",", ", "),
			fmt.Sprintf("[.targets[].format] | unique - [%q]", example.Capabilities.Targets[0].Format),
		} {
			if !strings.Contains(string(script), check) {
				t.Errorf("%s does not check %s", name, check)
			}
		}
	}
}
