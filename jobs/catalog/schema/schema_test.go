// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog/expression"
)

var schemaPath = field.NewPath("spec", "versions").Index(0).Child("schema")

// debianSchema returns a schema with each form of field.
func debianSchema(t testing.TB) []byte {
	t.Helper()
	return require.Value(os.ReadFile("../testdata/debian.json"))(t)
}

func TestRead(t *testing.T) {
	declared, errs := Read(t.Context(), expression.NewSteps(t.Context()), debianSchema(t), schemaPath)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := []string{"spec.disk.bus", "spec.network.address", "spec.network.mtu", "spec.owner", "spec.packages", "spec.ports", "spec.release", "spec.size", "spec.user"}
	if !slices.Equal(declared.Order, want) {
		t.Errorf("leaves are %q, want %q", declared.Order, want)
	}
	required := []string{"spec.disk.bus", "spec.release", "spec.size"}
	for path, leaf := range declared.Leaves {
		if leaf.Path != path || leaf.Required != slices.Contains(required, path) {
			t.Errorf("%s: path %s, required %t", path, leaf.Path, leaf.Required)
		}
	}
	if got := declared.Leaves["spec.network.mtu"]; got.Type != "integer" || got.At.String() != schemaPath.String()+".properties[network].properties[mtu]" {
		t.Errorf("spec.network.mtu has type %s at %s", got.Type, got.At)
	}
}

// property returns a schema of spec with one field.
func property(schema string) string {
	return `{"type": "object", "properties": {"a": ` + schema + `}}`
}

func nested(depth int) string {
	return strings.Repeat(`{"type": "object", "required": ["a"], "properties": {"a": `, depth) + `{"type": "string"}` + strings.Repeat("}}", depth)
}

