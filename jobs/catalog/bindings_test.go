// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"slices"
	"strings"
	"testing"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// TestBindingsThatAreRefused has a row for each way in which a field of a kind and a field of an Image would not tell each other's values.
func TestBindingsThatAreRefused(t *testing.T) {
	const (
		bindings = "spec.versions[0].bindings"
		schema   = "spec.versions[0].schema"
		a        = schema + ".properties[a]"
		noTarget = "must be the path of a scalar field of an Image, or of an entry in brackets, such as spec.base.reference or spec.parameters[size]"
		text     = "a: {type: string}"
		scalar   = `{field: spec.a, to: "spec.parameters[a]"}`
		chosen   = "users of the kind would choose where the Secret of "
	)
	for _, test := range []struct {
		name, template, properties, bindings string
		want                                 []string
	}{
		// the field
		{"no binding", "", "a: {type: string}, b: {type: string}", scalar, []string{bindings + ": Required value: add a binding of spec.b"}},
		{"an unknown field", "", text, scalar + `, {field: spec.b, to: "spec.parameters[b]"}`, []string{
			bindings + `[1].field: Invalid value: "spec.b": must be the path of a field of the schema that has no fields of its own`}},
		{"an object with fields", "", "a: {type: object, required: [b], properties: {b: {type: string}}}", `{field: spec.a, to: "spec.parameters[a]", json: true}`, []string{
			bindings + `[0].field: Invalid value: "spec.a": must be the path of a field of the schema that has no fields of its own`,
			bindings + ": Required value: add a binding of spec.a.b"}},
		{"two bindings of a field", "", text, scalar + `, {field: spec.a, to: "spec.parameters[b]"}`, []string{bindings + `[1].field: Duplicate value: "spec.a"`}},

		// the target
		{"two bindings of a target", "", "a: {type: string}, b: {type: string}", scalar + `, {field: spec.b, to: "spec.parameters[a]"}`, []string{
			bindings + `[1].to: Duplicate value: "spec.parameters[a]"`}},
		{"the template sets a field", ", runPolicy: Serial", "a: {type: string, minLength: 1, default: Parallel}", "{field: spec.a, to: spec.runPolicy}", []string{
			bindings + "[0].to: Forbidden: the template sets spec.runPolicy"}},
		{"the template sets a parameter", ", parameters: [{name: a, value: x}]", text, scalar, []string{bindings + "[0].to: Forbidden: the template sets spec.parameters[a]"}},
		{"the template sets an entry", ", template: {nodeSelector: {a: b}}", text, `{field: spec.a, to: "spec.template.nodeSelector[a]"}`, []string{
			bindings + "[0].to: Forbidden: the template sets spec.template.nodeSelector[a]"}},
		{"no target", "", text, "{field: spec.a, to: ''}", []string{bindings + "[0].to: Required value"}},
		{"an unknown target", "", text, "{field: spec.a, to: spec.base.reverence}", []string{bindings + `[0].to: Invalid value: "spec.base.reverence": ` + noTarget}},
		{"a target in the status", "", text, "{field: spec.a, to: status.phase}", []string{bindings + `[0].to: Invalid value: "status.phase": ` + noTarget}},
		{"an object", "", text, "{field: spec.a, to: spec.base}", []string{bindings + `[0].to: Invalid value: "spec.base": ` + noTarget}},
		{"a list", "", text, "{field: spec.a, to: spec.parameters}", []string{bindings + `[0].to: Invalid value: "spec.parameters": ` + noTarget}},
		{"a map", "", text, "{field: spec.a, to: spec.source.inline.files}", []string{bindings + `[0].to: Invalid value: "spec.source.inline.files": ` + noTarget}},
		{"an item of a list", "", text, "{field: spec.a, to: 'spec.retry.classes[0]'}", []string{bindings + `[0].to: Invalid value: "spec.retry.classes[0]": ` + noTarget}},
		{"an entry without a name", "", text, "{field: spec.a, to: 'spec.parameters[]'}", []string{bindings + `[0].to: Invalid value: "spec.parameters[]": ` + noTarget}},
		{"an entry that is not closed", "", text, "{field: spec.a, to: 'spec.parameters[a'}", []string{bindings + `[0].to: Invalid value: "spec.parameters[a": ` + noTarget}},
		{"a field of an entry", "", text, "{field: spec.a, to: 'spec.parameters[a].value'}", []string{bindings + `[0].to: Invalid value: "spec.parameters[a].value": ` + noTarget}},
		{"a field below a scalar", "", text, "{field: spec.a, to: spec.runPolicy.x}", []string{bindings + `[0].to: Invalid value: "spec.runPolicy.x": ` + noTarget}},
		{"an embedded struct", "", text, "{field: spec.a, to: spec.buildInputs.base.reference}", []string{bindings + `[0].to: Invalid value: "spec.buildInputs.base.reference": ` + noTarget}},
		{"no name of a parameter", "", text, "{field: spec.a, to: 'spec.parameters[a b]'}", []string{
			bindings + `[0].to: Invalid value: "spec.parameters[a b]": the name of a parameter must be 1 to 63 letters, digits, '-', '_' and '.'`}},
		{"the builder", "", text, "{field: spec.a, to: spec.builder.name}", []string{
			bindings + `[0].to: Invalid value: "spec.builder.name": spec.builder cannot be set by users of the kind: set it in the template`}},
		{"the targets", "", text, "{field: spec.a, to: 'spec.targets[raw]'}", []string{
			bindings + `[0].to: Invalid value: "spec.targets[raw]": spec.targets cannot be set by users of the kind: set it in the template`}},
		{"the account", "", text, "{field: spec.a, to: spec.template.serviceAccountName}", []string{
			bindings + `[0].to: Invalid value: "spec.template.serviceAccountName": spec.template.serviceAccountName cannot be set by users of the kind: set it in the template`}},
		{"the queue", "", text, "{field: spec.a, to: spec.template.queueName}", []string{
			bindings + `[0].to: Invalid value: "spec.template.queueName": spec.template.queueName cannot be set by users of the kind: set it in the template`}},
		{"the priority", "", text, "{field: spec.a, to: spec.template.priorityClassName}", []string{
			bindings + `[0].to: Invalid value: "spec.template.priorityClassName": spec.template.priorityClassName cannot be set by users of the kind: set it in the template`}},
		{"a variable", "", text, "{field: spec.a, to: 'spec.template.env[A]'}", []string{
			bindings + `[0].to: Invalid value: "spec.template.env[A]": spec.template.env cannot be set by users of the kind: set it in the template`}},

		// where a Secret of the template is sent
		{"a URL for the Secret of the template", ", source: {git: {secretRef: {name: s}}}", "a: {type: string, minLength: 1, default: x}", "{field: spec.a, to: spec.source.git.url, prefix: 'https://'}", []string{
			bindings + "[0].to: Forbidden: " + chosen + "spec.source.git.secretRef in the template is sent: set it in the template, or list values"}},
		{"an artifact for the Secret of the template", ", source: {oci: {secretRef: {name: s}}}", "a: {type: string, minLength: 1, default: x}", "{field: spec.a, to: spec.source.oci.repository}", []string{
			bindings + "[0].to: Forbidden: " + chosen + "spec.source.oci.secretRef in the template is sent: set it in the template, or list values"}},

		// the codec
		{"a list without JSON", "", "a: {type: array, items: {type: string}}", scalar, []string{bindings + "[0].json: Required value: must be true, or set join to the text between the items, because spec.a is of type array"}},
		{"a list of objects without JSON", "", "a: {type: array, items: {type: object, properties: {b: {type: string}}}}", scalar, []string{
			bindings + "[0].json: Required value: must be true, because spec.a is of type array"}},
		{"joined texts", "", text, `{field: spec.a, to: "spec.parameters[a]", join: " "}`, []string{
			bindings + "[0].join: Forbidden: spec.a must be a list of strings or of integers"}},
		{"joined objects", "", "a: {type: array, items: {type: object, properties: {b: {type: string}}}}", `{field: spec.a, to: "spec.parameters[a]", join: " "}`, []string{
			bindings + "[0].join: Forbidden: spec.a must be a list of strings or of integers"}},
		{"joined JSON", "", "a: {type: array, items: {type: string}}", `{field: spec.a, to: "spec.parameters[a]", join: " ", json: true}`, []string{
			bindings + "[0].join: Forbidden: a binding with a prefix, with values or with JSON joins nothing"}},
		{"a joined duration", "", "a: {type: array, minItems: 1, items: {type: string}}", `{field: spec.a, to: spec.history.ttl.failed, join: " "}`, []string{
			bindings + `[0].to: Invalid value: "spec.history.ttl.failed": must be a string of any form, because the binding joins items`}},
		{"a joined list that can be empty", "", "a: {type: array, items: {type: string}}", `{field: spec.a, to: spec.template.runtimeClassName, join: " "}`, []string{
			a + ".minItems: Required value: must not be empty, because an Image does not tell an empty spec.template.runtimeClassName from none: or let the field be required or have a default"}},
		{"a map without JSON", "", "a: {type: object, x-kubernetes-map-type: atomic, additionalProperties: {type: string}}", scalar, []string{
			bindings + "[0].json: Required value: must be true, because spec.a is of type object"}},
		{"JSON with a prefix", "", text, `{field: spec.a, to: "spec.parameters[a]", json: true, prefix: x}`, []string{
			bindings + "[0].json: Forbidden: a binding with a prefix or with values has no JSON"}},
		{"JSON with values", "", text, `{field: spec.a, to: "spec.parameters[a]", json: true, values: [{value: b, to: c}]}`, []string{
			bindings + "[0].json: Forbidden: a binding with a prefix or with values has no JSON"}},
		{"values with a prefix", "", text, `{field: spec.a, to: "spec.parameters[a]", prefix: x, values: [{value: b, to: c}]}`, []string{
			bindings + "[0].prefix: Forbidden: a binding with values has no prefix"}},
		{"JSON in a duration", "", text, "{field: spec.a, to: spec.history.ttl.failed, json: true}", []string{
			bindings + `[0].to: Invalid value: "spec.history.ttl.failed": must be a string of any form, because the binding has a prefix or JSON`}},
		{"a prefix in a boolean", "", text, "{field: spec.a, to: spec.suspend, prefix: x}", []string{
			bindings + `[0].to: Invalid value: "spec.suspend": must be a string of any form, because the binding has a prefix or JSON`}},
		{"a text in a boolean", "", text, "{field: spec.a, to: spec.suspend}", []string{
			bindings + `[0].to: Invalid value: "spec.suspend": is of type boolean in an Image, and spec.a is of type string: list values`}},
		{"a number in a duration", "", "a: {type: integer}", "{field: spec.a, to: spec.history.ttl.failed}", []string{
			bindings + `[0].to: Invalid value: "spec.history.ttl.failed": is of type string in an Image, and spec.a is of type integer: list values`}},
		{"a number in an integer", "", "a: {type: number}", "{field: spec.a, to: spec.history.failed}", []string{
			bindings + `[0].to: Invalid value: "spec.history.failed": is of type integer in an Image, and spec.a is of type number: list values`}},

		// the values
		{"two values with one output", "", "a: {type: string, enum: [b, c]}", `{field: spec.a, to: "spec.parameters[a]", values: [{value: b, to: x}, {value: c, to: x}]}`, []string{
			bindings + `[0].values[1].to: Duplicate value: "x"`}},
		{"a value twice", "", "a: {type: string, enum: [b]}", `{field: spec.a, to: "spec.parameters[a]", values: [{value: b, to: x}, {value: b, to: z}]}`, []string{
			bindings + `[0].values[1].value: Duplicate value: "b"`}},
		{"values that differ from the enum", "", "a: {type: integer, enum: [1, 2]}", `{field: spec.a, to: "spec.parameters[a]", values: [{value: "1", to: x}, {value: "3", to: z}]}`, []string{
			bindings + `[0].values[1].value: Unsupported value: "3": supported values: "1", "2"`,
			bindings + `[0].values: Required value: list the value "2", which the schema allows`}},
		{"values without an enum", "", text, `{field: spec.a, to: "spec.parameters[a]", values: [{value: b, to: x}]}`, []string{
			schema + `.properties[a].enum: Required value: list the values of the binding`}},
		{"one value of a boolean", "", "a: {type: boolean}", `{field: spec.a, to: "spec.parameters[a]", values: [{value: "true", to: x}]}`, []string{
			bindings + `[0].values: Required value: list the value "false", which the schema allows`}},
		{"a value of another type", "", "a: {type: boolean}", `{field: spec.a, to: "spec.parameters[a]", values: [{value: "yes", to: x}]}`, []string{
			bindings + `[0].values[0].value: Invalid value: "yes": must be the text of a value of type boolean`}},
		{"an output of another type", "", "a: {type: string, enum: [b]}", `{field: spec.a, to: spec.history.failed, values: [{value: b, to: "07"}]}`, []string{
			bindings + `[0].values[0].to: Invalid value: "07": must be the text of a value of type integer`}},
		{"an output of another form", "", "a: {type: string, enum: [b]}", `{field: spec.a, to: spec.history.ttl.failed, values: [{value: b, to: soon}]}`, []string{
			bindings + `[0].values[0].to: Invalid value: "soon": must be a duration such as 90s, 30m, 2h or 7d`}},
		{"an output beyond 32 bits", "", "a: {type: string, enum: [b]}", `{field: spec.a, to: spec.history.failed, values: [{value: b, to: "2147483648"}]}`, []string{
			bindings + `[0].values[0].to: Invalid value: "2147483648": must be between -2147483648 and 2147483647`}},

		// values that the Image cannot have, and empty ones
		{"an integer beyond 32 bits", "", "a: {type: integer, minimum: -2147483649, maximum: 2147483648, default: 1}", "{field: spec.a, to: spec.history.failed}", []string{
			a + ".minimum: Required value: must be at least -2147483648, because spec.history.failed of an Image has 32 bits",
			a + ".maximum: Required value: must be at most 2147483647, because spec.history.failed of an Image has 32 bits"}},
		{"an empty text or none", "", text, "{field: spec.a, to: spec.template.runtimeClassName}", []string{
			a + ".minLength: Required value: must not be empty, because an Image does not tell an empty spec.template.runtimeClassName from none: or let the field be required or have a default"}},
		{"an empty output or none", "", "a: {type: string, enum: [b]}", "{field: spec.a, to: spec.template.runtimeClassName, values: [{value: b, to: ''}]}", []string{
			bindings + "[0].values[0].to: Required value: must not be empty, because an Image does not tell an empty spec.template.runtimeClassName from none: or let the field be required or have a default"}},
		{"an empty text that becomes a default", "", "a: {type: string, default: Serial}", "{field: spec.a, to: spec.runPolicy}", []string{
			a + ".minLength: Required value: must not be empty, because spec.runPolicy of an Image cannot be empty"}},
		{"an empty text that an Image needs", "", "a: {type: string, default: x}", "{field: spec.a, to: spec.output.repository}", []string{
			a + ".minLength: Required value: must not be empty, because spec.output.repository of an Image cannot be empty"}},
		{"no value where every Image has a default", "", "a: {type: boolean}", "{field: spec.a, to: spec.suspend}", []string{
			a + ": Invalid value: must be required or have a default, because the server sets spec.suspend"}},
		{"no value where every Image has the parent with a default", "", "a: {type: integer, minimum: 0, maximum: 9}", "{field: spec.a, to: spec.retry.limit}", []string{
			a + ": Invalid value: must be required or have a default, because the server sets spec.retry.limit"}},
		{"no value where the template has the parent", ", output: {repository: example.com/x}", "a: {type: string, minLength: 1}", "{field: spec.a, to: spec.output.tagTemplate}", []string{
			a + ": Invalid value: must be required or have a default, because the server sets spec.output.tagTemplate"}},
		{"no value where another field has the parent", "", "a: {type: string, minLength: 1}, b: {type: string, minLength: 1}",
			"{field: spec.a, to: spec.output.repository}, {field: spec.b, to: spec.output.secretRef.name}", []string{
				a + ": Invalid value: must be required or have a default, because an Image needs spec.output.repository"}},
		{"no value where another field of its object has the parent", "", "a: {type: object, required: [b], properties: {b: {type: string, minLength: 1}, c: {type: string, minLength: 1}}}",
			"{field: spec.a.b, to: spec.output.secretRef.name}, {field: spec.a.c, to: spec.output.repository}", []string{
				a + ".properties[c]: Invalid value: must be required or have a default, because an Image needs spec.output.repository"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			expectFaults(t, kindWith(test.template, test.properties, test.bindings), test.want...)
		})
	}
}

