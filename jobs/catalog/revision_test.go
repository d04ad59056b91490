// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"regexp"
	"strings"
	"testing"
)

func TestTheRevisionChangesWithWhatAnImageHas(t *testing.T) {
	document := kindWith(", suspend: true", "a: {type: string, enum: [b, c], description: text}, d: {type: string}",
		`{field: spec.a, to: "spec.parameters[a]", values: [{value: b, to: x}, {value: c, to: z}]}, {field: spec.d, to: "spec.parameters[d]", prefix: p}]
    derived: [{to: "spec.parameters[e]", expression: "'e'"}, {to: "spec.parameters[f]", expression: "'f'"}`)
	revision := compile(t, document).Revision()
	if !regexp.MustCompile("^[0-9a-f]{8}$").MatchString(revision) {
		t.Errorf("the revision is %s", revision)
	}
	for _, test := range []struct {
		name, from, to string
		changes        bool
	}{
		{"the template", "suspend: true", "suspend: false", true},
		{"a target", "spec.parameters[d]", "spec.parameters[D]", true},
		{"a prefix", "prefix: p", "prefix: q", true},
		{"a codec", "prefix: p", "json: true", true},
		{"a value", "to: z", "to: w", true},
		{"a target of a derived value", "spec.parameters[e]", "spec.parameters[E]", true},
		{"an expression", `"'e'"`, `"'E'"`, true},
		{"the order of values", "{value: b, to: x}, {value: c, to: z}", "{value: c, to: z}, {value: b, to: x}", false},
		{"the order of derived values", `{to: "spec.parameters[e]", expression: "'e'"}, {to: "spec.parameters[f]", expression: "'f'"}`,
			`{to: "spec.parameters[f]", expression: "'f'"}, {to: "spec.parameters[e]", expression: "'e'"}`, false},
		{"the order of the template", "{platform: linux/amd64, format: raw}", "{format: raw, platform: linux/amd64}", false},
		{"the names", "kind: Example", "kind: Sample", false},
		{"the schema", "description: text", "description: another text", false},
		{"a default", "enum: [b, c]", "enum: [b, c], default: b", false},
	} {
		changed := strings.Replace(document, test.from, test.to, 1)
		if changed == document {
			t.Fatalf("%s: the document has no %s", test.name, test.from)
		}
		if got := compile(t, changed).Revision(); (got != revision) != test.changes {
			t.Errorf("%s: the revision is %s and was %s", test.name, got, revision)
		}
	}
}
