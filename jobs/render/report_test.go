// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

func TestOnlyABuilderThatReportsGetsAToken(t *testing.T) {
	build := fullBuild()
	for _, reports := range []bool{false, true} {
		pod := mustRender(t, build, 1, inputs.Builder{Image: "builder:1", Reports: reports}).Spec.Template.Spec
		if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
			t.Errorf("reports %v: the pod gets the token of its service account as well", reports)
		}
		tokens := slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Projected != nil })
		urls := slices.ContainsFunc(pod.Containers[0].Env, func(v corev1.EnvVar) bool { return v.Name == EnvReportURL })
		if tokens != reports || urls != reports {
			t.Errorf("reports %v: a volume with a token %v, a URL %v", reports, tokens, urls)
		}
	}
}

// The variables name paths at which the volume has the files.
func TestTheReportsVariablesNameWhatIsThere(t *testing.T) {
	container := mustRender(t, basedBuild(), 1, inputs.Builder{Image: "builder:1", Reports: true}).Spec.Template.Spec.Containers[0]
	values := map[string]string{}
	for _, variable := range container.Env {
		if _, twice := values[variable.Name]; twice {
			t.Errorf("%s is set twice", variable.Name)
		}
		values[variable.Name] = variable.Value
	}
	want := map[string]string{
		EnvInput: "/goldsmith/input/input.json", EnvOutput: "/goldsmith/output", EnvResult: "/dev/termination-log",
		EnvReportURL:   "https://kubernetes.default.svc/apis/images.goldsmith.dev/v1alpha1/namespaces/team/imagebuilds/once/report",
		EnvReportToken: "/goldsmith/report/token",
		EnvReportCA:    "/goldsmith/report/ca.crt",
		"PROGRESS":     "$(GOLDSMITH_REPORT_URL)",
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
	url := slices.IndexFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == EnvReportURL })
	if use := slices.IndexFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == "PROGRESS" }); use < url {
		t.Error("the template's variables come first, and so cannot refer to the contract's")
	}
	mounted := slices.ContainsFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool {
		return m.MountPath == "/goldsmith/report" && m.ReadOnly
	})
	if !mounted {
		t.Errorf("nothing is mounted there: %v", container.VolumeMounts)
	}
}

func TestABuildWithAQueueIsKueues(t *testing.T) {
	job := mustRender(t, basedBuild(), 1, mockBuilder)
	if job.Labels[v1alpha1.LabelKueueQueue] != "builds" || job.Spec.Suspend == nil || !*job.Spec.Suspend {
		t.Errorf("labels %v, suspend %v", job.Labels, job.Spec.Suspend)
	}
	if _, ok := job.Spec.Template.Labels[v1alpha1.LabelKueueQueue]; ok {
		t.Error("Kueue would take the pod for one of its own")
	}
	job = mustRender(t, templateBuild(), 1, mockBuilder)
	if _, ok := job.Labels[v1alpha1.LabelKueueQueue]; ok || job.Spec.Suspend != nil {
		t.Errorf("without a queue: labels %v, suspend %v", job.Labels, job.Spec.Suspend)
	}
}

func TestTheInputSaysWhatTheBaseIs(t *testing.T) {
	earlier := basedBuild() // golden files have a base with artifacts
	earlier.Status.Resolved.Base = nil
	for name, test := range map[string]struct {
		build *v1alpha1.ImageBuild
		want  string
	}{
		"a reference":                     {bareBuild(), `{"reference":"debian:bookworm"}`},
		"a channel of an earlier version": {earlier, `{"digest":"sha256:` + strings.Repeat("d", 64) + `","image":"debian"}`},
	} {
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(inputOf(mustRender(t, test.build, 1, mockBuilder))), &fields))
		if got := string(fields["base"]); got != test.want {
			t.Errorf("%s: base is %s, want %s", name, got, test.want)
		}
	}
}

func TestMessagesTellABaseFromWhatIsTested(t *testing.T) {
	input := Input{Base: InputBase{Image: "debian", Build: "debian-6"}}
	artifact := &InputArtifact{Target: "linux/amd64/raw"}
	if got := input.BaseName(artifact); got != "linux/amd64/raw of build debian-6 of base debian" {
		t.Errorf("got %s", got)
	}
	input.Tests = []v1alpha1.ImageTest{{Name: "boots"}}
	if got := input.BaseName(artifact); got != "linux/amd64/raw of build debian-6, which is under test" {
		t.Errorf("got %s", got)
	}
}

func TestOnlyAnAgentHandsOverArtifacts(t *testing.T) {
	for _, agent := range []bool{true, false} {
		builder := inputs.Builder{Image: mockBuilder.Image, Publisher: inputs.Publisher{Agent: agent}}
		job := mustRender(t, basedBuild(), 1, builder)
		if path := `"path":"linux-amd64.raw"`; strings.Contains(inputOf(job), path) != agent {
			t.Errorf("with agent %t, the input is %s", agent, inputOf(job))
		}
		if !HasInput(job, basedBuild(), 1, agent) || HasInput(job, basedBuild(), 1, !agent) {
			t.Errorf("with agent %t, the input is taken for another one", agent)
		}
	}
}

// Builders make the same of the same input: without build and attempt a rerun's is that of the build before.
func TestARerunsInputIsThatOfItsBuild(t *testing.T) {
	content := func(build *v1alpha1.ImageBuild) map[string]any {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(inputOf(mustRender(t, build, 1, mockBuilder))), &fields))
		delete(fields, "build")
		delete(fields, "attempt")
		return fields
	}
	first := fullBuild()
	first.Spec.Inputs.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "debian"}}
	first.Status.Resolved.BaseDigest, first.Status.Resolved.Base = "sha256:"+strings.Repeat("d", 64), basedBuild().Status.Resolved.Base
	rerun := first.DeepCopy()
	rerun.Name, rerun.UID = "debian-8", "another"
	rerun.Spec.Pinned = inputs.Pinned(first)
	rerun.Status.Resolved = inputs.ResolvePinned(rerun.Spec.Inputs, rerun.Spec.Pinned)
	if diff := cmp.Diff(content(first), content(rerun)); diff != "" {
		t.Errorf("the inputs differ (-build +rerun):\n%s", diff)
	}
}
