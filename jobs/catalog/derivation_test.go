// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog/expression"
	"goldsmith.dev/goldsmith/jobs/catalog/metadata"
	"goldsmith.dev/goldsmith/jobs/catalog/ownership"
)

// derivedBindings has one binding, and derived values after it.
const derivedBindings = `{field: spec.size, to: "spec.parameters[size]"}]
    derived:
    - {to: "spec.parameters[host]", expression: "'srv-' + metadata.name"}
    - {to: spec.history.failed, expression: "spec.size * 2"}
    - {to: spec.template.runtimeClassName, expression: "spec.size > 9 ? optional.of('kata') : optional.none()"}
    columns: [`

func TestDerivedValues(t *testing.T) {
	kind := compile(t, kindWith("", "size: {type: integer, default: 1}", derivedBindings))
	view := object(t, "metadata: {name: web}\nspec: {size: 10}")
	image := require.Value(kind.Put(t.Context(), view, nil, nil))(t)
	v1alpha1.SetObjectDefaults_Image(image)
	expectDerived(t, image, "srv-web", 20, "kata")
	own := find(image.ManagedFields, owner{ownership.Manager, metav1.ManagedFieldsOperationUpdate})
	for _, path := range []string{"spec.parameters[host]", "spec.history.failed", "spec.template.runtimeClassName"} {
		if !owned(t, own).Has(mustTarget(t, path).OwnerPaths()[0]) {
			t.Errorf("the kind does not own %s: %s", path, jsonOf(t, own))
		}
	}

	// A change of what an expression does not use keeps what somebody has set directly.
	image.Spec.Parameters[1].Value = "mine"
	image.Spec.History.Failed = new(int32(7))
	before := viewOf(t, kind, image)
	view = before.DeepCopy()
	view.SetLabels(map[string]string{"a": "b"})
	made := require.Value(kind.Put(t.Context(), view, before, image))(t)
	expectDerived(t, made, "mine", 7, "kata")

	// Another result replaces it, takes it from its owner, and removes what is no longer derived.
	image.ManagedFields = append(image.ManagedFields,
		entry("Update", "kubectl", imageVersion, `{"f:spec":{"f:history":{"f:failed":{},"f:succeeded":{}},"f:template":{".":{},"f:runtimeClassName":{}}}}`, 1))
	before = viewOf(t, kind, image)
	view = before.DeepCopy()
	require.NoError(t, unstructured.SetNestedField(view.Object, int64(2), "spec", "size"))
	made = require.Value(kind.Put(t.Context(), view, before, image))(t)
	expectDerived(t, made, "mine", 4, "")
	if made.Spec.Template != nil {
		t.Errorf("an empty template is left: %s", jsonOf(t, made.Spec.Template))
	}
	expectOwners(t, made.ManagedFields,
		entry("Update", "kubectl", imageVersion, `{"f:spec":{"f:history":{"f:succeeded":{}}}}`, 1),
		func() metav1.ManagedFieldsEntry {
			set := kind.template.OwnedPaths().Union(metadata.LabelPaths())
			for _, path := range slices.Concat(mustTarget(t, "spec.parameters[host]").OwnerPaths(), mustTarget(t, "spec.history.failed").OwnerPaths()) {
				set.Insert(path)
			}
			want := entry("Update", ownership.Manager, imageVersion, "", 1)
			setOwned(t, &want, imageVersion, set)
			want.Time = nil
			return want
		}())
}

