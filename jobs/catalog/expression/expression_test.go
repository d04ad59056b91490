// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/e2e/require"
)

var derivedPath = field.NewPath("spec", "versions").Index(0).Child("derived").Index(0).Child("expression")

func mustSteps(t testing.TB) *Steps {
	t.Helper()
	return NewSteps(t.Context())
}

// mustCompiler returns a compiler of expressions for specs with a schema.
func mustCompiler(t testing.TB, schema []byte) *Compiler {
	t.Helper()
	props, internal := &apiextensionsv1.JSONSchemaProps{}, &apiextensions.JSONSchemaProps{}
	require.NoError(t, json.Unmarshal(schema, props))
	require.NoError(t, apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(props, internal, nil))
	return require.Value(NewCompiler(mustSteps(t), require.Value(structuralschema.NewStructural(internal))(t)))(t)
}

func debianExpressions(t testing.TB) *Compiler {
	t.Helper()
	return mustCompiler(t, require.Value(os.ReadFile("../testdata/debian.json"))(t))
}

func TestExpressions(t *testing.T) {
	compiler := debianExpressions(t)
	object := map[string]any{
		"metadata": map[string]any{"name": "web", "namespace": "red", "labels": map[string]any{"a": "b"}},
		"spec": map[string]any{
			"size": "small", "packages": []any{"nginx", "vim"}, "network": map[string]any{"address": "10.0.0.1", "mtu": int64(9000)},
			"ports": map[string]any{"http": int64(80)},
		},
	}
	for _, test := range []struct {
		expression string
		typ        string
		want       any
	}{
		{"'srv-' + metadata.name", "string", "srv-web"},
		{"metadata.namespace + '/' + metadata.name", "string", "red/web"},
		{"spec.packages.join(',')", "string", "nginx,vim"},
		{"spec.network.mtu - 28", "integer", int64(8972)},
		{"'mtu-' + string(spec.network.mtu) + string(true) + string(1.5) + string(duration('1h'))", "string", "mtu-9000true1.53600s"},
		{"spec.ports['http']", "integer", int64(80)},
		{"has(spec.owner)", "boolean", false},
		{"has(spec.owner) ? spec.owner : 'nobody'", "string", "nobody"},
		{"spec.?owner", "string", nil},
		{"spec.?size", "string", "small"},
		{"spec.?network.?mtu", "integer", int64(9000)},
	} {
		t.Run(test.expression, func(t *testing.T) {
			compiled, errs := compiler.Compile(test.expression, test.typ, derivedPath)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			got, found, err := compiled.Evaluate(t.Context(), object, NewBudget())
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want || found != (test.want != nil) {
				t.Errorf("got %v (%T), %t, want %v", got, got, found, test.want)
			}
		})
	}
}

func TestExpressionsFailWithTheirPath(t *testing.T) {
	compiled, errs := debianExpressions(t).Compile("spec.owner", "string", derivedPath)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	_, _, err := compiled.Evaluate(t.Context(), map[string]any{"spec": map[string]any{"size": "small"}}, NewBudget())
	if err == nil || err.Error() != "evaluate spec.versions[0].derived[0].expression: no such key: owner" {
		t.Errorf("got %v", err)
	}
}

func TestExpressionsThatAreRefused(t *testing.T) {
	compiler := debianExpressions(t)
	for _, test := range []struct{ name, expression, want string }{
		{"too long", "'" + strings.Repeat("a", 5000) + "'", ": Too long: may not be more than 4096 bytes"},
		{"a mistake", "spec.", `: Invalid value: "spec.": compilation failed: ERROR: <input>:1:6: Syntax error`},
		{"unknown field", "spec.sise", `: Invalid value: "spec.sise": compilation failed: ERROR: <input>:1:5: undefined field 'sise'`},
		{"unknown variable", "self.size", `: Invalid value: "self.size": compilation failed: ERROR: <input>:1:1: undeclared reference to 'self'`},
		{"other metadata", "metadata.labels['a']", `: Invalid value: "metadata.labels['a']": compilation failed: ERROR: <input>:1:9: undefined field 'labels'`},
		{"another type", "spec.network.mtu", `: Invalid value: "spec.network.mtu": the result is of type int, and must be of type string or optional_type(string)`},
		{"unknown type", "dyn(spec.size)", `: Invalid value: "dyn(spec.size)": the result is of type dyn, and must be of type string or optional_type(string)`},
		{"too expensive", "spec.ports.map(a, spec.ports.map(b, a + b).join('')).join('')", ": Forbidden: the estimated cost is "},
		{"a regular expression", "spec.size.matches('(?=a)') ? '' : ''", `: Invalid value: "spec.size.matches('(?=a)') ? '' : ''": compilation failed: `},
		{"deeply nested", strings.Repeat("(", 2000) + "''" + strings.Repeat(")", 2000), `: Invalid value: `},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, errs := compiler.Compile(test.expression, "string", derivedPath)
			if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), derivedPath.String()+test.want) {
				t.Errorf("got  %v\nwant %s%s", errs, derivedPath, test.want)
			}
		})
	}
}

// FuzzExpressions finds panics, and expressions that compile and then cost too much.
func FuzzExpressions(f *testing.F) {
	for _, seed := range []string{
		"'srv-' + metadata.name", "spec.packages.map(p, p + spec.size).join(',')", "spec.?owner", "spec.packages.filter(p, p.matches('^a+$')).join('')",
		"spec.size.replace('', spec.size)", "spec.ports.map(k, k)[0]", "[1, 2].sum() > 2 ? '' : string(1 / 0)", "spec.size.format([spec.packages])",
	} {
		f.Add(seed)
	}
	compiler := debianExpressions(f)
	long := strings.Repeat("a", 63)
	object := map[string]any{
		"metadata": map[string]any{"name": long, "namespace": "red"},
		"spec":     map[string]any{"size": "small", "packages": []any{long, long, ""}, "ports": map[string]any{"http": int64(80)}, "owner": ""},
	}
	f.Fuzz(func(t *testing.T, text string) {
		for typ := range resultTypes {
			compiled, errs := compiler.Compile(text, typ, derivedPath)
			if len(errs) > 0 {
				continue
			}
			if _, _, err := compiled.Evaluate(t.Context(), object, NewBudget()); err != nil && strings.Contains(err.Error(), "cost limit") {
				t.Error(err)
			}
		}
	})
}
