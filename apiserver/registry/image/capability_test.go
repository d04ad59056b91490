// SPDX-License-Identifier: Apache-2.0

package image_test

import (
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// TestTheServerChecksParametersAndTargetsAgainstTheBuilder registers a builder without limits, and then one with some.
func TestTheServerChecksParametersAndTargetsAgainstTheBuilder(t *testing.T) {
	t.Parallel()
	var current atomic.Pointer[map[string]inputs.Builder]
	current.Store(&map[string]inputs.Builder{"disk": {}, "other": {}})
	server := start(t, builder.Memory(), apiserver.Register(builder.New("server"), apiserver.Options{
		Builders: func() (inputs.Builders, error) {
			return inputs.Builders{Current: func() map[string]inputs.Builder { return *current.Load() }}, nil
		},
	}))
	client, ctx := server.ImagesV1alpha1(), t.Context()
	given := func(builder string, format v1alpha1.ArtifactFormat, parameters ...v1alpha1.Parameter) v1alpha1.BuildInputs {
		return v1alpha1.BuildInputs{
			Builder: v1alpha1.BuilderReference{Name: builder}, Base: v1alpha1.Base{Reference: "debian:bookworm"}, Parameters: parameters,
			Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: format}},
		}
	}
	size := func(value string) v1alpha1.Parameter { return v1alpha1.Parameter{Name: "size", Value: value} }
	create := func(name string, given v1alpha1.BuildInputs) error {
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ImageSpec{BuildInputs: given}}
		_, err := client.Images(namespace).Create(ctx, image, metav1.CreateOptions{})
		return err
	}
	build := func(given v1alpha1.BuildInputs) error {
		build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{GenerateName: "direct-"}, Spec: v1alpha1.ImageBuildSpec{Inputs: given}}
		_, err := client.ImageBuilds(namespace).Create(ctx, build, metav1.CreateOptions{})
		return err
	}
	patchOf := func(image, patch string) error {
		_, err := client.Images(namespace).Patch(ctx, image, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	}
	patch := func(text string) error { return patchOf("old", text) }
	request := func(image string, parameters ...v1alpha1.Parameter) error {
		_, err := client.Images(namespace).Instantiate(ctx, image, &v1alpha1.BuildRequest{Parameters: parameters}, metav1.CreateOptions{})
		return err
	}
	rerun := func(build string) error {
		_, err := client.ImageBuilds(namespace).Rerun(ctx, build, &v1alpha1.RerunRequest{}, metav1.CreateOptions{})
		return err
	}
	require.NoError(t, create("old", given("disk", v1alpha1.ArtifactFormatISO, size("large"))))
	require.NoError(t, request("old")) // build old-1
	sourced := func(base string, files ...string) v1alpha1.BuildInputs {
		of := given("disk", v1alpha1.ArtifactFormatRaw)
		of.Base.Reference, of.Source = base, &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{}}}
		for _, name := range files {
			of.Source.Inline.Files[name] = "x"
		}
		return of
	}
	require.NoError(t, create("sourced", sourced("debian:bookworm", "etc/motd")))
	limited := inputs.Builder{Capabilities: capability.Capabilities{
		Parameters: &capability.Schema{Properties: map[string]capability.Property{"size": {Pattern: "^[0-9]+M$"}, "label": {}}},
		Targets:    []capability.Target{{Format: v1alpha1.ArtifactFormatRaw}},
	}}
	current.Store(&map[string]inputs.Builder{"disk": limited, "other": limited})
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"an image", create("good", given("disk", v1alpha1.ArtifactFormatRaw, size("5M"))), ""},
		{"a value of an image", create("bad", given("disk", v1alpha1.ArtifactFormatRaw, size("5"))),
			`spec.parameters[0].value: Invalid value: "5": builder disk: parameter size must match '^[0-9]+M$'`},
		{"an empty value", create("bad", given("disk", v1alpha1.ArtifactFormatRaw, size(""))),
			`spec.parameters[0].value: Required value: builder disk: parameter size must match '^[0-9]+M$', or remove the parameter`},
		{"an unknown parameter", create("bad", given("disk", v1alpha1.ArtifactFormatRaw, v1alpha1.Parameter{Name: "lable"})),
			`spec.parameters[0].name: Invalid value: "lable": builder disk has no such parameter: did you mean label?`},
		{"a target of an image", create("bad", given("disk", v1alpha1.ArtifactFormatISO)),
			`spec.targets[0]: Invalid value: "linux/amd64/iso": builder disk makes only */raw`},
		{"a builder that nobody registered", create("early", given("later", v1alpha1.ArtifactFormatISO, size("5"))), ""},
		{"a build", build(given("disk", v1alpha1.ArtifactFormatRaw, size("5M"))), ""},
		{"a value of a build", build(given("disk", v1alpha1.ArtifactFormatRaw, size("5"))), `spec.inputs.parameters[0].value: Invalid value: "5"`},
		{"a target of a build", build(given("disk", v1alpha1.ArtifactFormatISO)), `spec.inputs.targets[0]: Invalid value: "linux/amd64/iso"`},
		{"another field of a stored image", patch(`{"metadata":{"labels":{"a":"b"}},"spec":{"suspend":true}}`), ""},
		{"a further parameter of a stored image", patch(`{"spec":{"parameters":[{"name":"label","value":"x"}]}}`), ""},
		{"the value of a stored image", patch(`{"spec":{"parameters":[{"name":"size","value":"huge"}]}}`), `spec.parameters[1].value: Invalid value: "huge"`},
		{"the builder of a stored image", patch(`{"spec":{"builder":{"name":"other"}}}`), `spec.parameters[1].value: Invalid value: "large": builder other`},
		{"a value of a request", request("old", size("5")), `parameters[0].value: Invalid value: "5"`},
		{"a request", request("old", size("5M")), ""},
		{"a request of the stored values: the build fails with InvalidParameters", request("old"), ""},
		{"a rerun of a build with values from before: it fails with InvalidParameters", rerun("old-1"), ""},
	} {
		expectInvalid(t, test.name, test.err, test.want)
	}

	label := func(value string) v1alpha1.Parameter { return v1alpha1.Parameter{Name: "label", Value: value} }
	requiring := limited
	requiring.Capabilities.Parameters = &capability.Schema{Properties: limited.Capabilities.Parameters.Properties, Required: []string{"label"}}
	current.Store(&map[string]inputs.Builder{"disk": requiring})
	const missing = "spec.parameters: Required value: builder disk requires parameter label"
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"an image without the new parameter", create("bad", given("disk", v1alpha1.ArtifactFormatRaw, size("5M"))), missing},
		{"another field of a stored image without it", patchOf("good", `{"metadata":{"labels":{"a":"b"}},"spec":{"suspend":true}}`), ""},
		{"another parameter of a stored image without it", patchOf("good", `{"spec":{"parameters":[{"name":"size","value":"6M"}]}}`), missing},
		{"a request without it: the build fails with InvalidParameters", request("good"), ""},
		{"a request of another parameter, too", request("good", size("6M")), ""},
		{"a request with it", request("good", label("x")), ""},
		{"the parameter", patchOf("good", `{"spec":{"parameters":[{"name":"label","value":"x"}]}}`), ""},
		{"another parameter, once it is set", patchOf("good", `{"spec":{"parameters":[{"name":"size","value":"6M"}]}}`), ""},
	} {
		expectInvalid(t, test.name, test.err, test.want)
	}

	current.Store(&map[string]inputs.Builder{"disk": {Capabilities: capability.Capabilities{
		Base: &capability.Property{Enum: []any{"debian:trixie"}}, FileNames: &capability.Property{Pattern: "^root/"},
	}}})
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"a base and a file", create("based", sourced("debian:trixie", "root/etc/motd")), ""},
		{"another base", create("bad", sourced("debian:bookworm")), `spec.base.reference: Invalid value: "debian:bookworm": builder disk: a base must be one of debian:trixie`},
		{"another file", create("bad", sourced("debian:trixie", "root/a", "etc/motd")), `spec.source.inline.files[etc/motd]: Invalid value: "etc/motd": builder disk: the name of a file must match '^root/'`},
		{"another base of a build", build(sourced("debian:bookworm")), `spec.inputs.base.reference: Invalid value: "debian:bookworm"`},
		{"another file of a build", build(sourced("debian:trixie", "a")), `spec.inputs.source.inline.files[a]: Invalid value: "a"`},
		{"another field of a stored image", patchOf("sourced", `{"spec":{"suspend":true}}`), ""},
		{"a further file of a stored image", patchOf("sourced", `{"spec":{"source":{"inline":{"files":{"root/a":"x"}}}}}`), ""},
		{"a wrong file of a stored image", patchOf("sourced", `{"spec":{"source":{"inline":{"files":{"b":"x"}}}}}`), `spec.source.inline.files[b]: Invalid value: "b"`},
		{"the content of a wrong file", patchOf("sourced", `{"spec":{"source":{"inline":{"files":{"etc/motd":"y"}}}}}`), `spec.source.inline.files[etc/motd]: Invalid value`},
		{"the base of a stored image", patchOf("sourced", `{"spec":{"base":{"reference":"debian:sid"}}}`), `spec.base.reference: Invalid value: "debian:sid"`},
		{"a request of the stored inputs: the build fails with BaseNotSupported", request("sourced"), ""},
	} {
		expectInvalid(t, test.name, test.err, test.want)
	}

	triggered := func(name string, builder v1alpha1.BuilderReference) error {
		image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ImageSpec{
			BuildInputs: given("", v1alpha1.ArtifactFormatRaw), Triggers: &v1alpha1.Triggers{OnPackageChange: &v1alpha1.PackageTrigger{}},
		}}
		image.Spec.Builder = builder
		_, err := client.Images(namespace).Create(ctx, image, metav1.CreateOptions{})
		return err
	}
	probing := inputs.Builder{Capabilities: capability.Capabilities{Probe: true}}
	current.Store(&map[string]inputs.Builder{"disk": probing, "shell": {}})
	require.NoError(t, triggered("probed", v1alpha1.BuilderReference{Name: "disk"}))
	require.NoError(t, triggered("changed", v1alpha1.BuilderReference{Name: "disk"}))
	current.Store(&map[string]inputs.Builder{"disk": {}, "shell": {}, "archive": probing})
	const noProbe = "spec.triggers.onPackageChange: Forbidden: builder shell checks no archives: set a builder that does, or remove onPackageChange"
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"new packages of a builder without a probe", triggered("bad", v1alpha1.BuilderReference{Name: "shell"}), noProbe},
		{"of a builder's image", triggered("bad", v1alpha1.BuilderReference{Image: "shell:1"}), "spec.triggers.onPackageChange: Forbidden: only a registered builder checks archives"},
		{"of a builder that nobody registered", triggered("unknown", v1alpha1.BuilderReference{Name: "later"}), ""},
		{"a trigger of a stored image", patchOf("sourced", `{"spec":{"builder":{"name":"shell"},"triggers":{"onPackageChange":{"mode":"Any"}}}}`), noProbe},
		{"another field of a stored image, whose builder lost its probe", patchOf("probed", `{"spec":{"suspend":true}}`), ""},
		{"its mode", patchOf("probed", `{"spec":{"triggers":{"onPackageChange":{"mode":"Any"}}}}`), "spec.triggers.onPackageChange: Forbidden: builder disk checks no archives"},
		{"another builder without a probe", patchOf("changed", `{"spec":{"builder":{"name":"shell"}}}`), noProbe},
		{"a builder with a probe", patchOf("changed", `{"spec":{"builder":{"name":"archive"}}}`), ""},
		{"no trigger", patchOf("probed", `{"spec":{"builder":{"name":"shell"},"triggers":{"onPackageChange":null}}}`), ""},
	} {
		expectInvalid(t, test.name, test.err, test.want)
	}
}

// expectInvalid compares an error with a part of its text. Without a text there must be none.
func expectInvalid(t *testing.T, name string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case want != "" && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: got error %v, want %s", name, err, want)
	}
}
