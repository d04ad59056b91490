// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"fmt"
	"strings"
	"testing"
)

// boundedSchema has limits everywhere but in the last fields.
const boundedSchema = `{"type": "object", "properties": {
	"name": {"type": "string", "maxLength": 100},
	"release": {"type": "string", "enum": ["bookworm", "trixie"]},
	"packages": {"type": "array", "maxItems": 32, "x-kubernetes-list-type": "atomic", "items": {"type": "string", "maxLength": 63}},
	"rooms": {"type": "object", "maxProperties": 8, "x-kubernetes-map-type": "atomic", "additionalProperties": {"type": "string", "maxLength": 20}},
	"network": {"type": "object", "required": ["mtu"], "properties": {"address": {"type": "string", "maxLength": 15}, "mtu": {"type": "integer"}}},
	"names": {"type": "array", "x-kubernetes-list-type": "atomic", "items": {"type": "string"}},
	"text": {"type": "string"}
}}`

func boundedExpressions(t testing.TB) *Compiler {
	t.Helper()
	return mustCompiler(t, []byte(boundedSchema))
}

// largest is the largest object of the schema.
func largest() map[string]any {
	packages := make([]any, 32)
	for i := range packages {
		packages[i] = strings.Repeat("A", 60) + fmt.Sprintf("-%02d", i)
	}
	rooms := map[string]any{}
	for i := range 8 {
		rooms[fmt.Sprintf("room-%d", i)] = strings.Repeat("r", 20)
	}
	return map[string]any{
		"metadata": map[string]any{"name": strings.Repeat("n", 40), "namespace": "red"},
		"spec": map[string]any{
			"name": strings.Repeat("a.", 50), "release": "bookworm", "packages": packages, "rooms": rooms,
			"network": map[string]any{"address": "255.255.255.255", "mtu": int64(9000)},
		},
	}
}

// TestSizesFollowTheSchema holds that the limits of fields reach through optional values, macros and functions. The most that each expression can
// be estimated at is a small multiple of the length of its longest result.
func TestSizesFollowTheSchema(t *testing.T) {
	compiler := boundedExpressions(t)
	for _, test := range []struct {
		expression string
		most       uint64
	}{
		{"'nginx-light ' + spec.?packages.orValue([]).join(' ')", 2000},
		{"'nginx-light ' + (has(spec.packages) ? spec.packages : []).join(' ')", 2000},
		{"(['nginx'] + spec.?packages.orValue([])).join(' ')", 2000},
		{"spec.?packages.optMap(p, p.join(' ')).orValue('')", 2000},
		{"spec.?packages.optMap(p, 'nginx ' + p.join(' '))", 2000},
		{"spec.?packages.optFlatMap(p, optional.of(p.join(' '))).orValue('none')", 2000},
		{"spec.?packages.or(optional.of(['nginx'])).value().join(' ')", 2000},
		{"spec.?packages.orValue([]).map(p, p.lowerAscii()).join(' ')", 4000},
		{"spec.?packages.orValue([]).map(p, p != 'nginx', p + '=1').join(' ')", 5000},
		{"spec.?packages.orValue([]).filter(p, p.startsWith('A')).map(p, p.trim().replace('-', '_')).join(' ')", 6000},
		{"spec.?packages.orValue([]).sort().join(' ')", 10000},
		{"spec.?packages.orValue([])[?0].orValue('none').upperAscii()", 300},
		{"spec.?packages[?3].orValue('none') + '!'", 300},
		{"spec.?packages.orValue([]).first().orValue('').trim() + '!'", 400},
		{"spec.?packages.orValue([]).sortBy(p, p).join(' ')", 10000},
		{"spec.?packages.orValue([]).transformList(i, p, string(i) + p).join(' ')", 4000},
		{"spec.?packages.orValue([]).transformMap(i, p, p)[?1].orValue('') + '!'", 3000},
		{"spec.?name.orValue('').split('.').map(part, part.lowerAscii()).join('-')", 40000},
		{"spec.?name.orValue('').split('.')[0] + '!'", 300},
		{"spec.?name.orValue('').find('^[a-z]+') + '!'", 300},
		{"spec.?name.orValue('').findAll('[a-z]').join('-')", 20000},
		{"spec.?release.orValue('trixie') + '/' + metadata.name", 400},
		{"spec.?rooms.orValue({}).map(room, spec.rooms[room].lowerAscii()).join(' ')", 400},
		{"spec.?rooms.?kitchen.orValue('none').lowerAscii() + '!'", 300},
		{"spec.?rooms[?'kitchen'].orValue('none').lowerAscii() + '!'", 300},
		{"spec.?network.?address.orValue('').replace('.', '-')", 300},
		{"'%s/%d'.format([spec.?network.?address.orValue(''), spec.?network.?mtu.orValue(1500)])", 400},
		{"'%s'.format([spec.?packages.orValue([])])", 20000},
		{"strings.quote(spec.?name.orValue('')) + '!'", 300},
		{"[spec.?name.orValue(''), string(spec.?network.?mtu.orValue(1500))].join('-')", 300},
		{"[[1, 2], [3]].flatten().map(n, string(n)).join(',')", 1000},
		{"lists.range(3).map(n, string(n)).join(',')", 1000},
		{"{'a': spec.?name.orValue('')}['a'] + '!'", 300},
		{"dyn(spec.?name.orValue('')) == 'a' ? 'b' : 'c'", 300},
	} {
		t.Run(test.expression, func(t *testing.T) {
			checked, issues := compiler.env.Compile(test.expression)
			if issues.Err() != nil {
				t.Fatal(issues.Err())
			}
			cost, err := compiler.env.EstimateCost(checked, newCostEstimator(checked, compiler.types))
			if err != nil || cost.Max > test.most {
				t.Errorf("the estimate is %d, want at most %d: %v", cost.Max, test.most, err)
			}
			compiled, errs := compiler.Compile(test.expression, "string", derivedPath)
			compiler.cost, compiler.steps.taken = 0, 0 // each is another kind
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			for _, object := range []map[string]any{largest(), {"metadata": largest()["metadata"]}} {
				left := NewBudget()
				if _, _, err := compiled.Evaluate(t.Context(), object, left); err != nil {
					t.Error(err)
				}
				if used := *NewBudget() - *left; used < 0 || uint64(used) > cost.Max {
					t.Errorf("it costs %d, and the estimate is %d", used, cost.Max)
				}
			}
		})
	}
}

