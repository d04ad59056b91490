// SPDX-License-Identifier: Apache-2.0

package examples

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog/expression"
	"goldsmith.dev/goldsmith/jobs/catalog/schema"
)

// readRequired returns the schema of a spec with one field, which is required and has a schema.
func readRequired(t testing.TB, of string) (*schema.Schema, field.ErrorList) {
	return schema.Read(t.Context(), expression.NewSteps(t.Context()), []byte(`{"type": "object", "required": ["a"], "properties": {"a": `+of+`}}`), nil)
}

// TestExamplesAreAccepted makes an example from the schema of a required field.
func TestExamplesAreAccepted(t *testing.T) {
	cases := []struct{ schema, want string }{
		{`{"type": "string"}`, `"example"`},
		{`{"type": "string", "maxLength": 3}`, `"1"`},
		{`{"type": "string", "minLength": 12}`, `"exampleexamp"`},
		{`{"type": "string", "example": "web"}`, `"web"`},
		{`{"type": "string", "default": "web"}`, `"web"`},
		{`{"type": "string", "enum": ["b", "a"]}`, `"b"`},
		{`{"type": "string", "pattern": "^[a-z]+$"}`, `"example"`},
		{`{"type": "string", "pattern": "^[0-9]+(Gi|Ti)$"}`, `"1Gi"`},
		{`{"type": "string", "pattern": "^v[0-9]+\\.[0-9]+$", "minLength": 6}`, `"v11.11"`},
		{`{"type": "string", "pattern": "^[A-Z]{3,5}(-x)?$"}`, `"AAA"`},
		{`{"type": "string", "pattern": "^(?:[^a-zA-Z0-9]|b)$"}`, `"-"`},
		{`{"type": "integer"}`, `1`},
		{`{"type": "integer", "minimum": 3}`, `3`},
		{`{"type": "integer", "minimum": 3, "exclusiveMinimum": true, "multipleOf": 5}`, `5`},
		{`{"type": "integer", "minimum": 5, "exclusiveMinimum": true, "multipleOf": 5}`, `10`},
		{`{"type": "integer", "maximum": -2, "exclusiveMaximum": true}`, `-3`},
		{`{"type": "integer", "multipleOf": 4}`, `4`},
		{`{"type": "number", "minimum": 0, "exclusiveMinimum": true, "maximum": 0.5}`, `0.25`},
		{`{"type": "number", "maximum": 0.5}`, `0.5`},
		{`{"type": "boolean"}`, `false`},
		{`{"type": "array", "items": {"type": "string"}}`, `["example"]`},
		{`{"type": "array", "minItems": 2, "items": {"type": "integer"}}`, `[1,1]`},
		{`{"type": "array", "maxItems": 0, "items": {"type": "integer"}}`, `[]`},
		{`{"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": {"type": "integer"}}`, `{"example":1}`},
		{`{"type": "object", "required": ["b"], "properties": {"b": {"type": "string"}, "c": {"type": "string"}, "d": {"type": "string", "example": "D"}}}`, `{"b":"example","d":"D"}`},
		{`{"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"b": {"type": "string"}}, "x-kubernetes-validations": [{"rule": "has(self.b)"}]}`, `{"b":"example"}`},
		{`{"type": "string", "x-kubernetes-validations": [{"rule": "self == 'no example has this'"}]}`, `"example"`},
	}
	for format, text := range formatExamples {
		cases = append(cases, struct{ schema, want string }{`{"type": "string", "format": "` + format + `"}`, strconv.Quote(text)})
	}
	for _, test := range cases {
		t.Run(test.schema, func(t *testing.T) {
			declared, errs := readRequired(t, test.schema)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			spec, _ := Of(t.Context(), declared.Structural, nil)
			if got, err := json.Marshal(spec["a"]); err != nil || string(got) != test.want {
				t.Errorf("got %s, want %s, %v", got, test.want, err)
			}
			if accepted := accepts(t.Context(), declared.Structural, spec); accepted != !strings.Contains(test.schema, "no example has this") {
				t.Errorf("accepted: %t", accepted)
			}
		})
	}
}

func TestExamplesAreShort(t *testing.T) {
	list := strings.Repeat(`{"type": "array", "minItems": 1000000000, "items": `, 20) + `{"type": "string"}` + strings.Repeat("}", 20)
	declared, errs := readRequired(t, list)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	start, _ := Of(t.Context(), declared.Structural, nil)
	if example := require.Value(json.Marshal(start))(t); len(example) > 2000 {
		t.Errorf("the example has %d bytes", len(example))
	}
}

// FuzzExample finds panics, and values that are no JSON.
func FuzzExample(f *testing.F) {
	f.Add(`{"type": "string", "pattern": "^(a|b{2,})*$", "minLength": 5}`)
	f.Add(`{"type": "number", "minimum": 1e300, "multipleOf": 0.1}`)
	f.Add(`{"type": "array", "minItems": 1000000000, "items": {"type": "array", "minItems": 3, "items": {"type": "string"}}}`)
	f.Fuzz(func(t *testing.T, schema string) {
		declared, errs := readRequired(t, schema)
		if len(errs) > 0 {
			return
		}
		start, full := Of(t.Context(), declared.Structural, nil)
		runtime.DeepCopyJSON(start)
		runtime.DeepCopyJSON(full)
	})
}
