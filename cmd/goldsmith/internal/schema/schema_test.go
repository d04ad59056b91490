// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestFilesAreWrittenAndNoOtherFileIsTouched(t *testing.T) {
	for format, want := range map[string]string{
		"jsonschema": "wrote s/images.goldsmith.dev/archive_v1alpha1.json\nwrote s/images.goldsmith.dev/image_v1alpha1.json\nwrote s/images.goldsmith.dev/imagebuild_v1alpha1.json\n" +
			"wrote s/images.goldsmith.dev/imagekind_v1alpha1.json\nwrote s/images.goldsmith.dev/imageplan_v1alpha1.json\n" +
			"wrote s/images.goldsmith.dev/signingkey_v1alpha1.json\n",
		"openapi": "wrote s/apis/images.goldsmith.dev/v1alpha1.json\n",
	} {
		t.Run(format, func(t *testing.T) {
			t.Chdir(t.TempDir())
			const others = "s/images.goldsmith.dev/other.json"
			require.NoError(t, os.MkdirAll(filepath.Dir(others), 0o700))
			require.NoError(t, os.WriteFile(others, []byte("mine"), 0o600))
			for range 2 { // the second call replaces the files
				if got, err := run(t, "--format", format, "-o", "s"); err != nil || got != want {
					t.Errorf("got %q, error %v, want %q", got, err, want)
				}
			}
			for line := range strings.Lines(want) {
				content, err := os.ReadFile(strings.TrimSpace(strings.TrimPrefix(line, "wrote ")))
				if err != nil || !json.Valid(content) {
					t.Errorf("%s error %v, JSON: %t", line, err, json.Valid(content))
				}
			}
			if content, err := os.ReadFile(others); err != nil || string(content) != "mine" {
				t.Errorf("the other file is %q, error %v", content, err)
			}
		})
	}
}

func TestWithoutADirectoryOneSchemaIsPrinted(t *testing.T) {
	for format, want := range map[string]string{"jsonschema": `"title": "Image"`, "openapi": `"openapi": "3.0.0"`} {
		got, err := run(t, "--format", format)
		if err != nil || !json.Valid([]byte(got)) || !strings.Contains(got, want) {
			t.Errorf("%s: got %.200s, error %v", format, got, err)
		}
	}
}

func TestErrorsNameTheChoiceAndTheFile(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("file", nil, 0o600))
	for args, want := range map[string]string{
		"--format xml -o s": `unknown format "xml": set --format to jsonschema or openapi`,
		"-o file":           "create the directory of file/images.goldsmith.dev/archive_v1alpha1.json: mkdir file: not a directory",
		"web":               `unknown command "web" for "schema"`,
	} {
		if got, err := run(t, strings.Fields(args)...); err == nil || err.Error() != want || got != "" {
			t.Errorf("%s: got %q, error %v, want %s", args, got, err, want)
		}
	}
	if left, _ := filepath.Glob("*"); len(left) != 1 {
		t.Errorf("there are %v", left)
	}
}

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command := NewCommand()
	command.SilenceUsage, command.SilenceErrors = true, true
	command.SetOut(&out)
	command.SetArgs(args)
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

// TestTheSchemaOfTheExamplesIsFresh compares the file that the examples name for editors. With UPDATE_GOLDEN it writes the file.
func TestTheSchemaOfTheExamplesIsFresh(t *testing.T) {
	want, err := Image()
	require.NoError(t, err)
	file := filepath.Join("..", "..", "..", "..", "apis", "generated", "jsonschema", ImagePath)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(file, want, 0o644))
	}
	committed, err := os.ReadFile(file)
	require.NoError(t, err)
	if diff := cmp.Diff(string(committed), string(want)); diff != "" {
		t.Errorf("%s is stale: run make generate\n%s", file, diff)
	}
}

// TestDefaultsAreThoseOfTheDescriptions reads "Defaults to 10m." in the descriptions of the fields.
func TestDefaultsAreThoseOfTheDescriptions(t *testing.T) {
	files, err := JSONSchemas()
	require.NoError(t, err)
	for path, content := range files {
		var of object
		require.NoError(t, json.Unmarshal(content, &of))
		properties := of["properties"].(object)
		count := compareDefaults(t, path+": spec", properties["spec"].(object))
		none := []string{"images.goldsmith.dev/archive_v1alpha1.json", "images.goldsmith.dev/imagekind_v1alpha1.json", "images.goldsmith.dev/signingkey_v1alpha1.json"}
		if count < 5 && !slices.Contains(none, path) {
			t.Errorf("%s has %d defaults", path, count)
		}
	}
}