func TestReadRefuses(t *testing.T) {
	const a = "properties[a]"
	tooLong := "optional.of('a')" + strings.Repeat(".optMap(v, v)", 24) + ".orValue('') == ''"
	for _, test := range []struct{ name, schema, want string }{
		{"nothing", ``, `: Required value: declare the fields of spec`},
		{"null", `null`, `: Required value: declare the fields of spec`},
		{"no JSON", `{"type": `, `: Invalid value: unexpected end of JSON input`},
		{"no object", `[]`, `: Invalid value: must be a schema`},
		{"1 MiB", property(`{"type": "string", "description": "` + strings.Repeat("a", 1<<20) + `"}`), `: Too long: may not be more than 262144 bytes`},
		{"duplicate", `{"type": "object", "properties": {"a": {"type": "string"}, "a": {"type": "string"}}}`, `: Invalid value: duplicate field "properties.a"`},
		{"no type", `{"properties": {"a": {"type": "string"}}}`, `.type: Required value: must not be empty for specified object fields`},
		{"scalar", `{"type": "string"}`, `.type: Invalid value: "string": spec must be an object`},
		{"no fields", `{"type": "object"}`, `.properties: Required value: declare at least one field`},
		{"not structural", property(`{"maxLength": 3}`), `.` + a + `.type: Required value: must not be empty for specified object fields`},
		{"types in anyOf", property(`{"type": "string", "anyOf": [{"type": "string"}]}`), `.` + a + `.anyOf[0].type: Forbidden: must be empty to be structural`},
		{"null type", property(`{"type": "null"}`), `.` + a + `.type: Forbidden: type cannot be set to null, use nullable as an alternative` + "\n" + `.` + a + `.type: Unsupported value: "null": supported values: "array", "boolean", "integer", "number", "object", "string"`},

		{"unknown keyword", property(`{"type": "string", "maxLenght": 3}`), `.` + a + `.maxLenght: Invalid value: unknown keyword`},
		{"unknown keyword in items", property(`{"type": "array", "items": {"typ": "string"}}`), `.` + a + `.items.typ: Invalid value: unknown keyword`},
		{"unknown keyword in a rule", property(`{"type": "string", "x-kubernetes-validations": [{"rule": "true", "mesage": ""}]}`), `.` + a + `.x-kubernetes-validations[0].mesage: Invalid value: unknown keyword`},
		{"wrong form", property(`{"type": "string", "maxLength": "3"}`), `.` + a + `.maxLength: Invalid value: must be an integer that is not negative`},
		{"negative length", property(`{"type": "string", "maxLength": -3}`), `.` + a + `.maxLength: Invalid value: must be an integer that is not negative`},
		{"number as boolean", property(`{"type": "integer", "exclusiveMinimum": 3}`), `.` + a + `.exclusiveMinimum: Invalid value: must be true or false`},
		{"unknown required field", `{"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "string"}}}`, `.required[1]: Invalid value: "b": is no field of the schema`},
		{"reference", property(`{"$ref": "#/a"}`), `.` + a + `.$ref: Forbidden: schemas must be written out`},
		{"boolean additionalProperties", property(`{"type": "object", "additionalProperties": true}`), `.` + a + `.additionalProperties: Invalid value: must be a schema: clients cannot read boolean schemas`},
		{"unknown fields", property(`{"type": "object", "x-kubernetes-preserve-unknown-fields": true}`), `.` + a + `.x-kubernetes-preserve-unknown-fields: Forbidden: declare the fields, because each one needs a binding`},
		{"integer or string", property(`{"x-kubernetes-int-or-string": true}`), `.` + a + `.x-kubernetes-int-or-string: Forbidden: choose integer or string, because the text of both is the same in an Image`},
		{"too deep", nested(40), `.` + strings.TrimSuffix(strings.Repeat(a+".", 32), ".") + `: Invalid value: schemas must be nested at most 32 deep`},
		{"far too deep", nested(20000), `: Too long: may not be more than 262144 bytes`},

		{"nullable", property(`{"type": "string", "nullable": true}`), `.` + a + `.nullable: Forbidden: leave the field out instead, because an Image cannot store null`},
		{"list as a map", property(`{"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}`), `.` + a + `.x-kubernetes-list-type: Unsupported value: "set": supported values: "atomic"`},
		{"granular map", property(`{"type": "object", "additionalProperties": {"type": "string"}}`), `.` + a + `.x-kubernetes-map-type: Required value: must be atomic, because an Image stores the map as one value`},
		{"atomic spec", `{"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}}`, `.x-kubernetes-map-type: Forbidden: spec is stored field by field`},
		{"object without fields", property(`{"type": "object"}`), `.` + a + `.properties: Required value: declare the fields of the object, or additionalProperties for a map`},
		{"object that can be empty", property(`{"type": "object", "properties": {"b": {"type": "string"}}}`), `.` + a + `: Invalid value: at least one of its fields must be required or have a default, because an Image cannot store an empty object`},
		{"list without items", property(`{"type": "array"}`), `.` + a + `.items: Required value: must be specified`},
		{"name with a dot", `{"type": "object", "properties": {"a.b": {"type": "string"}}}`, `.properties[a.b]: Invalid value: "a.b": the name of a field must begin with a letter, and must consist of letters, digits, - and _`},
		{"enum of another type", property(`{"type": "string", "enum": ["a", 1]}`), `.` + a + `.enum[1]: Invalid value: 1: must be of type string`},
		{"bad default", property(`{"type": "string", "enum": ["a"], "default": "b"}`), `.` + a + `.default: Unsupported value: "b": supported values: "a"`},

		{"pattern", property(`{"type": "string", "pattern": "(?=a)"}`), `.` + a + `.pattern: Invalid value: "(?=a)": must be a valid regular expression, but isn't: error parsing regexp: invalid or unsupported Perl syntax: ` + "`(?=`"},
		{"large pattern", property(`{"type": "string", "pattern": "[a-z]{1000}-[0-9]{1,1000}"}`), `.` + a + `.pattern: Invalid value: "[a-z]{1000}-[0-9]{1,1000}": must be simpler: with its repetitions written out it has 3002 steps, and at most 2000 are allowed`},
		{"rule with a mistake", property(`{"type": "string", "x-kubernetes-validations": [{"rule": "self > 1"}]}`), `.` + a + `.x-kubernetes-validations[0].rule: Invalid value: "self > 1": compilation failed: `},
		{"rule that is not boolean", property(`{"type": "string", "x-kubernetes-validations": [{"rule": "self"}]}`), `.` + a + `.x-kubernetes-validations[0].rule: Invalid value: "self": cel expression must evaluate to a bool`},
		{"message with a mistake", property(`{"type": "string", "x-kubernetes-validations": [{"rule": "true", "messageExpression": "1"}]}`), `.` + a + `.x-kubernetes-validations[0].messageExpression: Invalid value: "1": messageExpression must evaluate to a string`},
		{"rule that takes too long", property(`{"type": "string", "x-kubernetes-validations": [{"rule": "` + tooLong + `"}]}`), `.` + a + `.x-kubernetes-validations[0].rule: Forbidden: compiling the expressions of a kind takes at most 10000 steps`},
		{"message that takes too long", property(`{"type": "string", "x-kubernetes-validations": [{"rule": "true", "messageExpression": "` + tooLong + `"}]}`), `.` + a + `.x-kubernetes-validations[0].messageExpression: Forbidden: compiling the expressions of a kind takes at most 10000 steps`},
		{"rule without a limit", property(`{"type": "array", "items": {"type": "string"}, "x-kubernetes-validations": [{"rule": "self.all(x, self.all(y, x == y))"}]}`), `: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of more than 100x` + "\n" +
			`.` + a + `.x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema` + "\n" +
			`.` + a + `.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`},
		{"many rules", property(`{"type": "string", "x-kubernetes-validations": [` + strings.TrimSuffix(strings.Repeat(`{"rule": "true"},`, 129), ",") + `]}`), `.` + a + `.x-kubernetes-validations: Too many: 129: must have at most 128 items`},
		{"many fields", `{"type": "object", "properties": {` + manyFields(129) + `}}`, `: Too many: 129: must have at most 128 items`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, errs := Read(t.Context(), expression.NewSteps(t.Context()), []byte(test.schema), schemaPath)
			want := strings.Split(test.want, "\n")
			if len(errs) != len(want) {
				t.Fatalf("got %d errors, want %d: %v", len(errs), len(want), errs)
			}
			for i, err := range errs {
				if !strings.HasPrefix(err.Error(), schemaPath.String()+want[i]) {
					t.Errorf("got  %s\nwant %s%s", err, schemaPath, want[i])
				}
			}
		})
	}
}

