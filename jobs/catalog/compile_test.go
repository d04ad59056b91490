// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/catalog/names"
)

// FuzzCompile compiles kinds that nobody would write. Faults have the paths of an ImageKind. What compiles can be defined, and its
// example can be stored and read, or is refused with an error.
func FuzzCompile(f *testing.F) {
	seed, err := yaml.YAMLToJSON([]byte(debianServers))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(seed))
	f.Add(strings.Replace(string(seed), `"bindings":[`, `"derived":[{"to":"spec.parameters[host]","expression":"'srv-' + metadata.name"}],"bindings":[`, 1))
	f.Add(`{"metadata":{"name":"a"},"spec":{"names":{"kind":"A"},"template":{},"versions":[{"name":"v1","schema":{"type":"object","properties":{"b":{"type":"string"}}},` +
		`"bindings":[{"field":"spec.b","to":"spec.source.inline.files[b]","prefix":"p","json":true}],"columns":[{"name":"B","type":"string","jsonPath":".spec.b"}]}]}}`)
	f.Fuzz(func(t *testing.T, document string) {
		declared := &v1alpha1.ImageKind{}
		if json.Unmarshal([]byte(document), declared) != nil {
			return
		}
		kind, errs := Compile(t.Context(), declared)
		if (kind == nil) != (len(errs) > 0) {
			t.Fatalf("got a kind: %t, and %v", kind != nil, errs)
		}
		for _, err := range errs {
			if !strings.HasPrefix(err.Field, "spec.") && err.Field != "metadata.name" {
				t.Errorf("path of another object: %v", err)
			}
		}
		if kind == nil {
			return
		}
		if errs := names.Conflicts(declared, declared); len(errs) == 0 {
			t.Error("the kind has no names")
		}
		image, err := kind.Put(t.Context(), kind.Example(t.Context()), nil, nil)
		if err != nil {
			return
		}
		if _, err := kind.Get(image); err != nil {
			t.Error(err)
		}
	})
}

func TestCompilingEndsWithTheRequest(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the request ended"))
	_, errs := Compile(ctx, parseKind(t, kindWith("", "a: {type: string, maxLength: 9}", `{field: spec.a, to: "spec.parameters[a]"}]
    derived: [{to: "spec.parameters[b]", expression: "spec.?a.orValue('')"}`)))
	if len(errs) != 1 || errs[0].Type != field.ErrorTypeInternal || !strings.Contains(errs[0].Error(), context.Canceled.Error()) {
		t.Errorf("got %v", errs)
	}
}
