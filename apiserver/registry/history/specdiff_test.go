// SPDX-License-Identifier: Apache-2.0

package history

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
)

// fullSpec has something in each part of a spec.
func fullSpec() *v1alpha1.ImageSpec {
	return &v1alpha1.ImageSpec{
		BuildInputs: v1alpha1.BuildInputs{
			Builder:    v1alpha1.BuilderReference{Image: "registry/builder:1", Command: []string{"make", "image"}},
			Base:       v1alpha1.Base{Reference: "debian:bookworm"},
			Source:     &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"etc/motd": "hello", "run.sh": "true"}}},
			Parameters: []v1alpha1.Parameter{{Name: "edition", Value: "server"}, {Name: "quiet"}},
			Targets:    []v1alpha1.Target{{Platform: "linux/amd64", Format: "raw"}},
			Template: &v1alpha1.BuildTemplate{
				NodeSelector: map[string]string{"disk": "fast", "kubernetes.io/arch": "amd64"},
				Tolerations:  []corev1.Toleration{{Key: "builds", Operator: corev1.TolerationOpExists}},
				Resources:    &v1alpha1.ResourceRequirements{Limits: map[string]v1alpha1.Quantity{"memory": {Text: "1Gi"}}},
				Env: []corev1.EnvVar{
					{Name: "A", Value: "a"},
					{Name: "B", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "c"}, Key: "k"}}},
				},
			},
		},
		Triggers:  &v1alpha1.Triggers{OnSpecChange: new(true), Schedule: &v1alpha1.Schedule{Cron: "@daily"}},
		RunPolicy: v1alpha1.RunPolicySerial,
		Suspend:   new(false),
		Timeouts:  &v1alpha1.BuildTimeouts{Run: &v1alpha1.Duration{Duration: time.Hour}},
		Retry:     &v1alpha1.RetryPolicy{Limit: new(int32(2)), Classes: []v1alpha1.FailureClass{v1alpha1.FailureRegistry}},
		History:   &v1alpha1.HistoryLimits{Succeeded: new(int32(3))},
	}
}

