// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// ContainerName is the name of the container that runs the builder.
const ContainerName = "builder"

// Where a builder's container finds what the contract promises.
const (
	inputDir  = "/goldsmith/input"
	inputFile = "input.json"
	outputDir = "/goldsmith/output"
	tempDir   = "/tmp"
	// resultPath is the kubelet's default path of the termination message. Every user can write to it, even if the root file
	// system is read-only.
	resultPath = corev1.TerminationMessagePathDefault
)

const (
	// builderUser is the user "nonroot" of distroless images. With it, images whose default user is root can run, too.
	builderUser = 65532
)

// GracePeriod is how long a builder has from SIGTERM to SIGKILL.
const GracePeriod = 30 * time.Second

// podSpec is the pod of an attempt at a build.
func podSpec(build *v1alpha1.ImageBuild, attempt int32, builder inputs.Builder) corev1.PodSpec {
	template := build.Spec.Inputs.Template
	if template == nil {
		template = &v1alpha1.BuildTemplate{}
	}
	pod := builderPod(builder, template, RunLimit(build, attempt))
	pod.Containers[0].Resources = testResources(pod.Containers[0].Resources, testsOf(build, attempt))
	place(&pod, builder.Placement)
	if builder.Reports {
		addReports(&pod, build)
	}
	if !builder.Publisher.Agent {
		addFetcher(&pod, build, attempt, builder.Publisher)
	}
	pod.Containers[0].Env = append(pod.Containers[0].Env, templateVariables(template)...)
	if output := build.Spec.Inputs.Output; output != nil && !builder.Publisher.Agent {
		addPublisher(&pod, output, builder.Publisher)
	}
	return pod
}

// builderPod is a pod with a builder that may run for a time. It meets the restricted Pod Security Standard, whatever the template sets. The
// namespace and the cluster set the defaults of the other fields.
func builderPod(builder inputs.Builder, template *v1alpha1.BuildTemplate, limit time.Duration) corev1.PodSpec {
	return corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		ActiveDeadlineSeconds:         new(wholeSeconds(limit)),
		TerminationGracePeriodSeconds: new(wholeSeconds(GracePeriod)),
		ServiceAccountName:            template.ServiceAccountName,
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   new(true),
			RunAsUser:      new(int64(builderUser)),
			RunAsGroup:     new(int64(builderUser)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		NodeSelector:      maps.Clone(template.NodeSelector),
		Affinity:          template.Affinity.DeepCopy(),
		Tolerations:       tolerations(template),
		RuntimeClassName:  optional(template.RuntimeClassName),
		PriorityClassName: template.PriorityClassName,
		Containers:        []corev1.Container{container(builder, template)},
		Volumes: []corev1.Volume{
			{Name: "input", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
				Items: []corev1.DownwardAPIVolumeFile{{
					Path:     inputFile,
					FieldRef: &corev1.ObjectFieldSelector{FieldPath: fmt.Sprintf("metadata.annotations['%s']", v1alpha1.AnnotationInput)},
				}},
			}}},
			{Name: "output", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		},
	}
}

func container(builder inputs.Builder, template *v1alpha1.BuildTemplate) corev1.Container {
	return corev1.Container{
		Name:            ContainerName,
		Image:           builder.Image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Command:         slices.Clone(builder.Command),
		Env:             contractVariables(),
		Resources:       template.Resources.Kubernetes(),
		VolumeMounts: []corev1.VolumeMount{
			{Name: "input", MountPath: inputDir, ReadOnly: true},
			{Name: "output", MountPath: outputDir},
			{Name: "tmp", MountPath: tempDir},
		},
		TerminationMessagePath:   resultPath,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		SecurityContext:          restricted(),
	}
}

func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// wholeSeconds is a duration in seconds, at least 1, because a deadline of 0 is invalid.
func wholeSeconds(duration time.Duration) int64 {
	return max(1, int64((duration+time.Second-1)/time.Second))
}
