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
	const want = "sha256:a6ec7a48c779d38faab15d33db7268469c1419a7da3bb718e2101193be216b2b"
	if got := Digest(sampleInputs(), sampleFiles(), ""); got != want {
		t.Errorf("digest is %s, want %s", got, want)
	}
}

func TestDigestIgnoresTheOrderOfSets(t *testing.T) {
	inputs := sampleInputs()
	slices.Reverse(inputs.Parameters)
	slices.Reverse(inputs.Targets)
	if Digest(inputs, sampleFiles(), "") != Digest(sampleInputs(), sampleFiles(), "") {
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
	if Digest(inline, nil, "") != Digest(inline, map[string]string{}, "") {
		t.Error("no files digest differently as nil and as empty")
	}
}

func quantities(cpu string) map[string]v1alpha1.Quantity {
	return map[string]v1alpha1.Quantity{"cpu": {Text: cpu}}
}

func template(change func(*v1alpha1.BuildTemplate)) func(*v1alpha1.BuildInputs, map[string]string) {
	return func(i *v1alpha1.BuildInputs, _ map[string]string) {
		i.Template = &v1alpha1.BuildTemplate{Resources: &v1alpha1.ResourceRequirements{}, Affinity: &corev1.Affinity{}}
		change(i.Template)
	}
}

func output(change func(*v1alpha1.Output)) func(*v1alpha1.BuildInputs, map[string]string) {
	return func(i *v1alpha1.BuildInputs, _ map[string]string) {
		i.Output = &v1alpha1.Output{Repository: "localhost/a"}
		change(i.Output)
	}
}

func TestDigestTakesATemplateThatSaysNothingForNone(t *testing.T) {
	for _, empty := range []*v1alpha1.BuildTemplate{
		{},
		{Resources: &v1alpha1.ResourceRequirements{}, Affinity: &corev1.Affinity{}},
		{
			Resources:    &v1alpha1.ResourceRequirements{Limits: map[string]v1alpha1.Quantity{}, Requests: map[string]v1alpha1.Quantity{}},
			NodeSelector: map[string]string{}, Tolerations: []corev1.Toleration{}, Env: []corev1.EnvVar{},
		},
	} {
		inputs := sampleInputs()
		inputs.Template = empty
		if Digest(inputs, sampleFiles(), "") != Digest(sampleInputs(), sampleFiles(), "") {
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
	if got := Digest(inputs, sampleFiles(), ""); got != want {
		t.Errorf("digest is %s, want %s", got, want)
	}
	for _, written := range []v1alpha1.Quantity{{Text: "2000m"}, {Text: "2.0"}, {Text: "2", Number: true}} {
		inputs.Template.Resources.Limits["cpu"] = written
		if got := Digest(inputs, sampleFiles(), ""); got != want {
			t.Errorf("digest is %s with %s for 2, want %s", got, written, want)
		}
		if changes := Diff(Snapshot{Inputs: original}, Snapshot{Inputs: inputs}); len(changes) > 0 {
			t.Errorf("%s is a change: %v", written, changes)
		}
	}
}

func TestDigestOfABaseImageIsStable(t *testing.T) {
	const want = "sha256:89349032808c822689b1447301e9b7efe9e4cb613812c97d82328f3eea32414b"
	inputs := sampleInputs()
	inputs.Base = basedOn("debian", "stable")
	if got := Digest(inputs, sampleFiles(), digestA); got != want {
		t.Errorf("digest is %s, want %s", got, want)
	}
}

func TestDigestOfABaseImageCountsWhatItMade(t *testing.T) {
	digest := func(base v1alpha1.Base, baseDigest string) string {
		inputs := sampleInputs()
		inputs.Base = base
		return Digest(inputs, sampleFiles(), baseDigest)
	}
	before := digest(basedOn("debian", "stable"), digestA)
	for name, same := range map[string]string{
		"the latest success for the channel": digest(basedOn("debian", ""), digestA),
		"another channel":                    digest(basedOn("debian", "testing"), digestA),
	} {
		if same != before {
			t.Errorf("%s changes the digest of the same base", name)
		}
	}
	for name, other := range map[string]string{
		"what the base made":    digest(basedOn("debian", "stable"), digestB),
		"another Image":         digest(basedOn("ubuntu", "stable"), digestA),
		"a reference":           digest(v1alpha1.Base{Reference: "debian"}, digestA),
		"a reference by digest": digest(v1alpha1.Base{Reference: digestA}, digestA),
	} {
		if other == before {
			t.Errorf("%s does not change the digest", name)
		}
	}
	if digest(v1alpha1.Base{Reference: "debian"}, digestA) != digest(v1alpha1.Base{Reference: "debian"}, "") {
		t.Error("the digest of a base Image counts for a reference")
	}
}

func TestDigestIgnoresTheQueue(t *testing.T) {
	for _, template := range []*v1alpha1.BuildTemplate{nil, sampleTemplate()} {
		inputs, queued := sampleInputs(), sampleInputs()
		inputs.Template, queued.Template = template, template.DeepCopy()
		if queued.Template == nil {
			queued.Template = &v1alpha1.BuildTemplate{}
		}
		queued.Template.QueueName = "builds"
		if Digest(queued, nil, "") != Digest(inputs, nil, "") {
			t.Errorf("another queue is a change of inputs, with the template %+v", template)
		}
		if queued.Template.QueueName != "builds" {
			t.Error("the template was changed")
		}
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

func TestDigestChangesWithEveryInput(t *testing.T) {
	changes := map[string]func(*v1alpha1.BuildInputs, map[string]string){
		"nothing":      func(*v1alpha1.BuildInputs, map[string]string) {},
		"builder name": func(i *v1alpha1.BuildInputs, _ map[string]string) { i.Builder.Name = "other" },
		"builder image": func(i *v1alpha1.BuildInputs, _ map[string]string) {
			i.Builder = v1alpha1.BuilderReference{Image: "mock"}
		},
		"builder command": func(i *v1alpha1.BuildInputs, _ map[string]string) { i.Builder.Command = []string{"a", "b"} },
		"joined command":  func(i *v1alpha1.BuildInputs, _ map[string]string) { i.Builder.Command = []string{"a b"} },
		"base":            func(i *v1alpha1.BuildInputs, _ map[string]string) { i.Base.Reference = "debian:trixie" },
		"parameter value": func(i *v1alpha1.BuildInputs, _ map[string]string) { i.Parameters[0].Value = "full" },
		"parameter name":  func(i *v1alpha1.BuildInputs, _ map[string]string) { i.Parameters[0].Name = "Edition" },
		"no parameters":   func(i *v1alpha1.BuildInputs, _ map[string]string) { i.Parameters = nil },
		"target":          func(i *v1alpha1.BuildInputs, _ map[string]string) { i.Targets[0].Format = "iso" },
		"fewer targets":   func(i *v1alpha1.BuildInputs, _ map[string]string) { i.Targets = i.Targets[:2] },
		"file content":    func(_ *v1alpha1.BuildInputs, f map[string]string) { f["packages"] = "emacs\n" },
		"file name": func(_ *v1alpha1.BuildInputs, f map[string]string) {
			f["packages2"] = f["packages"]
			delete(f, "packages")
		},
		"service account": template(func(t *v1alpha1.BuildTemplate) { t.ServiceAccountName = "builder" }),
		"runtime class":   template(func(t *v1alpha1.BuildTemplate) { t.RuntimeClassName = "builder" }),
		"priority class":  template(func(t *v1alpha1.BuildTemplate) { t.PriorityClassName = "builder" }),
		"request":         template(func(t *v1alpha1.BuildTemplate) { t.Resources.Requests = quantities("1") }),
		"limit":           template(func(t *v1alpha1.BuildTemplate) { t.Resources.Limits = quantities("1") }),
		"other limit":     template(func(t *v1alpha1.BuildTemplate) { t.Resources.Limits = quantities("2") }),
		"node selector":   template(func(t *v1alpha1.BuildTemplate) { t.NodeSelector = map[string]string{"disk": ""} }),
		"toleration":      template(func(t *v1alpha1.BuildTemplate) { t.Tolerations = []corev1.Toleration{{Operator: "Exists"}} }),
		"affinity":        template(func(t *v1alpha1.BuildTemplate) { t.Affinity.NodeAffinity = &corev1.NodeAffinity{} }),
		"variable": template(func(t *v1alpha1.BuildTemplate) {
			t.Env = []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}}
		}),
		"swapped values": template(func(t *v1alpha1.BuildTemplate) {
			t.Env = []corev1.EnvVar{{Name: "A", Value: "2"}, {Name: "B", Value: "1"}}
		}),
		"swapped order": template(func(t *v1alpha1.BuildTemplate) {
			t.Env = []corev1.EnvVar{{Name: "B", Value: "2"}, {Name: "A", Value: "1"}}
		}),
		"output":                output(func(*v1alpha1.Output) {}),
		"output repository":     output(func(o *v1alpha1.Output) { o.Repository = "localhost/b" }),
		"output tags":           output(func(o *v1alpha1.Output) { o.TagTemplate = "latest" }),
		"output Secret":         output(func(o *v1alpha1.Output) { o.SecretRef = &v1alpha1.SecretReference{Name: "a"} }),
		"another output Secret": output(func(o *v1alpha1.Output) { o.SecretRef = &v1alpha1.SecretReference{Name: "b"} }),
		"one more file":         func(_ *v1alpha1.BuildInputs, f map[string]string) { f["empty"] = "" },
	}
	seen := map[string]string{}
	for name, change := range changes {
		inputs, files := sampleInputs(), sampleFiles()
		change(&inputs, files)
		digest := Digest(inputs, files, "")
		if other, ok := seen[digest]; ok {
			t.Errorf("%q and %q have the same digest", name, other)
		}
		seen[digest] = name
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
