// SPDX-License-Identifier: Apache-2.0

package render

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/result"
)

// section returns the text of a page below a heading, until the next heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	page := string(require.Value(os.ReadFile(buildersPage))(t))
	_, text, found := strings.Cut(page, "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q", buildersPage, heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	text, _, _ = strings.Cut(text, "\n### ")
	return text
}

// The tables of the page have a row for each field that Goldsmith writes into an input or reads from a result, and no other.
func TestThePageHasEveryField(t *testing.T) {
	document := reflect.TypeFor[result.Content]()
	// These fields belong to Goldsmith: what a builder sets there is ignored.
	ignored := []string{"check", "ignored", "artifacts[].verified", "artifacts[].tag"}
	for heading, of := range map[string]reflect.Type{
		"### Fields of the input":  reflect.TypeFor[Input](),
		"### Fields of the result": reflect.TypeFor[result.Result](),
	} {
		var want []string
		var walk func(path string, of reflect.Type)
		walk = func(path string, of reflect.Type) {
			switch {
			case slices.Contains(ignored, path):
			case of.Kind() == reflect.Pointer && (path == "" || of.Elem() != document):
				walk(path, of.Elem())
			case of.Kind() == reflect.Slice:
				walk(path+"[]", of.Elem())
			case of.Kind() == reflect.Struct:
				for field := range of.Fields() {
					if !field.IsExported() {
						continue
					}
					name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
					walk(strings.TrimPrefix(strings.TrimSuffix(path+"."+name, "."), "."), field.Type)
				}
			default: // a document has the fields of an artifact's content
				want = append(want, path)
			}
		}
		walk("", of)
		var got []string
		for line := range strings.Lines(section(t, heading)) {
			cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
			if strings.HasPrefix(line, "| `") {
				for name := range strings.SplitSeq(cell, ", ") {
					got = append(got, strings.Trim(name, "`"))
				}
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the table below %q differs from %s: %s", heading, of, diff)
		}
	}
}

// The page names each variable that this package sets.
func TestThePageHasEveryVariable(t *testing.T) {
	page := string(require.Value(os.ReadFile(buildersPage))(t))
	found := map[string]bool{}
	for _, file := range require.Value(filepath.Glob("*.go"))(t) {
		for _, name := range regexp.MustCompile(`\bGOLDSMITH_[A-Z_]+`).FindAllString(string(require.Value(os.ReadFile(file))(t)), -1) {
			found[name] = true
			if !strings.Contains(page, "| `"+name+"` |") {
				t.Errorf("%s has no row for $%s, which %s names", buildersPage, name, file)
			}
		}
	}
	if !found[EnvInput] {
		t.Errorf("the sources name only %v", found)
	}
}
