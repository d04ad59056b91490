// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

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
			name:   "a builder by image of the same name",
			change: func(s *Snapshot) { s.Inputs.Builder = v1alpha1.Builder{Image: "mock"} },
			want:   []v1alpha1.InputChange{{Path: "builder", From: "mock", To: "image mock"}},
		},
		{
			name: "a builder's command",
			change: func(s *Snapshot) {
				s.Inputs.Builder = v1alpha1.Builder{Image: "mock", Command: []string{"/mock", "a b"}}
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

func TestDiffShortensWhatIsLong(t *testing.T) {
	name := strings.Repeat("n", 500)
	before := Snapshot{Inputs: v1alpha1.BuildInputs{Base: v1alpha1.Base{Reference: strings.Repeat("ü", 128)}}}
	after := Snapshot{
		Inputs: v1alpha1.BuildInputs{Base: v1alpha1.Base{Reference: strings.Repeat("ü", 129)}},
		Files:  map[string]string{name: ""},
	}
	changes := Diff(before, after)
	if len(changes) != 2 {
		t.Fatalf("there are %d changes, want 2: %v", len(changes), changes)
	}
	if got, want := changes[0].From, strings.Repeat("ü", 128); got != want {
		t.Errorf("128 characters are shown as %q", got)
	}
	if got, want := changes[0].To, strings.Repeat("ü", 127)+"…"; got != want {
		t.Errorf("129 characters are shown as %q, want %q", got, want)
	}
	if got, want := changes[1].Path, "files["+strings.Repeat("n", 127)+"…]"; got != want {
		t.Errorf("the path is %q, want %q", got, want)
	}
}

func TestDiffTellsOfChangesBehindTheCut(t *testing.T) {
	long := strings.Repeat("x", 200)
	before := Snapshot{Inputs: v1alpha1.BuildInputs{Base: v1alpha1.Base{Reference: long + "1"}}}
	after := Snapshot{Inputs: v1alpha1.BuildInputs{Base: v1alpha1.Base{Reference: long + "2"}}}
	if changes := Diff(before, after); len(changes) != 1 {
		t.Errorf("there are %d changes, want 1", len(changes))
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
	for _, seed := range []string{"", "short", strings.Repeat("x", 129), strings.Repeat("ü", 129), strings.Repeat("\xff", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := shorten(text)
		if utf8.RuneCountInString(got) > 128 {
			t.Errorf("%q is shortened to %d characters", text, utf8.RuneCountInString(got))
		}
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("%q is cut within a character", text)
		}
	})
}
