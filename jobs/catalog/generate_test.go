// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog/imagespec"
)

// choices are the decisions of a generator. They come from bytes, so that a fuzzer can change one of them. After the last byte every
// decision is the first one.
type choices struct{ bytes []byte }

func (c *choices) below(n int) int {
	if len(c.bytes) == 0 {
		return 0
	}
	chosen := int(c.bytes[0]) % n
	c.bytes = c.bytes[1:]
	return chosen
}

// often decides with a chance of n in 8.
func (c *choices) often(n int) bool { return c.below(8) >= 8-n }

func choose[T any](c *choices, from []T) T { return from[c.below(len(from))] }

var (
	// generatedTargets are targets of each form, several of them below one parent.
	generatedTargets = []string{
		"spec.parameters[a]", "spec.parameters[b]", "spec.parameters[c]", "spec.base.reference", "spec.base.imageRef.name", "spec.base.imageRef.channel",
		"spec.source.inline.files[a]", "spec.source.inline.files[b.c/d]", "spec.output.repository", "spec.output.tagTemplate", "spec.output.secretRef.name",
		"spec.template.nodeSelector[a.example.com/b]", "spec.template.resources.limits[cpu]", "spec.template.resources.requests[cpu]", "spec.template.runtimeClassName",
		"spec.triggers.onSpecChange", "spec.triggers.schedule.cron", "spec.triggers.schedule.timeZone", "spec.triggers.schedule.mode",
		"spec.triggers.schedule.jitter", "spec.triggers.schedule.startingDeadline", "spec.triggers.disableAfterFailures",
		"spec.runPolicy", "spec.suspend", "spec.timeouts.run", "spec.retry.limit", "spec.retry.backoff.initial", "spec.retry.backoff.max",
		"spec.history.succeeded", "spec.history.ttl.succeeded", "spec.history.ttl.failed", "spec.history.logMaxBytes", "spec.history.fileRetention",
	}
	generatedTexts = []string{
		"", "a", "b", "0", "007", "-0", "1", "1.0", "1e3", "true", "null", `"a"`, "[]", `["a"]`, ` ["b"] `, `{"a":"b"}`, `{"a":1}`, "<&>", "ü\x00\n", "x-", "x-a", "x-1", "x-true",
		"5m", "1h0m", "7d", "500m", "4Gi", "Serial", "Always", "{build}", "UTC",
	}
	generatedIntegers = []int64{0, 1, -1, 2, 3, 1000, 1 << 31, -1 << 31, 1<<63 - 1, -1 << 63}
	generatedNumbers  = []any{int64(0), 0.0, -0.5, int64(3), 3.0, 1e21, 1e20, 1.5e-9, math.Copysign(0, -1)}
)

// A generator makes kinds and objects.
type generator struct {
	testing.TB
	choices
	targets map[string]*imagespec.Target
}

func newGenerator(t testing.TB) *generator {
	g := &generator{TB: t, targets: map[string]*imagespec.Target{}}
	for _, path := range generatedTargets {
		g.targets[path] = mustTarget(t, path)
	}
	return g
}

func mustTarget(t testing.TB, path string) *imagespec.Target {
	t.Helper()
	target, errs := (&imagespec.Template{}).Target(path, nil)
	require.NoError(t, errs.ToAggregate())
	return target
}

type generatedLeaf struct {
	path   string
	schema map[string]any
}

// kind returns a declared kind. Compile refuses many of them.
func (g *generator) kind() *v1alpha1.ImageKind {
	c := &g.choices
	var leaves []generatedLeaf
	schema := generateObject(c, "spec", 0, &leaves)
	targets := append([]string(nil), generatedTargets...)
	take := func(i int) string {
		chosen := targets[i]
		targets = slices.Delete(targets, i, i+1)
		return chosen
	}
	kind := &v1alpha1.ImageKind{ObjectMeta: metav1.ObjectMeta{Name: "examples"}}
	kind.Spec.Names.Kind = "Example"
	version := v1alpha1.ImageKindVersion{Name: "v1"}
	for i := range leaves {
		at := c.below(len(targets))
		for range 8 {
			if !suits(&leaves[i], g.targets[targets[at]]) {
				at = c.below(len(targets))
			}
		}
		version.Bindings = append(version.Bindings, generateBinding(c, &leaves[i], take(at)))
	}
	version.Schema.Raw = require.Value(json.Marshal(schema))(g)
	if c.often(3) {
		version.Derived = append(version.Derived, v1alpha1.ImageKindDerivation{To: take(c.below(len(targets))), Expression: choose(c, []string{
			"'a'", "metadata.name", "true", "7", "has(spec.a) ? optional.of('a') : optional.none()",
		})})
	}
	kind.Spec.Versions = []v1alpha1.ImageKindVersion{version}
	template := map[string]any{
		"builder": map[string]any{"name": "mock"},
		"targets": []any{map[string]any{"platform": "linux/amd64", "format": "raw"}},
	}
	if c.often(5) {
		template["base"] = map[string]any{"reference": "debian"}
	}
	for _, part := range []struct {
		name  string
		value map[string]any
	}{
		{"source", map[string]any{"inline": map[string]any{"files": map[string]any{"z": "z"}}}}, {"output", map[string]any{"repository": "example.com/x"}},
		{"triggers", map[string]any{"schedule": map[string]any{"cron": "@daily"}}}, {"retry", map[string]any{}},
	} {
		if c.often(1) {
			template[part.name] = part.value
		}
	}
	kind.Spec.Template = runtime.RawExtension{Raw: require.Value(json.Marshal(template))(g)}
	return kind
}