// TestRequiredFieldsOfAPartOfASchema has conditions whose fields the schema declares outside of them.
func TestRequiredFieldsOfAPartOfASchema(t *testing.T) {
	const fields = `"properties": {"a": {"type": "string"}, "b": {"type": "string"}}`
	_, errs := Read(t.Context(), expression.NewSteps(t.Context()), []byte(`{"type": "object", `+fields+`, "anyOf": [{"required": ["a"]}, {"required": ["b"], "properties": {"a": {"maxLength": 3}}}]}`), schemaPath)
	if len(errs) > 0 {
		t.Error(errs)
	}
}

func manyFields(n int) string {
	fields := make([]string, n)
	for i := range fields {
		fields[i] = `"f` + strings.Repeat("a", i) + `": {"type": "string"}`
	}
	return strings.Join(fields, ",")
}

func TestRulesTogetherHaveALimit(t *testing.T) {
	rule := `"x-kubernetes-validations": [{"rule": "self.all(x, x.matches('a+b'))"}]`
	list := `{"type": "array", "maxItems": 20000, "items": {"type": "string", "maxLength": 1000}, ` + rule + `}`
	fields := make([]string, 60)
	for i := range fields {
		fields[i] = `"f` + strings.Repeat("a", i) + `": ` + list
	}
	_, errs := Read(t.Context(), expression.NewSteps(t.Context()), []byte(`{"type": "object", "properties": {`+strings.Join(fields, ",")+`}}`), schemaPath)
	if len(errs) == 0 || errs[0].Field != schemaPath.String() || !strings.Contains(errs[0].Error(), "estimated rule cost total") {
		t.Fatalf("got %v", errs)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{string(debianSchema(f)), nested(3), property(`{"type": "string", "pattern": "a{1000}"}`), property(`{"anyOf": [{"items": {}}, {"not": {}}]}`),
		property(`{"type": "object", "additionalProperties": {"type": "array", "items": {"type": "number"}}, "default": {"a": [1.5]}}`),
		property(`{"type": "object", "properties": {"metadata": {"type": "object"}}, "x-kubernetes-validations": [{"rule": "has(self.metadata)", "fieldPath": ".metadata"}]}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, schema string) {
		declared, errs := Read(t.Context(), expression.NewSteps(t.Context()), []byte(schema), schemaPath)
		if (declared == nil) != (len(errs) > 0) {
			t.Errorf("got a schema: %t, and %v", declared != nil, errs)
		}
		for _, err := range errs {
			if !strings.HasPrefix(err.Field, schemaPath.String()) {
				t.Errorf("path of another object: %v", err)
			}
		}
	})
}
