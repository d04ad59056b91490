// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"math"
	"reflect"
	"testing"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

func TestCodecs(t *testing.T) {
	on := table{"boolean", map[string]any{"true": "on", "false": int64(0)}, map[any]any{"on": true, int64(0): false}}
	for _, test := range []struct {
		name   string
		codec  codec
		value  any
		stored any
	}{
		{"text", identity{"string"}, "a", "a"},
		{"empty text", identity{"string"}, "", ""},
		{"integer", identity{"integer"}, int64(-7), int64(-7)},
		{"boolean", identity{"boolean"}, false, false},
		{"prefix of a text", prefixed{"x-", "string"}, "x-", "x-x-"},
		{"prefix of nothing", prefixed{"x-", "string"}, "", "x-"},
		{"prefix of an integer", prefixed{"x-", "integer"}, int64(-7), "x--7"},
		{"text of the least integer", prefixed{"", "integer"}, int64(math.MinInt64), "-9223372036854775808"},
		{"text of a boolean", prefixed{"", "boolean"}, true, "true"},
		{"text of a number", prefixed{"", "number"}, 0.5, "0.5"},
		{"text of a large number", prefixed{"", "number"}, 1e21, "1e+21"},
		{"text of a whole number", prefixed{"", "number"}, int64(3), "3"},
		{"text of zero", prefixed{"", "number"}, int64(0), "0"},
		{"value of a table", on, true, "on"},
		{"value of a table that is a number", on, false, int64(0)},
		{"joined texts", joined{" ", "string"}, []any{"nginx", "vim"}, "nginx vim"},
		{"one joined text", joined{", ", "string"}, []any{"nginx"}, "nginx"},
		{"no joined text", joined{" ", "string"}, []any{}, ""},
		{"joined lines", joined{"\n", "string"}, []any{"a b", "c,d"}, "a b\nc,d"},
		{"joined integers", joined{",", "integer"}, []any{int64(80), int64(-1)}, "80,-1"},
		{"JSON of a text", asJSON{&structuralschema.Structural{Generic: structuralschema.Generic{Type: "string"}}}, "<a>", `"<a>"`},
		{"JSON of a list", asJSON{listOf("integer")}, []any{int64(1), int64(2)}, "[1,2]"},
		{"JSON of an empty list", asJSON{listOf("integer")}, []any{}, "[]"},
		{"JSON of a map", asJSON{mapOf("string")}, map[string]any{"b": "x", "a": "z"}, `{"a":"z","b":"x"}`},
		{"JSON of an object", asJSON{person()}, map[string]any{"name": "ada", "born": nil}, `{"born":null,"name":"ada"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if stored, err := test.codec.encode(test.value); err != nil || stored != test.stored {
				t.Errorf("the Image has %#v, %v, want %#v", stored, err, test.stored)
			}
			if value, found := test.codec.decode(test.stored); !found || !reflect.DeepEqual(value, test.value) {
				t.Errorf("the object has %#v, %t, want %#v", value, found, test.value)
			}
		})
	}
}

func listOf(typ string) *structuralschema.Structural {
	return &structuralschema.Structural{
		Generic: structuralschema.Generic{Type: "array"}, Items: &structuralschema.Structural{Generic: structuralschema.Generic{Type: typ}},
	}
}

func mapOf(typ string) *structuralschema.Structural {
	return &structuralschema.Structural{
		Generic:              structuralschema.Generic{Type: "object"},
		AdditionalProperties: &structuralschema.StructuralOrBool{Structural: &structuralschema.Structural{Generic: structuralschema.Generic{Type: typ}}},
	}
}

func person() *structuralschema.Structural {
	return &structuralschema.Structural{
		Generic: structuralschema.Generic{Type: "object"},
		Properties: map[string]structuralschema.Structural{
			"name": {Generic: structuralschema.Generic{Type: "string"}}, "born": {Generic: structuralschema.Generic{Type: "integer", Nullable: true}},
		},
	}
}

// TestNumbersThatAreWrittenInAnotherWay shows numbers that are equal, and written in several ways.
func TestNumbersThatAreWrittenInAnotherWay(t *testing.T) {
	for _, test := range []struct {
		codec  codec
		value  any
		stored any
	}{
		{identity{"integer"}, 3.0, int64(3)},
		{prefixed{"", "integer"}, 3.0, "3"},
		{prefixed{"", "number"}, 3.0, "3"},
		{prefixed{"", "number"}, math.Copysign(0, -1), "0"},
	} {
		if stored, err := test.codec.encode(test.value); err != nil || stored != test.stored {
			t.Errorf("%v: the Image has %#v, %v, want %#v", test.value, stored, err, test.stored)
		}
	}
	value, found := asJSON{listOf("integer")}.decode(" [1, 2.0] ")
	if !found || !reflect.DeepEqual(value, []any{int64(1), 2.0}) {
		t.Errorf("the object has %#v, %t", value, found)
	}
}

func TestValuesThatAreNotDecoded(t *testing.T) {
	values := table{"string", map[string]any{"small": "20Gi"}, map[any]any{"20Gi": "small"}}
	for _, test := range []struct {
		name   string
		codec  codec
		stored any
	}{
		{"a number in place of a text", identity{"string"}, int64(1)},
		{"a text in place of a boolean", identity{"boolean"}, "true"},
		{"another prefix", prefixed{"x-", "string"}, "y-a"},
		{"a number with a prefix", prefixed{"x-", "string"}, int64(1)},
		{"leading zeros", prefixed{"", "integer"}, "007"},
		{"minus zero", prefixed{"", "integer"}, "-0"},
		{"a fraction of an integer", prefixed{"", "integer"}, "1.0"},
		{"an exponent of an integer", prefixed{"", "integer"}, "1e3"},
		{"an integer beyond 64 bits", prefixed{"", "integer"}, "9223372036854775808"},
		{"white space", prefixed{"", "integer"}, " 1"},
		{"nothing", prefixed{"", "integer"}, ""},
		{"null", prefixed{"", "boolean"}, "null"},
		{"a capital letter", prefixed{"", "boolean"}, "True"},
		{"a trailing zero", prefixed{"", "number"}, "0.50"},
		{"a number that is not finite", prefixed{"", "number"}, "1e999"},
		{"JSON of another type", prefixed{"", "number"}, "[]"},
		{"a value that is not in the table", values, "37Gi"},
		{"a number that is not in the table", values, int64(20)},
		{"a number in place of joined texts", joined{" ", "string"}, int64(1)},
		{"a joined text that is no integer", joined{",", "integer"}, "80,http"},
		{"no JSON", asJSON{listOf("string")}, "[a]"},
		{"JSON and more", asJSON{listOf("string")}, "[] []"},
		{"a text that is not JSON", asJSON{listOf("string")}, ""},
		{"a number in place of JSON", asJSON{listOf("string")}, int64(1)},
		{"JSON null", asJSON{listOf("string")}, "null"},
		{"an object in place of a list", asJSON{listOf("string")}, "{}"},
		{"an item of another type", asJSON{listOf("string")}, `["a",1]`},
		{"an item that is null", asJSON{listOf("string")}, `[null]`},
		{"an entry of another type", asJSON{mapOf("string")}, `{"a":1}`},
		{"an unknown property", asJSON{person()}, `{"name":"ada","age":36}`},
		{"a property of another type", asJSON{person()}, `{"name":"ada","born":"1815"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if value, found := test.codec.decode(test.stored); found {
				t.Errorf("%#v becomes %#v", test.stored, value)
			}
		})
	}
}

// TestJoinedItemsAreToldApart refuses lists whose text another list has, and reads texts of others.
func TestJoinedItemsAreToldApart(t *testing.T) {
	for _, test := range []struct {
		codec joined
		list  []any
	}{
		{joined{" ", "string"}, []any{"a b"}}, {joined{" ", "string"}, []any{"a", ""}}, {joined{" ", "string"}, []any{""}}, {joined{" ", "string"}, []any{" "}},
		{joined{",,", "string"}, []any{"a,", "b"}}, {joined{"1", "integer"}, []any{int64(212)}}, {joined{"-", "integer"}, []any{int64(-1)}},
		{joined{" ", "string"}, []any{int64(1)}}, {joined{" ", "integer"}, []any{"1"}},
	} {
		if stored, err := test.codec.encode(test.list); err == nil {
			t.Errorf("%q joined by %q is %q", test.list, test.codec.separator, stored)
		}
	}
	if value, found := (joined{" ", "string"}).decode(" nginx  vim "); !found || !reflect.DeepEqual(value, []any{"nginx", "vim"}) {
		t.Errorf("the object has %#v, %t", value, found)
	}
}
