// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

func sampleInputs() v1alpha1.BuildInputs {
	return v1alpha1.BuildInputs{
		Builder:    v1alpha1.BuilderReference{Name: "mock"},
		Base:       v1alpha1.Base{Reference: "debian:bookworm"},
		Parameters: []v1alpha1.Parameter{{Name: "edition", Value: "minimal"}, {Name: "locale", Value: "en"}},
		Targets: []v1alpha1.Target{
			{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw},
			{Platform: "linux/arm64", Format: v1alpha1.ArtifactFormatQCOW2},
			{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatQCOW2},
		},
	}
}

func sampleFiles() map[string]string {
	return map[string]string{"setup.sh": "apt-get install -y <packages> && true\n", "packages": "vim\n"}
}

// A digest that changes from one release to the next rebuilds every image there is.
func TestDigestIsStable(t *testing.T) {
	for want, change := range map[string]func(*v1alpha1.BuildInputs){
		"sha256:a6ec7a48c779d38faab15d33db7268469c1419a7da3bb718e2101193be216b2b": func(*v1alpha1.BuildInputs) {},
		"sha256:89349032808c822689b1447301e9b7efe9e4cb613812c97d82328f3eea32414b": func(i *v1alpha1.BuildInputs) { i.Base = basedOn("debian", "stable") },
		"sha256:e7b3cefe242ec538a5c0c586f3ae86682df0491e4e6d6915a75e23084244a47b": func(i *v1alpha1.BuildInputs) {
			i.Builder = v1alpha1.BuilderReference{Image: "mock", Command: []string{"/mock", "a b"}}
		},
		"sha256:f309e11bdcfe5dd42857dc3f5e1d208a5a82cfd6aee7b7a4d6baa3f505cf5525": func(i *v1alpha1.BuildInputs) {
			i.Output = &v1alpha1.Output{Repository: "localhost/a"}
		},
		"sha256:ef00406e4103de5d0a5382d1024c2ff67c74db587716a46f28d26db44cbdcb80": func(i *v1alpha1.BuildInputs) {
			i.Output = &v1alpha1.Output{Repository: "localhost/a", TagTemplate: "latest", SecretRef: &v1alpha1.SecretReference{Name: "registry"}}
		},
	} {
		inputs := sampleInputs()
		change(&inputs)
		if got := Digest(inputs, sampleFiles(), digestA, ""); got != want {
			t.Errorf("the digest of %+v is %s, want %s", inputs, got, want)
		}
	}
}

func TestDigestIgnoresTheOrderOfSets(t *testing.T) {
	inputs := sampleInputs()
	slices.Reverse(inputs.Parameters)
	slices.Reverse(inputs.Targets)
	if Digest(inputs, sampleFiles(), "", "") != Digest(sampleInputs(), sampleFiles(), "", "") {
		t.Error("the order of parameters or targets changes the digest")
	}
}

func TestDigestCountsFilesByContent(t *testing.T) {
	inline, referred := sampleInputs(), sampleInputs()
	inline.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: sampleFiles()}}
	referred.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "setup"}}

	fromInline, failure := Resolve(inline, Found{})
	checkFailure(t, failure, "", "")
	fromConfigMap, failure := Resolve(referred, Found{ConfigMap: &corev1.ConfigMap{Data: sampleFiles()}})
	checkFailure(t, failure, "", "")
	if fromInline.InputsDigest != fromConfigMap.InputsDigest {
		t.Error("the same files digest differently inline and from a ConfigMap")
	}
	if Digest(inline, nil, "", "") != Digest(inline, map[string]string{}, "", "") {
		t.Error("no files digest differently as nil and as empty")
	}
}

func quantities(cpu string) map[string]v1alpha1.Quantity {
	return map[string]v1alpha1.Quantity{"cpu": {Text: cpu}}
}

