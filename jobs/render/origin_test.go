// SPDX-License-Identifier: Apache-2.0

package render

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

func TestAJobOfOtherPodsIsNotTheSame(t *testing.T) {
	rendered := mustRender(t, templateBuild(), 1, mockBuilder)
	for name, test := range map[string]struct {
		same   bool
		change func(*batchv1.Job)
	}{
		"nothing": {true, func(*batchv1.Job) {}},
		"the identity of the Job": {true, func(job *batchv1.Job) {
			job.Name, job.UID = "other", "other"
			job.Spec.Template.Labels[batchv1.JobNameLabel], job.Spec.Template.Labels["controller-uid"] = "other", "other"
		}},
		"what Kueue changes": {true, func(job *batchv1.Job) {
			job.Spec.Suspend = new(false)
			job.Spec.Template.Labels["kueue.x-k8s.io/podset"], job.Spec.Template.Annotations["kueue.x-k8s.io/workload"] = "main", "w"
			job.Spec.Template.Spec.NodeSelector, job.Spec.Template.Spec.Tolerations = map[string]string{"pool": "a"}, nil
			job.Spec.Template.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "kueue.x-k8s.io/topology"}}
		}},
		"the input":                      {false, func(job *batchv1.Job) { job.Spec.Template.Annotations[v1alpha1.AnnotationInput] = "{}" }},
		"an annotation for a webhook":    {false, func(job *batchv1.Job) { job.Spec.Template.Annotations["inject.example.com/agent"] = "true" }},
		"the image":                      {false, func(job *batchv1.Job) { job.Spec.Template.Spec.Containers[0].Image = "mine:1" }},
		"another container":              {false, addContainer},
		"another attempt":                {false, func(job *batchv1.Job) { job.Spec.BackoffLimit = new(int32(1)) }},
		"a selector of other Jobs' pods": {false, func(job *batchv1.Job) { job.Spec.ManualSelector = new(true) }},
	} {
		t.Run(name, func(t *testing.T) {
			found := rendered.DeepCopy()
			test.change(found)
			if got := SameJob(found, rendered); got != test.same {
				t.Errorf("the same: %v", got)
			}
		})
	}
}

