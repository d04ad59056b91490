// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/contents"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

func TestDiff(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Snapshot)
		want   []v1alpha1.InputChange
	}{
		{name: "equal snapshots do not differ", change: func(*Snapshot) {}},
		{
			name: "the source of equal files is no difference",
			change: func(s *Snapshot) {
				s.Inputs.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "setup"}}
			},
		},
		{
			name:   "the base",
			change: func(s *Snapshot) { s.Inputs.Base.Reference = "debian:trixie" },
			want:   []v1alpha1.InputChange{{Path: "base.reference", From: "debian:bookworm", To: "debian:trixie"}},
		},
		{
			name:   "a base Image",
			change: func(s *Snapshot) { s.Inputs.Base, s.BaseDigest = basedOn("debian", "stable"), digestA },
			want: []v1alpha1.InputChange{
				{Path: "base.digest", To: digestA},
				{Path: "base.imageRef", To: "debian, channel stable"},
				{Path: "base.reference", From: "debian:bookworm"},
			},
		},
		{
			name:   "a base Image that was never resolved",
			change: func(s *Snapshot) { s.Inputs.Base = basedOn("debian", "") },
			want: []v1alpha1.InputChange{
				{Path: "base.imageRef", To: "debian"},
				{Path: "base.reference", From: "debian:bookworm"},
			},
		},
		{
			name:   "a builder by image of the same name",
			change: func(s *Snapshot) { s.Inputs.Builder = v1alpha1.BuilderReference{Image: "mock"} },
			want:   []v1alpha1.InputChange{{Path: "builder", From: "mock", To: "image mock"}},
		},
		{
			name: "a builder's command",
			change: func(s *Snapshot) {
				s.Inputs.Builder = v1alpha1.BuilderReference{Image: "mock", Command: []string{"/mock", "a b"}}
			},
			want: []v1alpha1.InputChange{{Path: "builder", From: "mock", To: `image mock ["/mock" "a b"]`}},
		},
		{
			name: "parameters changed, removed, added and added empty",
			change: func(s *Snapshot) {
				s.Inputs.Parameters = []v1alpha1.Parameter{{Name: "edition", Value: "full"}, {Name: "size", Value: "8G"}, {Name: "debug"}}
			},
			want: []v1alpha1.InputChange{
				{Path: "parameters[debug]", To: `""`},
				{Path: "parameters[edition]", From: "minimal", To: "full"},
				{Path: "parameters[locale]", From: "en"},
				{Path: "parameters[size]", To: "8G"},
			},
		},
		{
			name: "an output is added",
			change: func(s *Snapshot) {
				s.Inputs.Output = &v1alpha1.Output{Repository: "localhost/a", SecretRef: &v1alpha1.SecretReference{Name: "registry"}}
			},
			want: []v1alpha1.InputChange{
				{Path: "output.repository", To: "localhost/a"},
				{Path: "output.secretRef", To: "registry"},
				{Path: "output.tagTemplate", To: "{build}"},
			},
		},
		{
			name: "targets added and removed",
			change: func(s *Snapshot) {
				s.Inputs.Targets = append(s.Inputs.Targets[1:], v1alpha1.Target{Platform: "linux/riscv64", Format: "iso"})
			},
			want: []v1alpha1.InputChange{
				{Path: "targets[linux/amd64/raw]", From: "linux/amd64/raw"},
				{Path: "targets[linux/riscv64/iso]", To: "linux/riscv64/iso"},
			},
		},
		{
			name:   "files are shown by digest and size",
			change: func(s *Snapshot) { s.Files = map[string]string{"packages": "emacs\n", "setup.sh": s.Files["setup.sh"]} },
			want: []v1alpha1.InputChange{
				{Path: "files[packages]", From: "sha256:f38b881ac6bc (4 bytes)", To: "sha256:0ac0353d432e (6 bytes)"},
			},
		},
		{
			name:   "a template",
			change: func(s *Snapshot) { s.Inputs.Template = sampleTemplate() },
			want: []v1alpha1.InputChange{
				{Path: "template.affinity", To: `{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"preference":{},"weight":7}]}}`},
				{Path: "template.env[MIRROR]", To: `""`},
				{Path: "template.env[TOKEN]", To: "key token of Secret mirror, if there is one"},
				{Path: "template.nodeSelector[disk]", To: "fast"},
				{Path: "template.priorityClassName", To: "low"},
				{Path: "template.resources.limits[cpu]", To: "2"},
				{Path: "template.runtimeClassName", To: "kata"},
				{Path: "template.serviceAccountName", To: "builder"},
				{Path: "template.tolerations", To: `[{"effect":"NoExecute","key":"builds","operator":"Exists","tolerationSeconds":9007199254740993}]`},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := Snapshot{Inputs: sampleInputs(), Files: sampleFiles()}
			after := Snapshot{Inputs: sampleInputs(), Files: sampleFiles()}
			tt.change(&after)
			if diff := cmp.Diff(tt.want, Diff(before, after)); diff != "" {
				t.Errorf("unexpected changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiffTellsHowABaseImageMoved(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Snapshot)
		want   []v1alpha1.InputChange
	}{
		"it was built again": {
			func(s *Snapshot) { s.BaseDigest = digestB },
			[]v1alpha1.InputChange{{Path: "base.digest", From: digestA, To: digestB}},
		},
		"another channel": {
			func(s *Snapshot) { s.Inputs.Base, s.BaseDigest = basedOn("debian", "testing"), digestB },
			[]v1alpha1.InputChange{
				{Path: "base.digest", From: digestA, To: digestB},
				{Path: "base.imageRef", From: "debian", To: "debian, channel testing"},
			},
		},
		"another Image": {
			func(s *Snapshot) { s.Inputs.Base = basedOn("ubuntu", "") },
			[]v1alpha1.InputChange{{Path: "base.imageRef", From: "debian", To: "ubuntu"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := Snapshot{Inputs: sampleInputs(), BaseDigest: digestA}
			before.Inputs.Base = basedOn("debian", "")
			after := before
			test.change(&after)
			if diff := cmp.Diff(test.want, Diff(before, after)); diff != "" {
				t.Errorf("unexpected changes (-want +got):\n%s", diff)
			}
		})
	}
}

func sampleTemplate() *v1alpha1.BuildTemplate {
	return &v1alpha1.BuildTemplate{
		ServiceAccountName: "builder",
		Resources:          &v1alpha1.ResourceRequirements{Limits: quantities("2")},
		NodeSelector:       map[string]string{"disk": "fast"},
		Tolerations:        []corev1.Toleration{{Key: "builds", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: new(int64(1<<53 + 1))}},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{Weight: 7}},
		}},
		RuntimeClassName:  "kata",
		PriorityClassName: "low",
		Env: []corev1.EnvVar{{Name: "MIRROR"}, {Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "mirror"}, Key: "token", Optional: new(true),
		}}}},
	}
}