func TestChangesOfASpec(t *testing.T) {
	for name, c := range map[string]struct {
		change func(spec *v1alpha1.ImageSpec)
		want   []v1alpha1.InputChange
	}{
		"a switch": {
			func(s *v1alpha1.ImageSpec) { s.Suspend = new(true) },
			[]v1alpha1.InputChange{{Path: "suspend", From: "false", To: "true"}},
		},
		"a number that was not there": {
			func(s *v1alpha1.ImageSpec) { s.History.Failed = new(int32(0)) },
			[]v1alpha1.InputChange{{Path: "history.failed", To: "0"}},
		},
		"a schedule, which goes": {
			func(s *v1alpha1.ImageSpec) { s.Triggers.Schedule = nil },
			[]v1alpha1.InputChange{{Path: "triggers.schedule.cron", From: "@daily"}},
		},
		"the value of a parameter": {
			func(s *v1alpha1.ImageSpec) { s.Parameters[0].Value = "desktop" },
			[]v1alpha1.InputChange{{Path: "parameters[edition]", From: "server", To: "desktop"}},
		},
		"a parameter without a value, which goes": {
			func(s *v1alpha1.ImageSpec) { s.Parameters = s.Parameters[:1] },
			[]v1alpha1.InputChange{{Path: "parameters[quiet]", From: `""`}},
		},
		"a target": {
			func(s *v1alpha1.ImageSpec) { s.Targets[0].Format = "iso" },
			[]v1alpha1.InputChange{
				{Path: "targets[linux/amd64/iso]", To: "linux/amd64/iso"}, {Path: "targets[linux/amd64/raw]", From: "linux/amd64/raw"},
			},
		},
		"files, whose contents are not shown": {
			func(s *v1alpha1.ImageSpec) { s.Source.Inline.Files = map[string]string{"etc/motd": "goodbye"} },
			[]v1alpha1.InputChange{
				{Path: "source.inline.files[etc/motd]", From: "sha256:2cf24dba5fb0 (5 bytes)", To: "sha256:82e35a63ceba (7 bytes)"},
				{Path: "source.inline.files[run.sh]", From: "sha256:b5bea41b6c62 (4 bytes)"},
			},
		},
		"where files come from": {
			func(s *v1alpha1.ImageSpec) {
				s.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}}
			},
			[]v1alpha1.InputChange{
				{Path: "source.configMapRef.name", To: "files"},
				{Path: "source.inline.files[etc/motd]", From: "sha256:2cf24dba5fb0 (5 bytes)"},
				{Path: "source.inline.files[run.sh]", From: "sha256:b5bea41b6c62 (4 bytes)"},
			},
		},
		"a command, which is one value": {
			func(s *v1alpha1.ImageSpec) { s.Builder.Command = []string{"make"} },
			[]v1alpha1.InputChange{{Path: "builder.command", From: `["make","image"]`, To: `["make"]`}},
		},
		"keys that look like fields, and those that do not": {
			func(s *v1alpha1.ImageSpec) {
				s.Template.NodeSelector = map[string]string{"disk": "slow", "kubernetes.io/arch": "arm64"}
			},
			[]v1alpha1.InputChange{
				{Path: "template.nodeSelector.disk", From: "fast", To: "slow"}, {Path: "template.nodeSelector[kubernetes.io/arch]", From: "amd64", To: "arm64"},
			},
		},
		"a quantity and a toleration": {
			func(s *v1alpha1.ImageSpec) {
				s.Template.Resources.Limits["memory"] = v1alpha1.Quantity{Text: "2Gi"}
				s.Template.Tolerations[0].Key = "images"
			},
			[]v1alpha1.InputChange{
				{Path: "template.resources.limits.memory", From: "1Gi", To: "2Gi"}, {Path: "template.tolerations[0].key", From: "builds", To: "images"},
			},
		},
		"variables": {
			func(s *v1alpha1.ImageSpec) {
				s.Template.Env[0].Value = "b"
				s.Template.Env[1].ValueFrom.ConfigMapKeyRef.Key = "l"
			},
			[]v1alpha1.InputChange{
				{Path: "template.env[A]", From: "a", To: "b"}, {Path: "template.env[B].valueFrom.configMapKeyRef.key", From: "k", To: "l"},
			},
		},
		"only an order": {
			func(s *v1alpha1.ImageSpec) { slices.Reverse(s.Template.Env) },
			[]v1alpha1.InputChange{{Path: "(only the order of list items)"}},
		},
		"a value that is long": {
			func(s *v1alpha1.ImageSpec) { s.Parameters[0].Value = strings.Repeat("é", 200) },
			[]v1alpha1.InputChange{{Path: "parameters[edition]", From: "server", To: strings.Repeat("é", 64) + "…" + strings.Repeat("é", 63)}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			after := fullSpec()
			c.change(after)
			got, err := specChanges(fullSpec(), after)
			require.NoError(t, err)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAValueThatDiffersAtItsEndOnlyIsAChange(t *testing.T) {
	before, after := fullSpec(), fullSpec()
	before.Parameters[0].Value, after.Parameters[0].Value = strings.Repeat("a", 200)+"b", strings.Repeat("a", 200)+"c"
	got, err := specChanges(before, after)
	if err != nil || len(got) != 1 || got[0].Path != "parameters[edition]" || got[0].From == got[0].To {
		t.Errorf("got %v, error %v", got, err)
	}
}

func TestLongNamesThatBeginAlikeAreTwo(t *testing.T) {
	before, after := fullSpec(), fullSpec()
	long := strings.Repeat("a", 200)
	before.Template.Env = []corev1.EnvVar{{Name: long + "1", Value: "x"}, {Name: long + "2", Value: "y"}}
	after.Template.Env = []corev1.EnvVar{{Name: long + "1", Value: "y"}, {Name: long + "2", Value: "x"}}
	got, err := specChanges(before, after)
	if err != nil || len(got) != 2 || got[0].Path == got[1].Path || got[0].From != got[1].To {
		t.Fatalf("got %+v, error %v", got, err)
	}
	for _, change := range got {
		if name := strings.TrimPrefix(change.Path, "template.env"); len([]rune(name)) != len("[]")+128 {
			t.Errorf("%q is %d characters long", name, len([]rune(name)))
		}
	}
}

func TestManyChangesAreCounted(t *testing.T) {
	after := fullSpec()
	after.Source.Inline.Files = map[string]string{}
	for i := range 150 {
		after.Source.Inline.Files[fmt.Sprintf("%03d", i)] = "x"
	}
	got, err := specChanges(fullSpec(), after)
	if err != nil || len(got) != maxSpecChanges || got[maxSpecChanges-1].Path != "and 53 more" { // 150 come, 2 go
		t.Errorf("%d changes, the last is %v, error %v", len(got), got[len(got)-1], err)
	}
}
