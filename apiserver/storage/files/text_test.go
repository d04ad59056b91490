// SPDX-License-Identifier: Apache-2.0

package files

import (
	"encoding/json"
	"reflect"
	"testing"

	. "github.com/onsi/gomega"
)

// FuzzAFileHoldsWhatWasStored has every text survive the way into a file and back.
func FuzzAFileHoldsWhatWasStored(f *testing.F) {
	for _, text := range []string{"", "yes", "1e3", "0x10", "a: b", "- a", "line\nline\n", " space ", "~", "\"'", "#", "é\u2028", "\t", "\x7f\u0085\u009f\ufeff", "2026-11-20"} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		value, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{name: text, "number": 12345678901}})
		if err != nil {
			t.Fatal(err)
		}
		stored, err := decode(value)
		if err != nil {
			t.Fatal(err)
		}
		got, err := shown(value)
		if err != nil {
			t.Fatalf("%q is not read again: %v", value, err)
		}
		if !reflect.DeepEqual(got, stored) {
			t.Errorf("%v became %v", stored, got)
		}
	})
}

func TestAPatchIsTheDifference(t *testing.T) {
	t.Parallel()
	object := func(text string) map[string]any {
		var parsed map[string]any
		if err := json.Unmarshal([]byte(text), &parsed); err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for _, test := range []struct{ name, from, to, patch string }{
		{"nothing", `{"a":{"b":[1]}}`, `{"a":{"b":[1]}}`, `{}`},
		{"a changed field", `{"a":{"b":1,"c":2}}`, `{"a":{"b":3,"c":2}}`, `{"a":{"b":3}}`},
		{"a new field", `{}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		{"a removed field", `{"a":{"b":1,"c":2}}`, `{"a":{"c":2}}`, `{"a":{"b":null}}`},
		{"a list as a whole", `{"a":[1,2]}`, `{"a":[1]}`, `{"a":[1]}`},
		{"another kind of field", `{"a":{"b":1}}`, `{"a":"b"}`, `{"a":"b"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			NewWithT(t).Expect(mergePatch(object(test.from), object(test.to))).To(Equal(object(test.patch)))
		})
	}
}