func TestDiffTellsWhatChangedInATemplate(t *testing.T) {
	variable := func(t *v1alpha1.BuildTemplate, name string) *corev1.EnvVar {
		return &t.Env[slices.IndexFunc(t.Env, func(v corev1.EnvVar) bool { return v.Name == name })]
	}
	for name, test := range map[string]struct {
		change func(*v1alpha1.BuildTemplate)
		want   v1alpha1.InputChange
	}{
		"a variable's value": {
			func(t *v1alpha1.BuildTemplate) { variable(t, "MIRROR").Value = "http://mirror" },
			v1alpha1.InputChange{Path: "template.env[MIRROR]", From: `""`, To: "http://mirror"},
		},
		"a variable's Secret": {
			func(t *v1alpha1.BuildTemplate) { variable(t, "TOKEN").ValueFrom.SecretKeyRef.Name = "proxy" },
			v1alpha1.InputChange{Path: "template.env[TOKEN]", From: "key token of Secret mirror, if there is one", To: "key token of Secret proxy, if there is one"},
		},
		"a text that reads like a Secret": {
			func(t *v1alpha1.BuildTemplate) {
				*variable(t, "TOKEN") = corev1.EnvVar{Name: "TOKEN", Value: "key token of Secret mirror, if there is one"}
			},
			v1alpha1.InputChange{
				Path: "template.env[TOKEN]",
				From: "key token of Secret mirror, if there is one (sha256:699f3b384f5bb19e32454c4f08ee475f9b9c43025dbd78d60683649f4123bd28)",
				To:   "key token of Secret mirror, if there is one (sha256:5682008d92d034808caa1fa3acd947bccf1f98434a864c6165c7a72a8f714cfd)",
			},
		},
		"a Secret's key that must exist now": {
			func(t *v1alpha1.BuildTemplate) { variable(t, "TOKEN").ValueFrom.SecretKeyRef.Optional = new(false) },
			v1alpha1.InputChange{
				Path: "template.env[TOKEN]",
				From: "key token of Secret mirror, if there is one",
				To:   "key token of Secret mirror, which must exist",
			},
		},
		"a variable that goes": {
			func(t *v1alpha1.BuildTemplate) { t.Env = t.Env[1:] },
			v1alpha1.InputChange{Path: "template.env[MIRROR]", From: `""`},
		},
		"the order of variables": {
			func(t *v1alpha1.BuildTemplate) { slices.Reverse(t.Env) },
			v1alpha1.InputChange{Path: "template.env", From: "MIRROR, TOKEN", To: "TOKEN, MIRROR"},
		},
		"a request": {
			func(t *v1alpha1.BuildTemplate) { t.Resources.Requests = quantities("500m") },
			v1alpha1.InputChange{Path: "template.resources.requests[cpu]", To: "500m"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := Snapshot{Inputs: sampleInputs()}, Snapshot{Inputs: sampleInputs()}
			before.Inputs.Template, after.Inputs.Template = sampleTemplate(), sampleTemplate()
			test.change(after.Inputs.Template)
			if diff := cmp.Diff([]v1alpha1.InputChange{test.want}, Diff(before, after)); diff != "" {
				t.Errorf("unexpected changes (-want +got):\n%s", diff)
			}
			if Digest(before.Inputs, nil, "", "") == Digest(after.Inputs, nil, "", "") {
				t.Error("the digest is the same")
			}
		})
	}
}

