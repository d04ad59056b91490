// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"path"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// PublisherName is the name of the container that publishes the artifacts of the builder.
const PublisherName = "publisher"

// defaultContainer is the annotation with the container that kubectl logs and kubectl exec mean.
const defaultContainer = "kubectl.kubernetes.io/default-container"

// Where the publisher finds what it reads.
const (
	// PublishCommand is the argument with which the program of the publisher's image publishes.
	PublishCommand = "publish"
	// PublishInput is the file with the builder's Input.
	PublishInput = inputDir + "/" + inputFile
	// PublishFiles is the directory with the builder's files.
	PublishFiles = outputDir
	// PublishOutput is the file with the Output.
	PublishOutput = publishDir + "/" + publishOutputFile
	// PublishResult is the file with the builder's result. It is empty until the controller has seen the builder's end.
	PublishResult = publishDir + "/" + publishResultFile
	// PublishSecret is the directory with the Secret of the Output, which is empty if the Secret does not exist.
	PublishSecret = "/goldsmith/registry"
	// PublishMessage is the file that the publisher writes what it found to.
	PublishMessage = resultPath

	publishDir        = "/goldsmith/publish"
	publishOutputFile = "output.json"
	publishResultFile = "result.json"
	publishVolume     = "publish"
	secretVolume      = "registry"
	// RegistryAuthorities is the key of the Secret of an Output with the certificate authorities of the registry, in PEM. Optional.
	RegistryAuthorities = "ca.crt"
	// PlainHTTPFlag is the flag with the registries that are reached without TLS.
	PlainHTTPFlag = "plain-http-registries"
)

// addPublisher lets a pod run its builder first, and then publish what the builder made. A pod whose init container fails ends without
// its other containers, so only a successful builder's files are published. The publisher waits until the controller has annotated the
// pod with the builder's result, which is in the status of the pod only; the kubelet passes on annotations at once (Tekton starts its steps
// so). The builder can read neither the Secret nor the tokens of the publisher, and the publisher cannot change the files.
func addPublisher(pod *corev1.PodSpec, output *v1alpha1.Output, publisher inputs.Publisher) {
	container := ownContainer(PublisherName, PublishCommand, &pod.Containers[0], publisher)
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "output", MountPath: outputDir, ReadOnly: true})
	pod.Volumes = append(pod.Volumes, publisherTokens())
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: attestName, MountPath: attestDir, ReadOnly: true})
	container.VolumeMounts = append(container.VolumeMounts, outputMounts(output)...)
	annotation := func(file, name string) corev1.DownwardAPIVolumeFile {
		return corev1.DownwardAPIVolumeFile{
			Path:     file,
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: fmt.Sprintf("metadata.annotations['%s']", name)},
		}
	}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: publishVolume, VolumeSource: corev1.VolumeSource{
		DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{
			annotation(publishOutputFile, v1alpha1.AnnotationOutput), annotation(publishResultFile, v1alpha1.AnnotationResult),
		}},
	}})
	if secret := output.SecretRef; secret != nil {
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: secretVolume, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{
				SecretName: secret.Name,
				Items:      []corev1.KeyToPath{{Key: corev1.DockerConfigJsonKey, Path: corev1.DockerConfigJsonKey}, {Key: RegistryAuthorities, Path: RegistryAuthorities}},
				Optional:   new(true), // the publisher says what is missing
			},
		}})
	}
	pod.InitContainers, pod.Containers = append(pod.InitContainers, pod.Containers...), []corev1.Container{container}
}

// ownContainer is a container that runs a command of the publisher's image beside a builder. It reads the builder's Input.
func ownContainer(name, command string, builder *corev1.Container, publisher inputs.Publisher) corev1.Container {
	container := corev1.Container{
		Name:                     name,
		Image:                    publisher.Image,
		ImagePullPolicy:          corev1.PullIfNotPresent,
		Args:                     []string{command},
		Resources:                publisherResources(builder.Resources),
		VolumeMounts:             []corev1.VolumeMount{{Name: "input", MountPath: inputDir, ReadOnly: true}},
		TerminationMessagePath:   resultPath,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		SecurityContext:          restricted(),
	}
	allowPlainHTTP(&container, publisher)
	return container
}

func allowPlainHTTP(container *corev1.Container, publisher inputs.Publisher) {
	for _, host := range publisher.PlainHTTP {
		container.Args = append(container.Args, fmt.Sprintf("--%s=%s", PlainHTTPFlag, host))
	}
}

// outputMounts are where a container finds the Output and its Secret. The volumes are those of addPublisher.
func outputMounts(output *v1alpha1.Output) []corev1.VolumeMount {
	mounts := []corev1.VolumeMount{{Name: publishVolume, MountPath: publishDir, ReadOnly: true}}
	if output.SecretRef != nil {
		mounts = append(mounts, corev1.VolumeMount{Name: secretVolume, MountPath: PublishSecret, ReadOnly: true})
	}
	return mounts
}

const (
	// publisherMemory is how much memory a publisher needs at most, and a fetcher without a source.
	publisherMemory = 128 << 20
	// sourceMemory is how much memory a fetcher needs at most for a source: package source tells for what.
	sourceMemory = 256 << 20
)

// publisherResources are those of the builder, of which a publisher or a fetcher needs less, except memory: a pod needs the most that one
// of its phases needs, so most of them add nothing to their pods.
func publisherResources(builder corev1.ResourceRequirements) corev1.ResourceRequirements {
	resources := *builder.DeepCopy()
	raiseMemory(resources.Limits, publisherMemory)
	return resources
}

// raiseMemory raises a limit of memory to what is needed.
func raiseMemory(limits corev1.ResourceList, needed int64) {
	if limit, limited := limits[corev1.ResourceMemory]; limited && limit.CmpInt64(needed) < 0 {
		limits[corev1.ResourceMemory] = *resource.NewQuantity(needed, resource.BinarySI)
	}
}

// Publishes reports whether a pod publishes what its builder made. The pod may be cached after KeepFingerprint, and has a status.
func Publishes(pod *corev1.Pod) bool {
	return status(pod.Status.InitContainerStatuses, ContainerName) != nil
}

// BuilderStatus returns the status of the builder's container; nil if the kubelet has reported none.
func BuilderStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	if found := status(pod.Status.ContainerStatuses, ContainerName); found != nil {
		return found
	}
	return status(pod.Status.InitContainerStatuses, ContainerName)
}

// PublisherStatus returns the status of the publisher's container; nil if the kubelet has reported none.
func PublisherStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	return status(pod.Status.ContainerStatuses, PublisherName)
}

func status(statuses []corev1.ContainerStatus, name string) *corev1.ContainerStatus {
	for i := range statuses {
		if statuses[i].Name == name {
			return &statuses[i]
		}
	}
	return nil
}

// SecretFile returns the path, for a publisher, of a key of the Secret of an Output.
func SecretFile(key string) string { return path.Join(PublishSecret, key) }
