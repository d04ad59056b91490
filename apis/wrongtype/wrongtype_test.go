// SPDX-License-Identifier: Apache-2.0

package wrongtype_test

import (
	"encoding/json"
	"errors"
	"io"
	"testing"

	kjson "sigs.k8s.io/json"

	"goldsmith.dev/goldsmith/apis/wrongtype"
)

type Size struct {
	Bytes *int64 `json:"bytes"`
}

type document struct {
	Name  string `json:"name"`
	Kept  bool   `json:"kept"`
	Items []struct {
		Size
		Ratio float64 `json:"ratio"`
	} `json:"items"`
	Version int `json:"version"`
}

func TestTheFieldAndItsFormAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{"name":1}`:                   "name: must be text: write it in quotes",
		`{"kept":"yes"}`:               "kept: must be true or false",
		`{"items":{}}`:                 "items: must be a list",
		`{"items":["x"]}`:              "items: must be an object with fields",
		`{"items":[{"bytes":"12"}]}`:   "items.bytes: must be a whole number without quotes",
		`{"items":[{"bytes":7.5}]}`:    "items.bytes: must be a whole number without quotes",
		`{"items":[{"ratio":"half"}]}`: "items.ratio: must be a number",
		`{"version":"1"}`:              "version: must be a whole number without quotes",
		`[]`:                           "it must be an object with fields",
	} {
		_, err := kjson.UnmarshalStrict([]byte(text), &document{})
		if got := wrongtype.Explain(err); got == nil || got.Error() != want {
			t.Errorf("%s: got %v, want %s", text, got, want)
		}
		if got := wrongtype.Explain(json.Unmarshal([]byte(text), &document{})); got == nil || got.Error() != want {
			t.Errorf("%s, with the standard library: got %v, want %s", text, got, want)
		}
	}
	if other := io.ErrUnexpectedEOF; !errors.Is(wrongtype.Explain(other), other) {
		t.Error("another error was changed")
	}
}
