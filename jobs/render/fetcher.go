// SPDX-License-Identifier: Apache-2.0

package render

import (
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// FetcherName is the name of the container that fetches the artifacts of the base, and the files of the source.
const FetcherName = "fetcher"

// Where the fetcher finds what it reads, and writes what it fetches. It reads PublishInput, PublishOutput and PublishSecret, too.
const (
	// FetchCommand is the argument with which the program of the publisher's image fetches.
	FetchCommand = "fetch"
	// FetchFiles is the directory for the artifacts, each at its path of the Input.
	FetchFiles = "/goldsmith/base"
	// FetchMessage is the file for why an artifact could not be fetched.
	FetchMessage = resultPath

	baseVolume = "base"
)

// addFetcher lets a pod fetch the artifacts of its base, and the files of its source, before its builder runs. For the base it uses the Secret of the
// build's own output, whose author may read it, and not that of the base. The builder cannot change the files.
func addFetcher(pod *corev1.PodSpec, build *v1alpha1.ImageBuild, attempt int32, publisher inputs.Publisher) {
	based, sourced := fetches(build, attempt), fetchesSource(build, attempt)
	if !based && !sourced {
		return
	}
	builder := &pod.Containers[0]
	fetcher := ownContainer(FetcherName, FetchCommand, builder, publisher)
	provide := func(volume, path, variable string) {
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
		fetcher.VolumeMounts = append(fetcher.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: path})
		builder.Env = append(builder.Env, corev1.EnvVar{Name: variable, Value: path})
		builder.VolumeMounts = append(builder.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: path, ReadOnly: true})
	}
	if sourced {
		provide(sourceVolume, SourceFiles, EnvSource)
		reachSource(&fetcher, publisher)
		raiseMemory(fetcher.Resources.Limits, sourceMemory)
		mountSourceSecret(pod, &fetcher, build.Spec.Inputs.Source)
	}
	if based {
		provide(baseVolume, FetchFiles, EnvBase)
	}
	if output := build.Spec.Inputs.Output; output != nil {
		fetcher.VolumeMounts = append(fetcher.VolumeMounts, outputMounts(output)...)
	}
	pod.InitContainers = append(pod.InitContainers, fetcher)
}

// HasOwnContainers reports whether the pod of an attempt has containers of Goldsmith besides the builder: a fetcher or a publisher. It has none
// where an agent runs the builder.
func HasOwnContainers(build *v1alpha1.ImageBuild, attempt int32) bool {
	return build.Spec.Inputs.Output != nil || fetches(build, attempt) || fetchesSource(build, attempt)
}

// fetches reports whether the pod of an attempt fetches the artifacts that it starts from.
func fetches(build *v1alpha1.ImageBuild, attempt int32) bool {
	basis := basisOf(build, attempt)
	if basis == nil {
		return false
	}
	tests := testsOf(build, attempt)
	for i := range basis.Artifacts {
		if inputs.Published(&basis.Artifacts[i]) && reads(tests, &basis.Artifacts[i]) {
			return true
		}
	}
	return false
}

// Published reports what inputs.Published reports about the artifact.
func (a *InputArtifact) Published() bool {
	return a.Path != "" && inputs.PublishedAt(a.Location, a.MediaType)
}

// basePath is the path at which a builder finds an artifact of its base, such as linux-amd64.raw. It is empty if neither the agent nor the
// fetcher of a pod provides the artifact.
func basePath(artifact *v1alpha1.Artifact, agent bool) string {
	if artifact.Verified != v1alpha1.ArtifactVerifiedContent || !agent && !inputs.Published(artifact) {
		return ""
	}
	platform, format := path.Split(artifact.Target)
	return strings.ReplaceAll(strings.Trim(platform, "/"), "/", "-") + "." + format
}

// FetcherStatus returns the status of the fetcher's container; nil if the pod has none, or the kubelet has reported none.
func FetcherStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	return status(pod.Status.InitContainerStatuses, FetcherName)
}
