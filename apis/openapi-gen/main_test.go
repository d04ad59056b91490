// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"

	"k8s.io/gengo/v2/types"
)

func TestMark(t *testing.T) {
	enum := &types.Type{Name: types.Name{Name: "Format"}, Kind: types.Alias, Underlying: types.String}
	list := &types.Type{Kind: types.Slice, Elem: types.String}
	for what, test := range map[string]struct {
		of         *types.Type
		tags, want []string
	}{
		"none":                  {types.String, []string{"+optional", "+k8s:optional", "maxLength"}, nil},
		"numbers":               {types.Int32, []string{"+k8s:minimum=0", "+k8s:maximum=10"}, []string{"+k8s:validation:maximum=10", "+k8s:validation:minimum=0"}},
		"a list":                {list, []string{"+k8s:required", "+k8s:maxItems=16"}, []string{"+k8s:validation:maxItems=16", "+k8s:validation:minItems=1"}},
		"a map":                 {&types.Type{Kind: types.Map}, []string{"+k8s:maxProperties=64"}, []string{"+k8s:validation:maxProperties=64"}},
		"a text":                {types.String, []string{"+k8s:required", "+k8s:maxLength=45"}, []string{"+k8s:validation:maxLength=45", "+k8s:validation:minLength=1"}},
		"an enum":               {enum, []string{"+k8s:required"}, nil},
		"a required number":     {types.Int32, []string{"+k8s:required"}, nil},
		"bytes":                 {types.String, []string{"+k8s:maxBytes=4096"}, []string{"+k8s:validation:maxLength=4096"}},
		"a name":                {types.String, []string{"+k8s:format=k8s-long-name"}, []string{"+k8s:validation:maxLength=253"}},
		"a shorter name":        {types.String, []string{"+k8s:maxLength=63", "+k8s:format=k8s-long-name"}, []string{"+k8s:validation:maxLength=63"}},
		"a shorter name, later": {types.String, []string{"+k8s:format=k8s-long-name", "+k8s:maxLength=63"}, []string{"+k8s:validation:maxLength=63"}},
	} {
		t.Run(what, func(t *testing.T) {
			object := &types.Type{Kind: types.Struct, Members: []types.Member{{Name: "Field", Type: test.of, CommentLines: slices.Clone(test.tags)}}}
			mark(object)
			if added := object.Members[0].CommentLines[len(test.tags):]; !slices.Equal(added, test.want) {
				t.Errorf("%q, want %q", added, test.want)
			}
		})
	}
}
