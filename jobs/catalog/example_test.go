// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"strings"
	"testing"
)

func TestTheExampleOfAKind(t *testing.T) {
	kind := compile(t, debianServers)
	example := kind.Example(t.Context())
	if errs := kind.validator().Check(t.Context(), kind.WithDefaults(example).Object["spec"].(map[string]any), nil); len(errs) > 0 {
		t.Errorf("the schema refuses %s: %v", jsonOf(t, example), errs)
	}
	if _, err := kind.Put(t.Context(), example, nil, nil); err != nil {
		t.Errorf("the example cannot be stored: %v", err)
	}
	want := `{"apiVersion":"catalog.goldsmith.dev/v1","kind":"DebianServer","metadata":{"name":"example"},"spec":{"size":"small"}}`
	if got := jsonOf(t, example); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if jsonOf(t, kind.Example(t.Context())) != want {
		t.Error("the second example differs")
	}
}

func TestExamplesHaveTheFormOfTheirTarget(t *testing.T) {
	document := strings.Replace(debianServers, "required: [size]", "required: [size, rebuild]", 1)
	document = strings.Replace(document, "required: [at]", "required: [at, within]", 1)
	document = strings.Replace(document, `pattern: "^[0-9]+m$", maxLength: 8`, "minLength: 2", 1)
	kind := compile(t, document)
	example := kind.Example(t.Context())
	if _, err := kind.Put(t.Context(), example, nil, nil); err != nil {
		t.Errorf("the example cannot be stored: %v", err)
	}
	if got := jsonOf(t, example.Object["spec"]); got != `{"rebuild":{"at":"example","within":"1h"},"size":"small"}` {
		t.Errorf("got %s", got)
	}
}
