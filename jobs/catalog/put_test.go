// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// kindWith returns an ImageKind with parts in YAML: the template besides builder, targets and base, the properties of the schema and the
// bindings.
func kindWith(template, properties, bindings string) string {
	return fmt.Sprintf(`
metadata: {name: examples}
spec:
  names: {kind: Example}
  template: {builder: {name: mock}, targets: [{platform: linux/amd64, format: raw}], base: {reference: debian}%s}
  versions:
  - name: v1
    schema: {type: object, properties: {%s}}
    bindings: [%s]
`, template, properties, bindings)
}

func TestRemovalOfAField(t *testing.T) {
	const (
		text    = `{type: string, minLength: 1, maxLength: 63}`
		minutes = `{type: string, pattern: "^[0-9]+m$", maxLength: 8}`
	)
	for _, test := range []struct{ name, template, properties, bindings, spec, remove, want string }{
		{"a parameter", "", "a: " + text, `{field: spec.a, to: "spec.parameters[a]"}`, "{a: x}", "a", "{}"},
		{"a parameter beside that of the template", ", parameters: [{name: b, value: c}]", "a: " + text, `{field: spec.a, to: "spec.parameters[a]"}`,
			"{a: x}", "a", "{parameters: [{name: b, value: c}]}"},
		{"the last file", "", "a: " + text, `{field: spec.a, to: "spec.source.inline.files[a.b]"}`, "{a: x}", "a", "{}"},
		{"one of two files", "", "a: " + text + ", b: " + text, `{field: spec.a, to: "spec.source.inline.files[a]"}, {field: spec.b, to: "spec.source.inline.files[b]"}`,
			"{a: x, b: z}", "a", "{source: {inline: {files: {b: z}}}}"},
		{"a file beside that of the template", ", source: {inline: {files: {b: c}}}", "a: " + text, `{field: spec.a, to: "spec.source.inline.files[a]"}`,
			"{a: x}", "a", "{source: {inline: {files: {b: c}}}}"},
		{"a parent of the template", ", source: {inline: {}}", "a: " + text, `{field: spec.a, to: "spec.source.inline.files[a]"}`,
			"{a: x}", "a", "{source: {inline: {}}}"},
		{"an amount", "", "a: " + text, `{field: spec.a, to: "spec.template.resources.limits[cpu]"}`, "{a: 500m}", "a", "{}"},
		{"a parent with a default", "", "a: " + text, "{field: spec.a, to: spec.output.repository}", "{a: example.com/x}", "a", "{}"},
		{"a parent with other fields", ", triggers: {schedule: {cron: '@daily'}}", "a: " + minutes, "{field: spec.a, to: spec.triggers.schedule.startingDeadline}",
			"{a: 5m}", "a", "{triggers: {schedule: {cron: '@daily'}}}"},
		{"all fields of an object, one of which has a default", "", "a: {type: object, required: [b, c], properties: {b: {type: string, minLength: 1, default: Always}, c: " + text + "}}",
			"{field: spec.a.b, to: spec.triggers.schedule.mode}, {field: spec.a.c, to: spec.triggers.schedule.cron}", "{a: {b: IfChanged, c: '@daily'}}", "a", "{}"},
		{"a field of a pointer", "", "a: " + minutes, "{field: spec.a, to: spec.history.ttl.failed}", "{a: 5m}", "a", "{}"},
		{"a field that is not there", "", "a: " + minutes, "{field: spec.a, to: spec.history.ttl.failed}", "{}", "a", "{}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			kind := compile(t, kindWith(test.template, test.properties, test.bindings))
			view := object(t, "metadata: {name: a}\nspec: "+test.spec)
			image := require.Value(kind.Put(t.Context(), view, nil, nil))(t)
			v1alpha1.SetObjectDefaults_Image(image)
			before := viewOf(t, kind, image)
			view = before.DeepCopy()
			unstructured.RemoveNestedField(view.Object, "spec", test.remove)
			made := require.Value(kind.Put(t.Context(), view, before, image))(t)
			v1alpha1.SetObjectDefaults_Image(made)

			want := &v1alpha1.Image{}
			require.NoError(t, yaml.UnmarshalStrict([]byte("spec: "+test.want), want))
			want.Spec.Builder, want.Spec.Targets, want.Spec.Base = made.Spec.Builder, made.Spec.Targets, made.Spec.Base
			v1alpha1.SetObjectDefaults_Image(want)
			if jsonOf(t, made.Spec) != jsonOf(t, want.Spec) {
				t.Errorf("the Image is\n%s\nwant\n%s", jsonOf(t, made.Spec), jsonOf(t, want.Spec))
			}
		})
	}
}