func TestDiffShortensWhatIsLong(t *testing.T) {
	repository := "registry.example.com/" + strings.Repeat("team/", 24) + "debian@"
	words := func(count int, last string) string { return strings.Repeat("wörd ", count) + last }
	parameter := func(value string) func(*Snapshot) {
		return func(s *Snapshot) { s.Inputs.Parameters = []v1alpha1.Parameter{{Name: "p", Value: value}} }
	}
	name := strings.Repeat("n", 500)
	for test, c := range map[string]struct {
		from, to func(*Snapshot)
		want     v1alpha1.InputChange
	}{
		"128 characters": {
			parameter(strings.Repeat("ü", 128)), parameter("short"),
			v1alpha1.InputChange{Path: "parameters[p]", From: strings.Repeat("ü", 128), To: "short"},
		},
		"a digest at the end": {
			func(s *Snapshot) { s.Inputs.Base.Reference = repository + digestA },
			func(s *Snapshot) { s.Inputs.Base.Reference = repository + digestB },
			v1alpha1.InputChange{
				Path: "base.reference",
				From: "registry.example.com/team/team/t…m/team/team/team/debian@sha256:" + digestA[len("sha256:"):],
				To:   "registry.example.com/team/team/t…m/team/team/team/debian@sha256:" + digestB[len("sha256:"):],
			},
		},
		"the middle": {
			parameter(words(40, "A ") + words(40, "end")), parameter(words(40, "B ") + words(40, "end")),
			v1alpha1.InputChange{
				Path: "parameters[p]",
				From: words(6, "wö… ") + words(6, "A ") + words(6, "…rd ") + words(5, "end"),
				To:   words(6, "wö… ") + words(6, "B ") + words(6, "…rd ") + words(5, "end"),
			},
		},
		"something at the end": {
			parameter(strings.Repeat("ü", 200)), parameter(strings.Repeat("ü", 201)),
			v1alpha1.InputChange{
				Path: "parameters[p]",
				From: strings.Repeat("ü", 63) + "…" + strings.Repeat("ü", 63),
				To:   strings.Repeat("ü", 63) + "…" + strings.Repeat("ü", 64),
			},
		},
		"everything": {
			func(*Snapshot) {}, parameter(strings.Repeat("ü", 100) + strings.Repeat("ö", 100)),
			v1alpha1.InputChange{Path: "parameters[p]", To: strings.Repeat("ü", 64) + "…" + strings.Repeat("ö", 63)},
		},
		"a name": {
			func(*Snapshot) {}, func(s *Snapshot) { s.Files = map[string]string{name: ""} },
			v1alpha1.InputChange{
				Path: "files[" + strings.Repeat("n", 57) + "…" + strings.Repeat("n", 57) + "-" + contents.Digest([]byte(name))[7:19] + "]",
				To:   "sha256:e3b0c44298fc (0 bytes)",
			},
		},
	} {
		t.Run(test, func(t *testing.T) {
			var before, after Snapshot
			c.from(&before)
			c.to(&after)
			if diff := cmp.Diff([]v1alpha1.InputChange{c.want}, Diff(before, after)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDiffTellsAtMost32Changes(t *testing.T) {
	for _, count := range []int{32, 33, 64} {
		after := Snapshot{}
		for i := range count {
			after.Inputs.Parameters = append(after.Inputs.Parameters, v1alpha1.Parameter{Name: fmt.Sprintf("p%02d", i), Value: "v"})
		}
		changes := Diff(Snapshot{}, after)
		if len(changes) != 32 {
			t.Fatalf("%d changes are told as %d, want 32", count, len(changes))
		}
		want := "parameters[p31]"
		if count > 32 {
			want = fmt.Sprintf("and %d more", count-31)
		}
		if got := changes[31].Path; got != want {
			t.Errorf("of %d changes the last is %q, want %q", count, got, want)
		}
	}
}

func FuzzShorten(f *testing.F) {
	long := strings.Repeat("x", 200)
	for _, seed := range [][2]string{
		{"", "short"}, {"", long}, {long, long + "x"}, {"y" + long, "z" + long}, {long + "y" + long, long + "z" + long},
		{long + "y" + long, long + long}, {long + strings.Repeat("y", 200), long + strings.Repeat("z", 200)}, {"", `""`},
		{strings.Repeat("ü", 129), strings.Repeat("ü", 128)}, {strings.Repeat("\xff", 200), strings.Repeat("\xfe", 200)},
		{strings.Repeat("x", 63) + "…" + strings.Repeat("x", 64), long},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, from, to string) {
		if from == to {
			return
		}
		changed := change("p", TextValue(from), TextValue(to))
		if changed.From == changed.To {
			t.Errorf("the change of %q to %q shows %q twice", from, to, changed.From)
		}
		for _, shown := range []string{changed.From, changed.To} {
			if utf8.RuneCountInString(shown) > 128 || !utf8.ValidString(shown) {
				t.Errorf("the change of %q to %q shows %q", from, to, shown)
			}
		}
	})
}
