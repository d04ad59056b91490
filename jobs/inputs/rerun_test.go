// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// referring returns inputs with every kind of reference, and the objects that were found.
func referring() (v1alpha1.BuildInputs, Found) {
	inputs := sampleInputs()
	inputs.Base, inputs.Targets = basedOn("debian", "stable"), inputs.Targets[:1]
	inputs.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "setup"}}
	return inputs, Found{ConfigMap: &corev1.ConfigMap{Data: sampleFiles()}, Base: builtImage()}
}

func TestARerunResolvesToTheSame(t *testing.T) {
	inputs, found := referring()
	inline := sampleInputs()
	inline.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: sampleFiles()}}
	for name, inputs := range map[string]v1alpha1.BuildInputs{"referring": inputs, "inline": inline, "plain": sampleInputs()} {
		t.Run(name, func(t *testing.T) {
			resolved, failure := Resolve(inputs, found)
			checkFailure(t, failure, "", "")
			build := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{Inputs: inputs}}
			build.Status.Resolved = resolved
			again := ResolvePinned(build.Spec.Inputs, Pinned(build))
			if diff := cmp.Diff(resolved, again); diff != "" {
				t.Errorf("the rerun resolves to something else (-build +rerun):\n%s", diff)
			}
		})
	}
}

func TestPinnedIsACopy(t *testing.T) {
	inputs, found := referring()
	build := &v1alpha1.ImageBuild{}
	build.Status.Resolved, _ = Resolve(inputs, found)
	pinned := Pinned(build)
	pinned.Files["packages"] = "emacs\n"
	if got := build.Status.Resolved.Files["packages"]; got != sampleFiles()["packages"] {
		t.Errorf("the build's own file changed to %q", got)
	}
}

func TestPinnedOfABuildThatNeverResolved(t *testing.T) {
	if pinned := Pinned(&v1alpha1.ImageBuild{}); pinned != nil {
		t.Errorf("pinned is %+v, want nil", pinned)
	}
	rerun := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{Pinned: &v1alpha1.PinnedInputs{BaseDigest: digestA}}}
	if diff := cmp.Diff(rerun.Spec.Pinned, Pinned(rerun)); diff != "" {
		t.Errorf("a rerun of a rerun is pinned to something else:\n%s", diff)
	}
}

func TestABuildOfOtherInputsIsOneOff(t *testing.T) {
	own, found := referring()
	own.Parameters = []v1alpha1.Parameter{{Name: "edition", Value: "minimal"}, {Name: "locale", Value: "en"}}
	now, _ := Resolve(own, found)
	with := func(change func(*v1alpha1.BuildInputs)) v1alpha1.BuildInputs {
		inputs := *own.DeepCopy()
		change(&inputs)
		return inputs
	}
	override := func(parameters ...v1alpha1.Parameter) v1alpha1.BuildInputs {
		return with(func(i *v1alpha1.BuildInputs) { i.Parameters = WithParameters(i.Parameters, parameters) })
	}
	pinned := &v1alpha1.PinnedInputs{BaseDigest: now.BaseDigest, Files: now.Files}
	for name, test := range map[string]struct {
		inputs v1alpha1.BuildInputs
		pinned *v1alpha1.PinnedInputs
		now    *v1alpha1.ResolvedInputs
		want   bool
	}{
		"a parameter of the same value":           {override(v1alpha1.Parameter{Name: "edition", Value: "minimal"}), nil, nil, false},
		"a parameter of another value":            {override(v1alpha1.Parameter{Name: "edition", Value: "full"}), nil, nil, true},
		"one more parameter":                      {override(v1alpha1.Parameter{Name: "debug"}), nil, nil, true},
		"a rerun of what the inputs are":          {own, pinned, now, false},
		"of parameters in another order":          {with(func(i *v1alpha1.BuildInputs) { slices.Reverse(i.Parameters) }), pinned, now, false},
		"of other parameters":                     {override(v1alpha1.Parameter{Name: "edition", Value: "full"}), pinned, now, true},
		"of another base":                         {own, &v1alpha1.PinnedInputs{BaseDigest: "sha256:other", Files: now.Files}, now, true},
		"of other files":                          {own, &v1alpha1.PinnedInputs{BaseDigest: now.BaseDigest, Files: map[string]string{"packages": "emacs"}}, now, true},
		"while the inputs do not resolve":         {own, pinned, nil, true},
		"of a build that never resolved":          {own, nil, nil, false},
		"which had another ConfigMap":             {with(func(i *v1alpha1.BuildInputs) { i.Source.ConfigMapRef.Name = "other" }), nil, nil, true},
		"which had another channel of the base":   {with(func(i *v1alpha1.BuildInputs) { i.Base.ImageRef.Channel = "edge" }), nil, nil, true},
		"which had files of its own, and inline":  {with(func(i *v1alpha1.BuildInputs) { i.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{}} }), nil, nil, true},
		"which had another queue, which is equal": {with(func(i *v1alpha1.BuildInputs) { i.Template = &v1alpha1.BuildTemplate{QueueName: "q"} }), nil, nil, false},
	} {
		if got := OneOff(&v1alpha1.ImageBuildSpec{Inputs: test.inputs, Pinned: test.pinned}, own, test.now); got != test.want {
			t.Errorf("%s: one-off %v, want %v", name, got, test.want)
		}
	}
}

func TestWithParameters(t *testing.T) {
	given := []v1alpha1.Parameter{{Name: "edition", Value: "minimal"}, {Name: "locale", Value: "en"}}
	overrides := []v1alpha1.Parameter{{Name: "size", Value: "8G"}, {Name: "edition", Value: ""}}
	want := []v1alpha1.Parameter{{Name: "edition", Value: ""}, {Name: "locale", Value: "en"}, {Name: "size", Value: "8G"}}
	if diff := cmp.Diff(want, WithParameters(given, overrides)); diff != "" {
		t.Errorf("unexpected parameters (-want +got):\n%s", diff)
	}
	if given[0].Value != "minimal" {
		t.Error("the Image's parameters were changed")
	}
	if got := WithParameters(nil, nil); len(got) != 0 {
		t.Errorf("none with none are %v", got)
	}
	if diff := cmp.Diff(overrides, WithParameters(nil, overrides)); diff != "" {
		t.Errorf("overrides of nothing (-want +got):\n%s", diff)
	}
}