func TestAnEmptyTextThatIsAlwaysThereIsShown(t *testing.T) {
	kind := compile(t, kindWith("", "a: {type: string, default: ''}, b: {type: string, enum: [none, kata], default: none}",
		"{field: spec.a, to: spec.base.imageRef.channel}, {field: spec.b, to: spec.template.runtimeClassName, values: [{value: none, to: ''}, {value: kata, to: kata}]}"))
	for _, spec := range []string{`{"a":"","b":"none"}`, `{"a":"x","b":"kata"}`} {
		image := require.Value(kind.Put(t.Context(), object(t, "metadata: {name: a}\nspec: "+spec), nil, nil))(t)
		if got := string(require.Value(kind.Get(image))(t).Spec); got != spec {
			t.Errorf("the spec is %s, want %s", got, spec)
		}
	}
}

func TestPutChangesOnlyWhatDiffers(t *testing.T) {
	kind := compile(t, debianServers)
	image := storedServer(t, kind)
	image.Spec.Base.Reference = "ubuntu:noble" // the kind cannot show it
	image.Spec.Suspend = nil                   // the schema has a default
	image.Spec.Parameters[1].Value = "37Gi"
	image.Spec.Parameters = append(image.Spec.Parameters, v1alpha1.Parameter{Name: "packages", Value: ` [ "nginx" ] `})
	before := viewOf(t, kind, image)
	if got, want := jsonOf(t, before.Object["spec"]), `{"owner":"ada","packages":["nginx"],"rebuild":{"at":"@daily","within":"90m"},"retries":2}`; got != want {
		t.Errorf("the view has %s, want %s", got, want)
	}
	view := before.DeepCopy()
	require.NoError(t, unstructured.SetNestedField(view.Object, "bob", "spec", "owner"))
	want := image.DeepCopy()
	want.Spec.Parameters[2].Value = "bob"
	want.ManagedFields = nil
	former := jsonOf(t, image)
	made := require.Value(kind.Put(t.Context(), view, before, image))(t)
	if jsonOf(t, made) != jsonOf(t, want) {
		t.Errorf("the Image is\n%s\nwant\n%s", jsonOf(t, made), jsonOf(t, want))
	}
	if jsonOf(t, image) != former {
		t.Error("Put changed its argument")
	}

	require.NoError(t, unstructured.SetNestedField(view.Object, "bookworm", "spec", "release")) // the default, which the Image has no value of
	want.Spec.Base.Reference = "debian:bookworm"
	if made := require.Value(kind.Put(t.Context(), view, before, image))(t); jsonOf(t, made) != jsonOf(t, want) {
		t.Errorf("with a default that a user sets, the Image is\n%s\nwant\n%s", jsonOf(t, made), jsonOf(t, want))
	}
}

func TestValuesThatAnImageCannotHave(t *testing.T) {
	kind := compile(t, kindWith("", `a: {type: string, default: 1h}, b: {type: string, enum: [x]}, c: {type: integer, minimum: 0, maximum: 10, default: 1}, d: {type: string}`,
		`{field: spec.a, to: spec.timeouts.run}, {field: spec.b, to: "spec.parameters[b]", values: [{value: x, to: z}]}, {field: spec.c, to: spec.history.failed},
		{field: spec.d, to: "spec.template.resources.limits[cpu]"}`))
	_, err := kind.Put(t.Context(), object(t, "metadata: {name: a}\nspec: {a: soon, b: z, c: x, d: much}"), nil, nil)
	want := `[spec.a: Invalid value: "soon": must be a duration such as 90s, 30m, 2h or 7d, spec.b: Invalid value: "z": the kind has no value of the Image for "z", ` +
		`spec.c: Invalid value: "x": must be of type integer, spec.d: Invalid value: "much": must be a quantity such as 500m or 4Gi, not "much"]`
	if err == nil || err.Error() != want {
		t.Errorf("the error is %v\nwant %s", err, want)
	}
}

// TestAJoinedListIsStoredAndRead is the way of a list to a builder that takes words.
func TestAJoinedListIsStoredAndRead(t *testing.T) {
	kind := compile(t, kindWith("", "a: {type: array, items: {type: string}}", `{field: spec.a, to: "spec.parameters[a]", join: " "}`))
	image := require.Value(kind.Put(t.Context(), object(t, "metadata: {name: web}\nspec: {a: [nginx, vim]}"), nil, nil))(t)
	if got, want := jsonOf(t, image.Spec.Parameters), `[{"name":"a","value":"nginx vim"}]`; got != want {
		t.Errorf("the Image has %s, want %s", got, want)
	}
	if got, want := string(require.Value(kind.Get(image))(t).Spec), `{"a":["nginx","vim"]}`; got != want {
		t.Errorf("the object has %s, want %s", got, want)
	}
	_, err := kind.Put(t.Context(), object(t, "metadata: {name: web}\nspec: {a: [nginx vim]}"), nil, nil)
	if want := `spec.a: Invalid value: ["nginx vim"]: must have no item that is empty, or that has " ", which is between the items in the Image`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