// TestSizesWithoutALimit holds that an expression is refused if a limit is missing that its cost depends on, and one whose result grows beyond all
// limits.
func TestSizesWithoutALimit(t *testing.T) {
	compiler := boundedExpressions(t)
	format := func(times int) string {
		return "['aaaaaaaaaa']" + strings.Repeat(".map(x, '%s%s%s%s%s%s%s%s%s%s'.format([x, x, x, x, x, x, x, x, x, x]))", times) + "[0]"
	}
	for name, expression := range map[string]string{
		"a list":                            "spec.?names.orValue([]).join(' ')",
		"a list in a macro":                 "spec.?names.orValue([]).map(n, n.lowerAscii()).join(' ')",
		"two texts":                         "spec.?text.orValue('').split('').join(spec.?text.orValue(''))",
		"a format that grows":               format(8),
		"a format that grows, unused":       format(8) + ".size() > 0 ? '' : 'a'",
		"a format with a precision":         strings.Repeat("'%.99999999f'.format([1.0]) + ", 3) + "''",
		"a format that varies":              "spec.?name.orValue('').format([spec.?name.orValue('')])",
		"a replacement of nothing":          "spec.?text.orValue('').replace('', spec.?text.orValue(''))",
		"a replacement of nothing, unused":  "spec.?text.orValue('').replace('', spec.?text.orValue('')).size() > 0 ? '' : 'a'",
		"replacements that grow":            chained("'aaaaaaaaaa'", ".replace('a', 'aaaaaaaaaa')", 8),
		"replacements that grow, unused":    chained("'aaaaaaaaaa'", ".replace('a', 'aaaaaaaaaa')", 7) + ".size() > 0 ? '' : 'a'",
		"sums that grow":                    "['aaaaaaaaaa']" + strings.Repeat(".map(x, x + x)", 24) + "[0]",
		"nested macros":                     "lists.range(100).map(a, lists.range(100).map(b, lists.range(100).map(c, 'a').join('')).join('')).join('')",
		"a list that is as long as it says": "lists.range(100000000).size() > 0 ? '' : 'a'",
	} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func() {
				_, errs := compiler.Compile(expression, "string", derivedPath)
				compiler.cost, compiler.steps.taken = 0, 0
				if len(errs) != 1 || !strings.Contains(errs[0].Error(), "the estimated cost is ") {
					t.Errorf("got %v", errs)
				}
			})
		})
	}
}

// TestEveryMacroHasASize finds macros of later versions of the library whose results have no limit.
func TestEveryMacroHasASize(t *testing.T) {
	compiler := boundedExpressions(t)
	known := map[string]bool{}
	for name := range strings.FieldsSeq("has all exists exists_one existsOne map filter optMap optFlatMap sortBy transformList transformMap transformMapEntry") {
		known[name] = true
	}
	for _, macro := range compiler.env.Macros() {
		if !known[macro.Function()] {
			t.Errorf("bounds do not know the macro %s: add an expression to TestSizesFollowTheSchema", macro.Function())
		}
	}
}