func expectDerived(t *testing.T, image *v1alpha1.Image, host string, failed int32, class string) {
	t.Helper()
	values := map[string]any{"spec.parameters[host]": host, "spec.history.failed": int64(failed), "spec.template.runtimeClassName": class}
	for path, want := range values {
		if got, found := mustTarget(t, path).Get(&image.Spec); found != (want != "") || found && got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
}

func TestDerivedValuesThatAnImageCannotHave(t *testing.T) {
	kind := compile(t, kindWith("", "size: {type: integer, default: 1}", derivedBindings))
	_, err := kind.Put(t.Context(), object(t, "metadata: {name: web}\nspec: {size: 2000000000}"), nil, nil)
	const want = "spec: Invalid value: spec.history.failed, which the kind derives, must be between -2147483648 and 2147483647"
	if err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	view := object(t, "metadata: {name: web}")
	view.Object["spec"] = map[string]any{"size": int64(math.MaxInt64)}
	_, err = kind.Put(t.Context(), view, nil, nil)
	const overflow = "spec: Invalid value: evaluate spec.versions[0].derived[1].expression: integer overflow"
	if err == nil || err.Error() != overflow {
		t.Errorf("the error is %v, want %s", err, overflow)
	}
}

// TestAnObjectWithoutWhatAnExpressionReadsCanBeLabelled holds that an Image that was changed directly does not block changes of its metadata,
// such as the removal of a finalizer.
func TestAnObjectWithoutWhatAnExpressionReadsCanBeLabelled(t *testing.T) {
	kind := compile(t, strings.Replace(kindWith("", "size: {type: string, maxLength: 9}", `{field: spec.size, to: "spec.parameters[size]"}]
    derived: [{to: "spec.parameters[profile]", expression: "'of-' + spec.size"}`), "{type: object,", "{type: object, required: [size],", 1))
	image := require.Value(kind.Put(t.Context(), object(t, "metadata: {name: web}\nspec: {size: small}"), nil, nil))(t)
	image.Spec.Parameters = image.Spec.Parameters[1:] // without size
	before := viewOf(t, kind, image)
	view := before.DeepCopy()
	view.SetLabels(map[string]string{"a": "b"})
	made := require.Value(kind.Put(t.Context(), view, before, image))(t)
	if got, want := jsonOf(t, made.Spec), jsonOf(t, image.Spec); got != want || made.Labels["a"] != "b" {
		t.Errorf("the Image has %s and the labels %v, want %s", got, made.Labels, want)
	}
	require.NoError(t, unstructured.SetNestedField(view.Object, "large", "spec", "size"))
	made = require.Value(kind.Put(t.Context(), view, before, image))(t)
	if got, want := jsonOf(t, made.Spec.Parameters), `[{"name":"profile","value":"of-large"},{"name":"size","value":"large"}]`; got != want {
		t.Errorf("the Image has %s, want %s", got, want)
	}
}

func TestDerivedValuesThatAreRefused(t *testing.T) {
	const derived = "spec.versions[0].derived[0]"
	for _, test := range []struct {
		name, template, properties, bindings, derived string
		want                                          []string
	}{
		{"the target of a binding", "", "a: {type: string}", `{field: spec.a, to: "spec.parameters[a]"}`, `{to: "spec.parameters[a]", expression: "'x'"}`, []string{
			derived + `.to: Duplicate value: "spec.parameters[a]"`}},
		{"a target twice", "", "a: {type: string}", `{field: spec.a, to: "spec.parameters[a]"}`, `{to: spec.suspend, expression: "true"}, {to: spec.suspend, expression: "false"}`, []string{
			`spec.versions[0].derived[1].to: Duplicate value: "spec.suspend"`}},
		{"a target of the template", ", suspend: true", "a: {type: string}", `{field: spec.a, to: "spec.parameters[a]"}`, `{to: spec.suspend, expression: "true"}`, []string{
			derived + ".to: Forbidden: the template sets spec.suspend"}},
		{"a forbidden target", "", "a: {type: string}", `{field: spec.a, to: "spec.parameters[a]"}`, `{to: spec.template.queueName, expression: "'x'"}`, []string{
			derived + `.to: Invalid value: "spec.template.queueName": spec.template.queueName cannot be set by users of the kind: set it in the template`}},
		{"a URL for the Secret of the template", ", source: {git: {secretRef: {name: s}}}", "a: {type: string}", `{field: spec.a, to: "spec.parameters[a]"}`, `{to: spec.source.git.url, expression: "'x'"}`, []string{
			derived + ".to: Forbidden: users of the kind would choose where the Secret of spec.source.git.secretRef in the template is sent: set it in the template, or bind a field with values"}},
		{"the parent of a field that may be absent", "", "a: {type: string, minLength: 1}", "{field: spec.a, to: spec.output.repository}", `{to: spec.output.tagTemplate, expression: "'x'"}`, []string{
			"spec.versions[0].schema.properties[a]: Invalid value: must be required or have a default, because an Image needs spec.output.repository"}},
		{"expressions that need optional fields", "", "a: {type: string, maxLength: 9}, b: {type: object, properties: {c: {type: integer, default: 1}}}",
			`{field: spec.a, to: "spec.parameters[a]"}, {field: spec.b.c, to: "spec.parameters[c]"}`,
			`{to: spec.suspend, expression: "spec.a == 'x'"}, {to: "spec.parameters[d]", expression: "has(spec.b.c) ? string(spec.b.c) : spec.?a.orValue('')"}`, []string{
				derived + `.expression: Invalid value: "spec.a == 'x'": fails for objects without spec.a: read it as spec.?a, or test has(spec.a) before`,
				`spec.versions[0].derived[1].expression: Invalid value: "has(spec.b.c) ? string(spec.b.c) : spec.?a.orValue('')": fails for objects without spec.b: read it as spec.?b, or test has(spec.b) before`}},
		{"an expression of another type", "", "a: {type: string}", `{field: spec.a, to: "spec.parameters[a]"}`, `{to: spec.suspend, expression: "'x'"}`, []string{
			derived + `.expression: Invalid value: "'x'": the result is of type string, and must be of type bool or optional_type(bool)`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			expectFaults(t, kindWith(test.template, test.properties, test.bindings+"]\n    derived: ["+test.derived), test.want...)
		})
	}
}

// TestTheCheckForAbsentFieldsHasOneBudget has derived values of which each reads all optional fields: a product of evaluations.
func TestTheCheckForAbsentFieldsHasOneBudget(t *testing.T) {
	var properties, bindings, derived, reads []string
	for i := range 10 {
		properties = append(properties, fmt.Sprintf("f%d: {type: boolean}", i))
		bindings = append(bindings, fmt.Sprintf(`{field: spec.f%d, to: "spec.parameters[f%[1]d]"}`, i))
		reads = append(reads, fmt.Sprintf("has(spec.f%d)", i))
	}
	for i := range 3 {
		derived = append(derived, fmt.Sprintf(`{to: "spec.parameters[d%d]", expression: "[%s].exists(x, x) ? '' : 'a'"}`, i, strings.Join(reads, ", ")))
	}
	kind := compile(t, kindWith("", strings.Join(properties, ", "), strings.Join(bindings, ", ")+"]\n    derived: ["+strings.Join(derived, ", ")))
	left := new(expression.Budget(20000))
	if errs := kind.checkAbsent(t.Context(), field.NewPath("derived"), left); len(errs) > 0 {
		t.Fatal(errs)
	}
	used := 20000 - *left
	errs := kind.checkAbsent(t.Context(), field.NewPath("derived"), new(used/2))
	if used < 100 || len(errs) != 1 || !strings.Contains(errs[0].Error(), "to evaluate the derived values without each optional field") {
		t.Errorf("%d used, then %v", used, errs)
	}
}

// TestALabelEvaluatesNothing holds that a change that no expression can read costs nothing.
func TestALabelEvaluatesNothing(t *testing.T) {
	kind := compile(t, kindWith("", "size: {type: integer, default: 1}", derivedBindings))
	image, err := kind.Put(t.Context(), object(t, "metadata: {name: web}\nspec: {size: 10}"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range kind.derived {
		kind.derived[i].expression = nil
	}
	before := viewOf(t, kind, image)
	view := before.DeepCopy()
	view.SetLabels(map[string]string{"a": "b"})
	if _, err := kind.Put(t.Context(), view, before, image); err != nil {
		t.Error(err)
	}
}
