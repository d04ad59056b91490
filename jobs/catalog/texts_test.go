// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"encoding/json"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/generated/openapi"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// TestLimitsOfOpenAPIAreThoseOfCompile holds that OpenAPI, by which clients judge a manifest without a server, never refuses what
// the server accepts: what is beyond a limit, Compile refuses at the path of the field.
func TestLimitsOfOpenAPIAreThoseOfCompile(t *testing.T) {
	t.Parallel()
	long := func(set func(*v1alpha1.ImageKindVersion, string)) func(*v1alpha1.ImageKind, int) {
		return func(kind *v1alpha1.ImageKind, n int) { set(&kind.Spec.Versions[0], strings.Repeat("a", n)) }
	}
	many := func(set func(*v1alpha1.ImageKindVersion, int)) func(*v1alpha1.ImageKind, int) {
		return func(kind *v1alpha1.ImageKind, n int) { set(&kind.Spec.Versions[0], n) }
	}
	beyond := map[string]struct {
		path string
		set  func(*v1alpha1.ImageKind, int)
	}{
		"ImageKindSpec.versions":    {"spec.versions", func(kind *v1alpha1.ImageKind, n int) { kind.Spec.Versions = make([]v1alpha1.ImageKindVersion, n) }},
		"ImageKindNames.kind":       {"spec.names.kind", func(kind *v1alpha1.ImageKind, n int) { kind.Spec.Names.Kind = strings.Repeat("A", n) }},
		"ImageKindNames.singular":   {"spec.names.singular", func(kind *v1alpha1.ImageKind, n int) { kind.Spec.Names.Singular = strings.Repeat("a", n) }},
		"ImageKindNames.shortNames": {"spec.names.shortNames", func(kind *v1alpha1.ImageKind, n int) { kind.Spec.Names.ShortNames = make([]string, n) }},
		"ImageKindNames.categories": {"spec.names.categories", func(kind *v1alpha1.ImageKind, n int) { kind.Spec.Names.Categories = make([]string, n) }},
		"ImageKindVersion.bindings": {"bindings", many(func(v *v1alpha1.ImageKindVersion, n int) { v.Bindings = make([]v1alpha1.ImageKindBinding, n) })},
		"ImageKindVersion.derived":  {"derived", many(func(v *v1alpha1.ImageKindVersion, n int) { v.Derived = make([]v1alpha1.ImageKindDerivation, n) })},
		"ImageKindVersion.columns":  {"columns", many(func(v *v1alpha1.ImageKindVersion, n int) { v.Columns = repeated(v.Columns, n) })},
		"ImageKindBinding.field":    {"bindings[0].field", long(func(v *v1alpha1.ImageKindVersion, text string) { v.Bindings[0].Field = text })},
		"ImageKindBinding.to":       {"bindings[0].to", long(func(v *v1alpha1.ImageKindVersion, text string) { v.Bindings[0].To = text })},
		"ImageKindBinding.prefix":   {"bindings[0].prefix", long(func(v *v1alpha1.ImageKindVersion, text string) { v.Bindings[0].Prefix = text })},
		"ImageKindBinding.join":     {"bindings[0].join", long(func(v *v1alpha1.ImageKindVersion, text string) { v.Bindings[0].Join = text })},
		"ImageKindBinding.values":   {"bindings[0].values", many(func(v *v1alpha1.ImageKindVersion, n int) { v.Bindings[0].Values = make([]v1alpha1.ImageKindValue, n) })},
		"ImageKindValue.value":      {"bindings[1].values[0].value", long(func(v *v1alpha1.ImageKindVersion, text string) { v.Bindings[1].Values[0].Value = text })},
		"ImageKindValue.to":         {"bindings[1].values[0].to", long(func(v *v1alpha1.ImageKindVersion, text string) { v.Bindings[1].Values[0].To = text })},
		"ImageKindDerivation.to": {"derived[0].to", long(func(v *v1alpha1.ImageKindVersion, text string) {
			v.Derived = []v1alpha1.ImageKindDerivation{{To: text}}
		})},
		"ImageKindDerivation.expression": {"derived[0].expression", long(func(v *v1alpha1.ImageKindVersion, text string) {
			v.Derived = []v1alpha1.ImageKindDerivation{{To: "spec.parameters[x]", Expression: text}}
		})},
		"ImageKindColumn.name": {"columns[0].name", long(func(v *v1alpha1.ImageKindVersion, text string) { v.Columns = []v1alpha1.ImageKindColumn{{Name: text}} })},
		"ImageKindColumn.format": {"columns[0].format", long(func(v *v1alpha1.ImageKindVersion, text string) {
			v.Columns = []v1alpha1.ImageKindColumn{{Format: text}}
		})},
		"ImageKindColumn.description": {"columns[0].description", long(func(v *v1alpha1.ImageKindVersion, text string) {
			v.Columns = []v1alpha1.ImageKindColumn{{Description: text}}
		})},
		"ImageKindColumn.jsonPath": {"columns[0].jsonPath", long(func(v *v1alpha1.ImageKindVersion, text string) {
			v.Columns = []v1alpha1.ImageKindColumn{{JSONPath: text}}
		})},
	}
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ MaxItems, MaxLength *int }
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(openapi.Document()), &document))
	checked := 0
	for kind, schema := range document.Components.Schemas {
		kind, isOurs := strings.CutPrefix(kind, "dev.goldsmith.images.v1alpha1.")
		for name, limits := range schema.Properties {
			limit := limits.MaxItems
			if limit == nil {
				limit = limits.MaxLength
			}
			if !isOurs || !strings.HasPrefix(kind, "ImageKind") || limit == nil {
				continue
			}
			checked++
			test, known := beyond[kind+"."+name]
			if !known {
				t.Errorf("%s.%s has a limit: add it to this test", kind, name)
				continue
			}
			declared := parseKind(t, debianServers)
			test.set(declared, *limit+1)
			_, errs := Compile(t.Context(), declared)
			path := test.path
			if !strings.HasPrefix(path, "spec.") {
				path = "spec.versions[0]." + path
			}
			found := false
			for _, err := range errs {
				found = found || err.Field == path
			}
			if !found {
				t.Errorf("%s.%s beyond %d: %v", kind, name, *limit, errs)
			}
		}
	}
	if checked != len(beyond) {
		t.Errorf("%d fields have limits, want %d", checked, len(beyond))
	}
}

func repeated(columns []v1alpha1.ImageKindColumn, n int) []v1alpha1.ImageKindColumn {
	for len(columns) < n {
		columns = append(columns, v1alpha1.ImageKindColumn{Name: "a", Type: "string", JSONPath: ".metadata.name"})
	}
	return columns
}