func TestDigestTakesATemplateThatSaysNothingForNone(t *testing.T) {
	for _, empty := range []*v1alpha1.BuildTemplate{
		{},
		{QueueName: "builds"},
		{Resources: &v1alpha1.ResourceRequirements{}, Affinity: &corev1.Affinity{}},
		{
			Resources:    &v1alpha1.ResourceRequirements{Limits: map[string]v1alpha1.Quantity{}, Requests: map[string]v1alpha1.Quantity{}},
			NodeSelector: map[string]string{}, Tolerations: []corev1.Toleration{}, Env: []corev1.EnvVar{},
		},
	} {
		inputs := sampleInputs()
		inputs.Template = empty
		if Digest(inputs, sampleFiles(), "", "") != Digest(sampleInputs(), sampleFiles(), "", "") {
			t.Errorf("the template %+v changes the digest", empty)
		}
		if changes := Diff(Snapshot{Inputs: sampleInputs()}, Snapshot{Inputs: inputs}); len(changes) > 0 {
			t.Errorf("the template %+v is a change: %v", empty, changes)
		}
	}
}

func TestDigestOfATemplateIsStable(t *testing.T) {
	const want = "sha256:d97624ac0d39dfda228f849294c5eeb11d3fef59a80cde4674385c2176d56fba"
	inputs := sampleInputs()
	inputs.Template = sampleTemplate()
	original := *inputs.DeepCopy()
	if got := Digest(inputs, sampleFiles(), "", ""); got != want {
		t.Errorf("digest is %s, want %s", got, want)
	}
	for _, written := range []v1alpha1.Quantity{{Text: "2000m"}, {Text: "2.0"}, {Text: "2", Number: true}} {
		inputs.Template.Resources.Limits["cpu"] = written
		if got := Digest(inputs, sampleFiles(), "", ""); got != want {
			t.Errorf("digest is %s with %s for 2, want %s", got, written, want)
		}
		if changes := Diff(Snapshot{Inputs: original}, Snapshot{Inputs: inputs}); len(changes) > 0 {
			t.Errorf("%s is a change: %v", written, changes)
		}
	}
}

func TestDigestOfABaseImageCountsWhatItMade(t *testing.T) {
	inputs := sampleInputs()
	inputs.Base = basedOn("debian", "stable")
	if Digest(inputs, sampleFiles(), digestA, "") == Digest(inputs, sampleFiles(), digestB, "") {
		t.Error("another artifact of the base does not change the digest")
	}
}

func TestArtifactsDigest(t *testing.T) {
	raw := v1alpha1.Artifact{Target: "linux/amd64/raw", Digest: digestA, SizeBytes: 7}
	iso := v1alpha1.Artifact{Target: "linux/amd64/iso", Digest: digestB, SizeBytes: 8}
	if got := ArtifactsDigest(nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	if got := ArtifactsDigest([]v1alpha1.Artifact{raw}); got != digestA {
		t.Errorf("of one artifact %s, want its own", got)
	}
	both := ArtifactsDigest([]v1alpha1.Artifact{raw, iso})
	if want := contents.Digest([]byte(`{"linux/amd64/iso":"` + digestB + `","linux/amd64/raw":"` + digestA + `"}`)); both != want {
		t.Errorf("of two artifacts %s, want %s", both, want)
	}
	if ArtifactsDigest([]v1alpha1.Artifact{iso, raw}) != both {
		t.Error("the order of artifacts counts")
	}
	iso.Digest, raw.Digest = raw.Digest, iso.Digest
	if ArtifactsDigest([]v1alpha1.Artifact{raw, iso}) == both {
		t.Error("which target has which digest does not count")
	}
}

func TestCanonicalJSONSortsKeysAndEscapesNoHTML(t *testing.T) {
	got, err := CanonicalJSON(map[string]any{"b": "<&>", "a": map[string]int{"z": 1, "y": 2}})
	require.NoError(t, err)
	if want := `{"a":{"y":2,"z":1},"b":"<&>"}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := CanonicalJSON(func() {}); err == nil || !strings.Contains(err.Error(), "encode canonical JSON") {
		t.Errorf("a function is encoded: %v", err)
	}
}
