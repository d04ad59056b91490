// SPDX-License-Identifier: Apache-2.0

package inputs_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
)

// effect is what a change of a field of BuildInputs changes: the digest, the diff, and the Job, which has the builder's input.
type effect struct{ Digest, Diff, Job bool }

// deviations are the fields whose change does not change everything.
var deviations = map[string]effect{
	"base.imageRef.channel":    {Diff: true, Job: true},    // the digest of the artifacts counts, whichever channel has them
	"source.configMapRef.name": {},                         // files count, wherever they come from
	"source.git.ref":           {Job: true},                // the commit counts, whatever names it
	"source.oci.tag":           {Job: true},                // the digest counts
	"targets[].containerDisk":  {Digest: true, Diff: true}, // the Job has it in its output
	"template.queueName":       {Job: true},                // a new queue is no reason to build again
}

func TestDigestChangesWithEveryInput(t *testing.T) {
	digests, unused := map[string]string{}, maps.Clone(deviations)
	for _, field := range valuesOf(reflect.TypeFor[v1alpha1.BuildInputs](), "") {
		before, after := observe(t, field.empty), observe(t, field.set)
		want, deviates := deviations[field.path]
		if !deviates {
			want = effect{Digest: true, Diff: true, Job: true}
		}
		got := effect{
			Digest: before.resolved.InputsDigest != after.resolved.InputsDigest,
			Diff:   len(inputs.Diff(inputs.NewSnapshot(before.inputs, before.resolved), inputs.NewSnapshot(after.inputs, after.resolved))) > 0,
			Job:    before.job != after.job,
		}
		if got != want {
			t.Errorf("a change of %s changes %+v, want %+v", field.path, got, want)
		}
		if other := digests[after.resolved.InputsDigest]; other != "" && want.Digest {
			t.Errorf("%s and %s have the same digest", field.path, other)
		}
		digests[after.resolved.InputsDigest] = field.path
		delete(unused, field.path)
	}
	for path := range unused {
		t.Errorf("there is no field %s: remove it from the deviations", path)
	}
}

type observation struct {
	inputs   v1alpha1.BuildInputs
	resolved *v1alpha1.ResolvedInputs
	job      string
}

// observe resolves inputs, and renders their build. It adds what other fields depend on: a target for tags, an image for a command, and
// the name of a base Image for its channel.
func observe(t *testing.T, value reflect.Value) observation {
	t.Helper()
	given := value.Interface().(v1alpha1.BuildInputs)
	if given.Targets == nil {
		given.Targets = []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}}
	}
	if given.Builder.Command != nil {
		given.Builder.Image = "image"
	}
	if ref := given.Base.ImageRef; ref != nil && ref.Name == "" {
		ref.Name = "base"
	}
	original := given.DeepCopy()
	var revision *v1alpha1.SourceRevision
	if inputs.Checked(given.Source) {
		revision = &v1alpha1.SourceRevision{Revision: "sha1:" + strings.Repeat("c", 40)}
	}
	resolved := inputs.ResolvePinned(given, &v1alpha1.PinnedInputs{
		Source: revision, BaseDigest: "sha256:" + strings.Repeat("d", 64), Base: &v1alpha1.BaseBuild{Name: "base-1"}, Files: map[string]string{"file": "of a ConfigMap"},
	})
	builders := inputs.Builders{
		Registered:  map[string]inputs.Builder{"": {Image: "registered"}, "x": {Image: "other"}},
		AllowImages: true,
		Publisher:   inputs.Publisher{Image: "publisher"},
	}
	builder, failure := builders.Lookup(given.Builder)
	if failure != nil {
		t.Fatal(failure.Message)
	}
	build := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{Inputs: given}, Status: v1alpha1.ImageBuildStatus{Resolved: resolved}}
	build.Name = "build-1"
	job := require.Value(render.Job(build, 1, builder))(t)
	if diff := cmp.Diff(*original, given); diff != "" {
		t.Errorf("the inputs were changed:\n%s", diff)
	}
	return observation{given, resolved, string(require.Value(json.Marshal(job))(t))}
}

// values are two values of a type, which differ only in the field at path.
type values struct {
	path       string
	empty, set reflect.Value
}

// valuesOf returns values for each field of a type that has no fields of its own.
func valuesOf(of reflect.Type, path string) (all []values) {
	add := func(inner []values, outer func(inner reflect.Value) reflect.Value) {
		for _, v := range inner {
			all = append(all, values{v.path, outer(v.empty), outer(v.set)})
		}
	}
	leaf := func(set any) []values {
		return []values{{path, reflect.Zero(of), reflect.ValueOf(set).Convert(of)}}
	}
	switch of {
	case reflect.TypeFor[v1alpha1.Quantity]():
		return leaf(v1alpha1.Quantity{Text: "1"})
	case reflect.TypeFor[resource.Quantity]():
		return leaf(resource.MustParse("1"))
	}
	switch of.Kind() {
	case reflect.Struct:
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			add(valuesOf(field.Type, strings.Trim(path+"."+name, ".")), func(inner reflect.Value) reflect.Value {
				object := reflect.New(of).Elem()
				object.FieldByIndex(field.Index).Set(inner)
				return object
			})
		}
	case reflect.Pointer:
		add(valuesOf(of.Elem(), path), func(inner reflect.Value) reflect.Value {
			pointer := reflect.New(of.Elem())
			pointer.Elem().Set(inner)
			return pointer
		})
	case reflect.Slice:
		add(valuesOf(of.Elem(), path+"[]"), func(inner reflect.Value) reflect.Value { return reflect.Append(reflect.Zero(of), inner) })
	case reflect.Map:
		entry := func(key, element reflect.Value) reflect.Value {
			entries := reflect.MakeMap(of)
			entries.SetMapIndex(key, element)
			return entries
		}
		add(valuesOf(of.Key(), path+"[key]"), func(inner reflect.Value) reflect.Value { return entry(inner, reflect.Zero(of.Elem())) })
		add(valuesOf(of.Elem(), path+"[]"), func(inner reflect.Value) reflect.Value {
			return entry(reflect.ValueOf("key").Convert(of.Key()), inner)
		})
	case reflect.String:
		return leaf("x")
	case reflect.Bool:
		return leaf(true)
	default:
		return leaf(1) // it panics for what is no number
	}
	return all
}