// generateObject returns the schema of an object, and adds its leaves.
func generateObject(c *choices, path string, depth int, leaves *[]generatedLeaf) map[string]any {
	properties, required := map[string]any{}, []any{}
	for i := range 1 + c.below(4) {
		name := string(rune('a' + i))
		at := path + "." + name
		var property map[string]any
		if depth < 2 && c.often(2) {
			property = generateObject(c, at, depth+1, leaves)
		} else {
			property = generateLeaf(c)
			*leaves = append(*leaves, generatedLeaf{at, property})
		}
		properties[name] = property
		if _, isObject := property["properties"]; c.often(3) || isObject && depth > 0 {
			required = append(required, name)
		}
	}
	schema := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

func generateLeaf(c *choices) map[string]any {
	text := map[string]any{"type": "string"}
	switch c.below(9) {
	case 0:
		return map[string]any{"type": "boolean", "default": c.often(4)}
	case 1:
		return map[string]any{"type": "integer"}
	case 2:
		return map[string]any{"type": "integer", "minimum": 0, "maximum": 1000, "default": 3}
	case 3:
		return map[string]any{"type": "number"}
	case 4:
		list := map[string]any{"type": "array", "x-kubernetes-list-type": "atomic", "items": text}
		if c.often(4) {
			list["minItems"] = 1
		}
		return list
	case 5:
		return map[string]any{"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": text}
	case 6:
		schema := map[string]any{"type": "string", "enum": []any{"", "a", "true"}}
		if c.often(4) {
			schema["default"] = ""
		}
		return schema
	case 7:
		return map[string]any{"type": "string", "minLength": 1, "default": "a"}
	}
	if c.often(4) {
		text["minLength"] = 1
	}
	return text
}

// suits reports whether a leaf can be bound to a target without more.
func suits(leaf *generatedLeaf, target *imagespec.Target) bool {
	switch typ := leaf.schema["type"]; {
	case (target.Defaulted || target.Needed) && leaf.schema["default"] == nil:
		return false
	case target.Type() == "integer":
		return leaf.schema["maximum"] != nil
	case target.Type() == "boolean":
		return typ == "boolean"
	case target.Type() == "string" && !target.TakesText("string"):
		return typ == "string"
	case target.LacksEmpty():
		return typ != "string" || leaf.schema["minLength"] != nil || leaf.schema["default"] != nil
	}
	return true
}

func generateBinding(c *choices, leaf *generatedLeaf, to string) v1alpha1.ImageKindBinding {
	binding := v1alpha1.ImageKindBinding{Field: leaf.path, To: to}
	typ := leaf.schema["type"].(string)
	switch {
	case typ == "array" && leaf.schema["minItems"] != nil:
		binding.Join = choose(c, []string{" ", ",", "\n", "a"})
	case typ == "array" || typ == "object" || c.often(1):
		binding.JSON = true
	case c.often(1):
		binding.Prefix = "x-"
	case leaf.schema["enum"] != nil && c.often(5):
		binding.Values = []v1alpha1.ImageKindValue{{Value: "", To: choose(c, []string{"", "none"})}, {Value: "a", To: "b"}, {Value: "true", To: "a"}}
	case typ == "boolean" && c.often(4):
		binding.Values = []v1alpha1.ImageKindValue{{Value: "true", To: "1"}, {Value: "false", To: choose(c, []string{"", "0"})}}
	}
	return binding
}

// generateSpec returns a valid object for a schema, with its defaults.
func generateSpec(c *choices, schema map[string]any) map[string]any {
	object := map[string]any{}
	required := fmt.Sprint(schema["required"])
	properties := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		property := properties[name].(map[string]any)
		if !strings.Contains(required, name) && property["default"] == nil && !c.often(5) {
			continue
		}
		object[name] = generateValue(c, property)
	}
	return object
}

func generateValue(c *choices, schema map[string]any) any {
	switch schema["type"] {
	case "boolean":
		return c.often(4)
	case "integer":
		if schema["maximum"] != nil {
			return int64(c.below(11))
		}
		return choose(c, generatedIntegers)
	case "number":
		return choose(c, generatedNumbers)
	case "array":
		list := []any{}
		count := c.below(3)
		if schema["minItems"] != nil {
			count++
		}
		for range count {
			list = append(list, choose(c, generatedTexts))
		}
		return list
	case "object":
		if schema["properties"] != nil {
			return generateSpec(c, schema)
		}
		object := map[string]any{}
		for range c.below(3) {
			object[choose(c, generatedTexts)] = choose(c, generatedTexts)
		}
		return object
	}
	if values, ok := schema["enum"].([]any); ok {
		return choose(c, values)
	}
	text := choose(c, generatedTexts)
	if text == "" && schema["minLength"] != nil {
		text = "a"
	}
	return text
}