func TestAPodThatDoesNotFetchOrPublishLikeItsJobDeviates(t *testing.T) {
	job := mustRender(t, fetchingBuild(), 1, inputs.Builder{Image: "builder:1", Publisher: inputs.Publisher{Image: "controller:1"}})
	for name, test := range map[string]struct {
		want   string
		change func(pod *corev1.Pod)
	}{
		"nothing":     {"", func(*corev1.Pod) {}},
		"the result":  {"", func(pod *corev1.Pod) { pod.Annotations[v1alpha1.AnnotationResult] = "{}" }},
		"the builder": {`image is "mine:1", and "builder:1" in its Job`, func(pod *corev1.Pod) { pod.Spec.InitContainers[1].Image = "mine:1" }},
		"no builder":  {"image is not that of its Job", func(pod *corev1.Pod) { pod.Spec.InitContainers = pod.Spec.InitContainers[:1] }},
		"the fetcher": {"fetcher image is not that of its Job", func(pod *corev1.Pod) { pod.Spec.InitContainers[0].Image = "mine:1" }},
		"no fetcher":  {"fetcher image is not that of its Job", func(pod *corev1.Pod) { pod.Spec.InitContainers = pod.Spec.InitContainers[1:] }},
		"the base": {`fetcher volumeMount "/goldsmith/base" is not that of its Job`, func(pod *corev1.Pod) {
			for i := range pod.Spec.Volumes {
				if pod.Spec.Volumes[i].Name == baseVolume {
					pod.Spec.Volumes[i].VolumeSource = corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}
				}
			}
		}},
		"the publisher": {"publisher image is not that of its Job", func(pod *corev1.Pod) { pod.Spec.Containers[0].Image = "mine:1" }},
		"the repository": {"annotation images.goldsmith.dev/output is not that of its Job", func(pod *corev1.Pod) {
			pod.Annotations[v1alpha1.AnnotationOutput] = "{}"
		}},
		"the Secret of the publisher": {`publisher volumeMount "/goldsmith/registry" is not that of its Job`, func(pod *corev1.Pod) {
			mounts := pod.Spec.Containers[0].VolumeMounts
			mounts[len(mounts)-1].Name = "mine"
		}},
		"the Secret": {`fetcher volumeMount "/goldsmith/registry" is not that of its Job`, func(pod *corev1.Pod) {
			pod.Spec.Volumes[len(pod.Spec.Volumes)-1].Secret.SecretName = "mine"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			template := job.DeepCopy().Spec.Template
			pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
			test.change(pod)
			if got := Deviation(job, pod); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func addContainer(job *batchv1.Job) {
	job.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "mine:1"}}
}

// TestAPodThatDoesNotRunItsJobDeviates compares objects as the API has them, and as caches keep them.
func TestAPodThatDoesNotRunItsJobDeviates(t *testing.T) {
	job := mustRender(t, templateBuild(), 1, inputs.Builder{Image: "builder:1", Command: []string{"/build"}, Reports: true})
	own := job.Spec.Template.Spec.Containers[0].Env[0]
	const differs = " is not that of its Job"
	for name, test := range map[string]struct {
		want   string
		change func(pod *corev1.Pod, builder *corev1.Container)
	}{
		"nothing": {"", func(*corev1.Pod, *corev1.Container) {}},
		"what admission adds": {"", func(pod *corev1.Pod, builder *corev1.Container) {
			pod.Annotations["sidecar.example.com/status"], pod.Spec.NodeName, pod.Spec.Priority = "injected", "node", new(int32(7))
			pod.Spec.ServiceAccountName = "default"
			pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{Key: corev1.TaintNodeMemoryPressure})
			pod.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "proxy:1"}}
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "token"})
			builder.VolumeMounts = append(builder.VolumeMounts, corev1.VolumeMount{Name: "token", MountPath: "/var/run/secrets/cloud"})
			builder.Env = append([]corev1.EnvVar{{Name: "HTTP_PROXY", Value: "proxy"}}, builder.Env...)
			builder.ImagePullPolicy = corev1.PullAlways
			builder.Resources.Limits = corev1.ResourceList{}
			pod.Spec.Containers = append([]corev1.Container{{Name: "proxy", Image: "proxy:1"}}, pod.Spec.Containers...)
		}},
		"a lower deadline": {"", func(pod *corev1.Pod, _ *corev1.Container) { pod.Spec.ActiveDeadlineSeconds = new(int64(1)) }},
		"input":            {inputPart + differs, func(pod *corev1.Pod, _ *corev1.Container) { delete(pod.Annotations, v1alpha1.AnnotationInput) }},
		"a forged digest": {inputPart + differs, func(pod *corev1.Pod, _ *corev1.Container) {
			pod.Annotations[v1alpha1.AnnotationInput] = fingerprint(&job.ObjectMeta, &job.Spec.Template)
		}},
		"restarts": {"restartPolicy" + differs, func(pod *corev1.Pod, _ *corev1.Container) { pod.Spec.RestartPolicy = corev1.RestartPolicyAlways }},
		"image":    {`image is "mine:1", and "builder:1" in its Job`, func(_ *corev1.Pod, builder *corev1.Container) { builder.Image = "mine:1" }},
		"a long image, cut": {`image is "` + strings.Repeat("a", maxTold-1) + `…, and "builder:1" in its Job`, func(_ *corev1.Pod, builder *corev1.Container) {
			builder.Image = strings.Repeat("a", 2*maxTold)
		}},
		"an image that is a line": {`image is "mine:1\n\timage\t\"builder:1\"", and "builder:1" in its Job`, func(_ *corev1.Pod, builder *corev1.Container) {
			builder.Image = "mine:1\n\timage\t\"builder:1\""
		}},
		"no builder":  {"image" + differs, func(_ *corev1.Pod, builder *corev1.Container) { builder.Name = "other" }},
		"command":     {`command is ["sh"], and ["/build"] in its Job`, func(_ *corev1.Pod, builder *corev1.Container) { builder.Command = []string{"sh"} }},
		"arguments":   {`args is ["-c"], and [] in its Job`, func(_ *corev1.Pod, builder *corev1.Container) { builder.Args = []string{"-c"} }},
		"sources":     {"another field of the container" + differs, func(_ *corev1.Pod, builder *corev1.Container) { builder.EnvFrom = []corev1.EnvFromSource{{}} }},
		"a hook":      {"another field of the container" + differs, func(_ *corev1.Pod, builder *corev1.Container) { builder.Lifecycle = &corev1.Lifecycle{} }},
		"no variable": {`env "GOLDSMITH_INPUT"` + differs, func(_ *corev1.Pod, builder *corev1.Container) { builder.Env = builder.Env[1:] }},
		"a later one": {`env "GOLDSMITH_INPUT"` + differs, func(_ *corev1.Pod, builder *corev1.Container) {
			builder.Env = append(builder.Env, corev1.EnvVar{Name: own.Name})
		}},
		"other volume": {`volumeMount "/goldsmith/input"` + differs, func(pod *corev1.Pod, _ *corev1.Container) { pod.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{} }},
		"other file": {`volumeMount "/goldsmith/input"` + differs, func(_ *corev1.Pod, builder *corev1.Container) {
			builder.VolumeMounts = append(builder.VolumeMounts, corev1.VolumeMount{Name: "mine", MountPath: "/goldsmith/input/input.json"})
		}},
		"other file, by another path": {`volumeMount "/goldsmith/input"` + differs, func(_ *corev1.Pod, builder *corev1.Container) {
			builder.VolumeMounts = append(builder.VolumeMounts, corev1.VolumeMount{Name: "mine", MountPath: "goldsmith//input/../input/"})
		}},
		"a name of several lines": {`image is "mine:1", and "builder:1" in its Job`, func(_ *corev1.Pod, builder *corev1.Container) {
			for part := range strings.SplitSeq(fingerprint(&job.ObjectMeta, &job.Spec.Template), "\n") {
				builder.Env = append(builder.Env, corev1.EnvVar{Name: "x\n" + part + "\nx"})
			}
			builder.Image = "mine:1"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			job := job.DeepCopy()
			template := job.DeepCopy().Spec.Template
			pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
			test.change(pod, &pod.Spec.Containers[0])
			if got := Deviation(job, pod); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			for range 2 { // a cache may get an object twice
				KeepFingerprint(job)
				KeepFingerprint(pod)
				job.Spec.Template, pod.Spec = corev1.PodTemplateSpec{}, corev1.PodSpec{}
				delete(pod.Annotations, v1alpha1.AnnotationInput)
			}
			if got := Deviation(job, pod); got != test.want {
				t.Errorf("in the cache, got %q, want %q", got, test.want)
			}
		})
	}
}
