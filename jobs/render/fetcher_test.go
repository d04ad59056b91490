// SPDX-License-Identifier: Apache-2.0

package render

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// mountsOf lists the containers that mount a volume, such as "fetcher /goldsmith/source, builder /goldsmith/source (read-only)".
func mountsOf(pod *corev1.PodSpec, volume string) string {
	var found []string
	for _, container := range append(append([]corev1.Container{}, pod.InitContainers...), pod.Containers...) {
		for _, mount := range container.VolumeMounts {
			if mount.Name != volume {
				continue
			}
			text := container.Name + " " + mount.MountPath
			if mount.ReadOnly {
				text += " (read-only)"
			}
			found = append(found, text)
		}
	}
	return strings.Join(found, ", ")
}

// secretsOf lists the volumes of a pod with Secrets, each as VOLUME=SECRET.
func secretsOf(pod *corev1.PodSpec) string {
	var found []string
	for i := range pod.Volumes {
		if secret := pod.Volumes[i].Secret; secret != nil {
			found = append(found, pod.Volumes[i].Name+"="+secret.SecretName)
		}
	}
	return strings.Join(found, " ")
}

// Only the fetcher reads the Secret of a source, and only the fetcher writes the files.
func TestOnlyTheFetcherReadsTheSecretOfASource(t *testing.T) {
	const fetcherReads, filesOfBoth = "fetcher /goldsmith/source-secret (read-only)", "fetcher /goldsmith/source, builder /goldsmith/source (read-only)"
	public, artifact, inline := withoutOutput(sourcedBuild()), withoutOutput(sourcedBuild()), withoutOutput(sourcedBuild())
	public.Spec.Inputs.Source.Git.SecretRef = nil
	artifact.Spec.Inputs.Source = &v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: "registry.lan:5000/team/web", SecretRef: &v1alpha1.SecretReference{Name: "pull"}}}
	inline.Spec.Inputs.Source = &v1alpha1.Source{Inline: &v1alpha1.InlineSource{Files: map[string]string{"a": "b"}}}
	tested := testedBuild()
	tested.Spec.Inputs.Source, tested.Status.Resolved = sourcedBuild().Spec.Inputs.Source, sourcedBuild().Status.Resolved

	for name, test := range map[string]struct {
		build                   *v1alpha1.ImageBuild
		attempt                 int32
		agent                   bool
		secrets, reads, mounted string
	}{
		"that publishes":           {build: sourcedBuild(), secrets: "source-secret=git registry=registry", reads: fetcherReads, mounted: filesOfBoth},
		"that does not publish":    {build: withoutOutput(sourcedBuild()), secrets: "source-secret=git", reads: fetcherReads, mounted: filesOfBoth},
		"of an artifact":           {build: artifact, secrets: "source-secret=pull", reads: fetcherReads, mounted: filesOfBoth},
		"of a public repository":   {build: public, mounted: filesOfBoth},
		"with files of the API":    {build: inline},
		"of an agent":              {build: sourcedBuild(), agent: true},
		"that tests what was made": {build: tested, attempt: 2, secrets: "registry=registry"},
	} {
		t.Run(name, func(t *testing.T) {
			job := mustRender(t, test.build, max(test.attempt, 1), inputs.Builder{Image: "builder", Publisher: inputs.Publisher{Image: "controller", Agent: test.agent}})
			pod := &job.Spec.Template.Spec
			if got := secretsOf(pod); got != test.secrets {
				t.Errorf("the Secrets are %q, want %q", got, test.secrets)
			}
			if got := mountsOf(pod, sourceSecretVolume); got != test.reads {
				t.Errorf("the Secret is mounted as %q, want %q", got, test.reads)
			}
			if got := mountsOf(pod, sourceVolume); got != test.mounted {
				t.Errorf("the files are mounted as %q, want %q", got, test.mounted)
			}
			var directory string
			for _, container := range append(pod.InitContainers, pod.Containers...) {
				for _, variable := range container.Env {
					if container.Name == ContainerName && variable.Name == EnvSource {
						directory = variable.Value
					}
				}
			}
			if (directory == SourceFiles) != (test.mounted != "") {
				t.Errorf("$%s is %q", EnvSource, directory)
			}
			if got := HasOwnContainers(test.build, max(test.attempt, 1)); !test.agent && got != (len(pod.InitContainers) > 0) {
				t.Errorf("the pod has containers of Goldsmith: %t", got)
			}
		})
	}
}

// A builder can have less memory than the fetch of a source needs.
func TestAFetcherHasTheMemoryForASource(t *testing.T) {
	for limit, want := range map[string]string{"64Mi": "256Mi", "1Gi": "1Gi", "": "0"} {
		build := withoutOutput(sourcedBuild())
		build.Spec.Inputs.Template.Resources = &v1alpha1.ResourceRequirements{}
		if limit != "" {
			build.Spec.Inputs.Template.Resources.Limits = quantities("memory", limit)
		}
		pod := mustRender(t, build, 1, inputs.Builder{Image: "builder", Publisher: inputs.Publisher{Image: "controller"}}).Spec.Template.Spec
		if got := pod.InitContainers[0].Resources.Limits.Memory().String(); got != want {
			t.Errorf("of a builder with %q, the fetcher has %s, want %s", limit, got, want)
		}
	}
}

// Two refs that name one commit give a builder the same input but for the ref, and what is known of the commit besides is not in it.
func TestTheInputOfASource(t *testing.T) {
	build := sourcedBuild()
	input := require.Value(ParseInput([]byte(inputOf(mustRender(t, build, 1, inputs.Builder{Image: "builder", Publisher: inputs.Publisher{Agent: true}})))))(t)
	want := InputSource{
		URL: "https://git.example.com/team/images.git", Ref: "main", Path: "web", Secret: "git", Revision: "sha1:0123456789abcdef0123456789abcdef01234567",
	}
	if input.Source == nil || *input.Source != want || len(input.Files) > 0 {
		t.Errorf("the source is %+v, and the files are %v", input.Source, input.Files)
	}
}