func expectFaults(t *testing.T, document string, want ...string) {
	t.Helper()
	expectFaultsOf(t, parseKind(t, document), want...)
}

func expectFaultsOf(t *testing.T, declared *v1alpha1.ImageKind, want ...string) {
	t.Helper()
	kind, errs := Compile(t.Context(), declared)
	var got []string
	for _, err := range errs {
		got = append(got, err.Error())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the faults are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if (kind == nil) != (len(errs) > 0) {
		t.Errorf("the kind is %v", kind)
	}
}

func TestBindingsThatAreAccepted(t *testing.T) {
	for _, test := range []struct{ name, template, properties, bindings string }{
		{"an object with its parent", "", "a: {type: object, required: [b], properties: {b: {type: string, minLength: 1}, c: {type: string, minLength: 1}}}",
			"{field: spec.a.b, to: spec.output.repository}, {field: spec.a.c, to: spec.output.secretRef.name}"},
		{"a default in an object with its parent", "", "a: {type: object, required: [b], properties: {b: {type: string, minLength: 1}, c: {type: string, minLength: 1, default: x}}}",
			"{field: spec.a.b, to: spec.output.repository}, {field: spec.a.c, to: spec.output.tagTemplate}"},
		{"an empty text of a parameter", "", "a: {type: string}", `{field: spec.a, to: "spec.parameters[a]"}`},
		{"an empty text that is required", "", "a: {type: string, default: ''}", "{field: spec.a, to: spec.template.runtimeClassName}"},
		{"an enum without an empty text", "", "a: {type: string, enum: [b]}", "{field: spec.a, to: spec.template.runtimeClassName}"},
		{"a pattern without an empty text", "", "a: {type: string, pattern: '^a+$'}", "{field: spec.a, to: spec.template.runtimeClassName}"},
		{"a prefix of an empty text", "", "a: {type: string}", "{field: spec.a, to: spec.template.runtimeClassName, prefix: a}"},
		{"a text in a duration", "", "a: {type: string}", "{field: spec.a, to: spec.history.ttl.failed}"},
		{"an integer as an amount", "", "a: {type: integer}", `{field: spec.a, to: "spec.template.resources.limits[cpu]"}`},
		{"values of a boolean", "", "a: {type: boolean}", `{field: spec.a, to: "spec.parameters[a]", values: [{value: "true", to: "on"}, {value: "false", to: "off"}]}`},
		{"listed URLs for the Secret of the template", ", source: {git: {secretRef: {name: s}}}", "a: {type: string, enum: [b], default: b}",
			"{field: spec.a, to: spec.source.git.url, values: [{value: b, to: 'https://git.example.com/b'}]}"},
		{"a URL and its Secret", "", "a: {type: string, minLength: 1, default: x}, b: {type: string, minLength: 1, default: x}",
			"{field: spec.a, to: spec.source.git.url}, {field: spec.b, to: spec.source.git.secretRef.name}"},
		{"a repository for the Secret of the template", ", output: {secretRef: {name: s}}", "a: {type: string, minLength: 1, default: x}", "{field: spec.a, to: spec.output.repository}"},
		{"a branch for the Secret of the template", ", source: {git: {url: 'https://git.example.com/b', secretRef: {name: s}}}", "a: {type: string, minLength: 1}", "{field: spec.a, to: spec.source.git.ref}"},
		{"the name of a file", "", "a: {type: string}", `{field: spec.a, to: "spec.source.inline.files[etc/a[1].conf]"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			expectFaults(t, kindWith(test.template, test.properties, test.bindings))
		})
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	kind := func(template string) string {
		return "metadata: {name: examples}\nspec:\n  names: {kind: Example}\n  template: " + template + `
  versions:
  - name: v1
    schema: {type: object, properties: {a: {type: string, minLength: 1}}}
    bindings: [{field: spec.a, to: "spec.parameters[a]"}]
`
	}
	const complete = "builder: {name: mock}, targets: [{platform: linux/amd64, format: raw}], base: {reference: debian}"
	for _, test := range []struct {
		name, document string
		want           []string
	}{
		{"nothing", kind("{}"), []string{
			"spec.template.builder: Required value: no binding can set the builder", "spec.template.targets: Required value: no binding can set the targets"}},
		{"no base", kind("{builder: {name: mock}, targets: [{platform: linux/amd64, format: raw}]}"), []string{
			"spec.template.base: Required value: set the base, or bind a field that is required or has a default to it"}},
		{"a base that is not always there", strings.Replace(kind("{builder: {name: mock}, targets: [{platform: linux/amd64, format: raw}]}"), "spec.parameters[a]", "spec.base.imageRef.name", 1), []string{
			"spec.versions[0].schema.properties[a]: Invalid value: must be required or have a default, because every Image has a base"}},
		{"a base that can be empty", strings.NewReplacer("spec.parameters[a]", "spec.base.reference", "minLength: 1", "default: debian").Replace(
			kind("{builder: {name: mock}, targets: [{platform: linux/amd64, format: raw}]}")), []string{
			"spec.versions[0].schema.properties[a].minLength: Required value: must not be empty, because spec.base.reference of an Image cannot be empty"}},
		{"an unknown field", kind("{" + complete + ", sauce: {}}"), []string{`spec.template: Invalid value: unknown field "sauce"`}},
		{"a wrong type", kind("{" + complete + ", suspend: soon}"), []string{"spec.template: Invalid value: json: cannot unmarshal string into Go struct field ImageSpec.suspend of type bool"}},
		{"no object", kind("[]"), []string{"spec.template: Invalid value: json: cannot unmarshal array into Go value of type v1alpha1.ImageSpec"}},
		{"a parameter twice", kind("{" + complete + ", parameters: [{name: b}, {name: b}]}"), []string{`spec.template.parameters[1].name: Duplicate value: "b"`}},
		{"no version", "metadata: {name: examples}\nspec: {names: {kind: Example}, template: {}}", []string{"spec.versions: Required value"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			expectFaults(t, test.document, test.want...)
		})
	}
}
