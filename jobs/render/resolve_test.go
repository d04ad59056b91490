// SPDX-License-Identifier: Apache-2.0

package render

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// resolvable is an Image with a build whose template has Secrets.
func resolvable() (*v1alpha1.Image, *v1alpha1.ImageBuild) {
	image := &v1alpha1.Image{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "team", UID: "0b5c1a52-0000-4000-8000-00000000000b"}}
	build := fullBuild()
	build.Spec.Inputs.Base = v1alpha1.Base{Reference: "debian:trixie"}
	build.Spec.Inputs.Template = &v1alpha1.BuildTemplate{
		ServiceAccountName: "builder", NodeSelector: map[string]string{"pool": "builds"}, Env: []corev1.EnvVar{
			{Name: "http_proxy", Value: "http://proxy:3128"},
			{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "token"}}},
		},
	}
	return image, build
}

func TestTheJobOfAResolveHasTheInputOfABuildAndNoSecrets(t *testing.T) {
	image, build := resolvable()
	job := require.Value(ResolveJob(image, build, time.Unix(1, 0), placed))(t)
	input, ofBuild := require.Value(ParseInput([]byte(inputOf(job))))(t), newInput(build, 1, false)
	if !input.Resolve || input.Attempt != 1 || input.Build != (InputBuild{}) {
		t.Errorf("the input is %+v", input)
	}
	input.Resolve, input.Build = false, ofBuild.Build
	if got, want := require.Value(input.encode(""))(t), require.Value(ofBuild.encode(""))(t); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	pod := job.Spec.Template.Spec
	if pod.ServiceAccountName != "" || *pod.AutomountServiceAccountToken || len(pod.Containers) != 1 || len(pod.InitContainers) > 0 || pod.NodeSelector["pool"] != "builds" {
		t.Errorf("the pod is %+v", pod)
	}
	var names []string
	for _, variable := range pod.Containers[0].Env {
		names = append(names, variable.Name)
	}
	if got := strings.Join(names, " "); got != "GOLDSMITH_INPUT GOLDSMITH_OUTPUT GOLDSMITH_RESULT http_proxy" {
		t.Errorf("the variables are %s", got)
	}
	evaluator := require.Value(policy.NewEvaluator(policy.DefaultChecks(), nil))(t)
	for _, result := range evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, &job.Spec.Template.ObjectMeta, &pod) {
		if !result.Allowed {
			t.Errorf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
		}
	}
	if uid, ok := ResolveOf(job); !ok || uid != image.UID || job.Namespace != "team" || job.Labels[v1alpha1.LabelResolve] != "web" || job.Labels[v1alpha1.LabelImage] != "" {
		t.Errorf("the Job is %+v", job.ObjectMeta)
	}
	if _, _, ok := Attempt(job); ok {
		t.Error("the Job of a resolve is an attempt at a build")
	}
	if _, ok := ResolveOf(mustRender(t, build, 1, mockBuilder)); ok {
		t.Error("the Job of a build is a resolve")
	}
	if _, err := ResolveJob(image, build, time.Unix(1, 0), inputs.Builder{}); err == nil || !strings.Contains(err.Error(), "the builder has no image") {
		t.Errorf("error is %v", err)
	}
}

// A script of a source can install packages, so the builder needs the files. Only the fetcher reads the Secret.
func TestAResolveFetchesTheSource(t *testing.T) {
	image, build := resolvable()
	build.Spec.Inputs.Source, build.Status.Resolved.Source = sourcedBuild().Spec.Inputs.Source, sourcedBuild().Status.Resolved.Source
	build.Spec.Inputs.Output = sourcedBuild().Spec.Inputs.Output
	builder := inputs.Builder{Image: "builder", Publisher: inputs.Publisher{Image: "controller"}}
	job := require.Value(ResolveJob(image, build, time.Unix(1, 0), builder))(t)
	pod := &job.Spec.Template.Spec
	if got := secretsOf(pod); got != "source-secret=git" {
		t.Errorf("the Secrets are %q", got)
	}
	if got := mountsOf(pod, sourceSecretVolume); got != "fetcher /goldsmith/source-secret (read-only)" {
		t.Errorf("the Secret is mounted as %q", got)
	}
	if got := mountsOf(pod, sourceVolume); got != "fetcher /goldsmith/source, builder /goldsmith/source (read-only)" {
		t.Errorf("the files are mounted as %q", got)
	}
	volumes := map[string]bool{}
	for i := range pod.Volumes {
		volumes[pod.Volumes[i].Name] = true
	}
	for _, container := range append(pod.InitContainers, pod.Containers...) {
		for _, mount := range container.VolumeMounts {
			if !volumes[mount.Name] {
				t.Errorf("%s mounts the volume %s, which the pod lacks", container.Name, mount.Name)
			}
		}
	}
	builder.Publisher = inputs.Publisher{Agent: true}
	if own := require.Value(ResolveJob(image, build, time.Unix(1, 0), builder))(t).Spec.Template.Spec.InitContainers; len(own) > 0 {
		t.Errorf("for an agent, the pod has %v", own)
	}
	builder.Publisher = inputs.Publisher{}
	if _, err := ResolveJob(image, build, time.Unix(1, 0), builder); err == nil || !strings.Contains(err.Error(), "the operator sets --publisher-image") {
		t.Errorf("without a publisher: %v", err)
	}
}

func TestEachResolveHasAJobOfItsOwn(t *testing.T) {
	known := map[string]bool{}
	add := func(seconds int64, change func(*v1alpha1.Image, *v1alpha1.ImageBuild)) {
		image, build := resolvable()
		change(image, build)
		name := ResolveJobName(image, build, time.Unix(seconds, 0))
		if problems := append(validation.IsDNS1123Subdomain(name), validation.IsValidLabelValue(name)...); len(problems) > 0 || known[name] {
			t.Errorf("%q is known (%t) or invalid: %v", name, known[name], problems)
		}
		known[name] = true
	}
	add(1, func(*v1alpha1.Image, *v1alpha1.ImageBuild) {})
	add(2, func(*v1alpha1.Image, *v1alpha1.ImageBuild) {})
	add(1, func(image *v1alpha1.Image, _ *v1alpha1.ImageBuild) { image.UID = "another" })
	add(1, func(_ *v1alpha1.Image, build *v1alpha1.ImageBuild) { build.UID = "another" })
	add(1, func(image *v1alpha1.Image, _ *v1alpha1.ImageBuild) { image.Name = strings.Repeat("a.", 31) + "a" })
}