// compareDefaults returns how many defaults a schema has. It leaves out types of Kubernetes, whose descriptions have another form.
func compareDefaults(t *testing.T, path string, of object) (count int) {
	t.Helper()
	description, _ := of["description"].(string)
	_, described, _ := strings.Cut(description, "Defaults to ")
	described, _, _ = strings.Cut(described, ". ")
	described, _, _ = strings.Cut(strings.TrimSuffix(described, "."), ",")
	described, _, _ = strings.Cut(described, ".\n")
	switch described {
	case "none", "any time", "no limit", "no files", "empty", "the empty string", "the entry point of image":
		described = ""
	}
	got := ""
	switch value := of["default"].(type) {
	case nil:
	case []any:
		got = strings.Join(strings.Fields(strings.Trim(fmt.Sprint(value), "[]")), " and ")
	default:
		got = fmt.Sprint(value)
	}
	if got != "" {
		count++
	}
	if got != described && !strings.Contains(path, ".template.") && !strings.HasSuffix(path, ".priority") {
		t.Errorf("%s: the default is %q, and the description has %q", path, got, described)
	}
	properties, _ := of["properties"].(object)
	for name, field := range properties {
		count += compareDefaults(t, path+"."+name, field.(object))
	}
	if items, ok := of["items"].(object); ok {
		count += compareDefaults(t, path+"[]", items)
	}
	return count
}

// TestOptionalFieldsCanBeNull holds the rule of the server, which reads null as an absent field, whatever the type.
func TestOptionalFieldsCanBeNull(t *testing.T) {
	files, err := JSONSchemas()
	require.NoError(t, err)
	for path, content := range files {
		var of object
		require.NoError(t, json.Unmarshal(content, &of))
		if count := compareNull(t, path+": ", of); count < 10 {
			t.Errorf("%s has %d optional fields", path, count)
		}
	}
}

// compareNull returns how many optional fields a schema has.
func compareNull(t *testing.T, path string, of object) (count int) {
	t.Helper()
	required, _ := of["required"].([]any)
	properties, _ := of["properties"].(object)
	for name, value := range properties {
		field := value.(object)
		if optional := !slices.Contains(required, any(name)); optional {
			count++
			if !allowsNull(field) {
				t.Errorf("%s%s is optional, and cannot be null: type %v, enum %v", path, name, field["type"], field["enum"])
			}
		} else if name != "value" && allowsNull(field) && field["type"] != nil {
			t.Errorf("%s%s is required, and can be null", path, name)
		}
		count += compareNull(t, path+name+".", field)
	}
	if items, ok := of["items"].(object); ok {
		count += compareNull(t, path, items)
	}
	if values, ok := of["additionalProperties"].(object); ok && !allowsNull(values) {
		t.Errorf("a value of %s cannot be null", path)
	}
	return count
}

func allowsNull(schema object) bool {
	types, several := schema["type"].([]any)
	values, chosen := schema["enum"].([]any)
	return (schema["type"] == nil || several && slices.Contains(types, any("null"))) && (!chosen || slices.Contains(values, nil))
}

// TestThePatternOfDurationsIsThatOfTheServer compares the pattern in the schema with what reads durations.
func TestThePatternOfDurationsIsThatOfTheServer(t *testing.T) {
	content, err := Image()
	require.NoError(t, err)
	var of object
	require.NoError(t, json.Unmarshal(content, &of))
	for _, name := range []string{"spec", "timeouts", "run"} {
		of = of["properties"].(object)[name].(object)
	}
	pattern := regexp.MustCompile(of["pattern"].(string))
	for _, text := range []string{
		"1d12h", "7d", "90s", "1h30m", "0", "0s", "+0", "-1h", "+1h", "1.5h", ".5h", "1.h", "1ms", "1us", "1µs", "1μs", "1ns", "01d", "1d0", "0d",
		"", "d", "1", "1.", "h", ".h", "1d+1h", "1d-1h", "+1d", "-1d", "1.5d", "1h1d", "1 h", " 1h", "1h ", "1w", "1H", "00", "0 0", "1h0", "1d1d", "1h\n",
	} {
		_, err := v1alpha1.ParseDuration(text)
		if got := pattern.MatchString(text); got != (err == nil) {
			t.Errorf("%q: the pattern matches: %t, and the server: %v", text, got, err)
		}
	}
}
