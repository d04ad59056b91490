// SPDX-License-Identifier: Apache-2.0

package render

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// fingerprintKey is the annotation with the fingerprint of a cached Job or pod. No API accepts a key with a space, so only
// KeepFingerprint can have set it.
const fingerprintKey = "goldsmith.dev fingerprint"

const (
	// inputPart is the name of the input in a fingerprint.
	inputPart = "annotation " + v1alpha1.AnnotationInput
	// separator ends the name of a part. Quoted text contains none.
	separator = "\t"
	// maxTold is the maximum length of a value that is readable in a fingerprint. A reference with a digest fits.
	maxTold = 160
)

// readableParts are the parts of a container whose values are readable in a fingerprint.
var readableParts = []string{"image", "command", "args"}

// SameJob reports whether two Jobs, both as an API server returned them, make the same pods. It ignores what differs between any two
// Jobs, and what Kueue may change: spec.suspend, and the nodeSelector, tolerations, schedulingGates and Kubernetes' own labels and
// annotations of the template.
func SameJob(a, b *batchv1.Job) bool {
	return equality.Semantic.DeepEqual(withoutScheduling(&a.Spec), withoutScheduling(&b.Spec))
}

func withoutScheduling(job *batchv1.JobSpec) *batchv1.JobSpec {
	job = job.DeepCopy()
	job.Suspend, job.Selector = nil, nil
	maps.DeleteFunc(job.Template.Labels, ofKubernetes)
	maps.DeleteFunc(job.Template.Annotations, ofKubernetes)
	pod := &job.Template.Spec
	pod.NodeSelector, pod.Tolerations, pod.SchedulingGates = nil, nil, nil
	return job
}

// ofKubernetes reports whether a label or an annotation belongs to Kubernetes or one of its projects. Other annotations may let a webhook
// inject programs.
func ofKubernetes(key, _ string) bool {
	domain, _, _ := strings.Cut("."+key, "/")
	return slices.ContainsFunc([]string{".k8s.io", ".x-k8s.io", ".kubernetes.io"}, func(of string) bool { return strings.HasSuffix(domain, of) }) ||
		key == "controller-uid" || key == "job-name"
}

// Deviation describes a part of a pod that decides the result and differs from the template of the pod's Job. It is empty if there is none.
// It has the values of the builder's image and command, but not those of variables, which may be secret. Both objects may be cached after
// KeepFingerprint. Admission may add containers, volumes, and the variables and mounts of injected programs.
func Deviation(job *batchv1.Job, pod *corev1.Pod) string {
	want, got := fingerprint(&job.ObjectMeta, &job.Spec.Template), fingerprint(&pod.ObjectMeta, templateOf(pod))
	if want == got {
		return ""
	}
	parts := strings.Split(got, "\n")
	for wanted := range strings.SplitSeq(want, "\n") {
		if slices.Contains(parts, wanted) {
			continue
		}
		name, ofJob, _ := strings.Cut(wanted, separator)
		i := slices.IndexFunc(parts, func(part string) bool { return strings.HasPrefix(part, name+separator) })
		if i < 0 || !slices.Contains(readableParts, name) {
			return name + " is not that of its Job"
		}
		ofPod := strings.Split(parts[i], separator)[1]
		ofJob, _, _ = strings.Cut(ofJob, separator)
		return fmt.Sprintf("%s is %s, and %s in its Job", name, ofPod, ofJob)
	}
	return ""
}

// HasInput reports whether a Job, which may be cached after KeepFingerprint, has the input that Job renders. Users can change it while the
// Job is suspended. agent is Publisher.Agent of the builder.
func HasInput(job *batchv1.Job, build *v1alpha1.ImageBuild, attempt int32, agent bool) bool {
	input, err := encodeInput(build, attempt, agent)
	parts := strings.Split(fingerprint(&job.ObjectMeta, &job.Spec.Template), "\n")
	return err == nil && slices.Contains(parts, part(inputPart, input))
}

// KeepFingerprint lets a Job or a pod keep what Deviation compares after the rest of it was dropped.
func KeepFingerprint(object metav1.Object) {
	var value string
	switch o := object.(type) {
	case *batchv1.Job:
		value = fingerprint(&o.ObjectMeta, &o.Spec.Template)
	case *corev1.Pod:
		value = fingerprint(&o.ObjectMeta, templateOf(o))
	}
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[fingerprintKey] = value
	object.SetAnnotations(annotations)
}

func templateOf(pod *corev1.Pod) *corev1.PodTemplateSpec {
	return &corev1.PodTemplateSpec{ObjectMeta: pod.ObjectMeta, Spec: pod.Spec}
}

// fingerprint has a line for each part of a template or a pod that decides the result: its name and a hash. Names that users choose are
// quoted, so that they add no line.
func fingerprint(kept *metav1.ObjectMeta, template *corev1.PodTemplateSpec) string {
	if value, ok := kept.Annotations[fingerprintKey]; ok {
		return value
	}
	var parts []string
	add := func(name string, value any) { parts = append(parts, part(name, value)) }
	add(inputPart, template.Annotations[v1alpha1.AnnotationInput])
	if output, ok := template.Annotations[v1alpha1.AnnotationOutput]; ok {
		add("annotation "+v1alpha1.AnnotationOutput, output)
	}
	add("restartPolicy", template.Spec.RestartPolicy)
	for _, container := range template.Spec.InitContainers {
		switch container.Name {
		case ContainerName:
			parts = append(parts, fingerprintContainer(container, "", template.Spec.Volumes)...)
		case FetcherName:
			parts = append(parts, fingerprintContainer(container, FetcherName+" ", template.Spec.Volumes)...)
		}
	}
	for _, container := range template.Spec.Containers {
		switch container.Name {
		case ContainerName:
			parts = append(parts, fingerprintContainer(container, "", template.Spec.Volumes)...)
		case PublisherName:
			parts = append(parts, fingerprintContainer(container, PublisherName+" ", template.Spec.Volumes)...)
		}
	}
	return strings.Join(parts, "\n")
}

// fingerprintContainer returns the lines of a container, with a prefix.
func fingerprintContainer(container corev1.Container, prefix string, volumes []corev1.Volume) (parts []string) {
	add := func(name string, value any) { parts = append(parts, part(prefix+name, value)) }
	for i, value := range []any{container.Image, container.Command, container.Args} {
		parts = append(parts, prefix+readableParts[i]+separator+readable(value))
	}
	env := map[string][]corev1.EnvVar{} // the last variable of a name is the one that counts
	for _, variable := range container.Env {
		env[variable.Name] = append(env[variable.Name], variable)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		add(fmt.Sprintf("env %q", name), env[name])
	}
	for _, mount := range container.VolumeMounts {
		add(fmt.Sprintf("volumeMount %q", mount.MountPath), mountedAt(path.Join("/", mount.MountPath), &container, volumes))
	}
	container.Image, container.Command, container.Args, container.Env, container.VolumeMounts = "", nil, nil, nil, nil
	// Admission may set these fields of any container.
	container.Resources, container.ResizePolicy, container.ImagePullPolicy, container.SecurityContext = corev1.ResourceRequirements{}, nil, "", nil
	add("another field of the container", container)
	return parts
}

func part(name string, value any) string {
	encoded, _ := json.Marshal(value) // fields of API objects can be encoded
	return name + separator + hash(encoded)
}

// readable returns a quoted value, for people. The end of a long value is replaced by a hash.
func readable(value any) string {
	text := fmt.Sprintf("%q", value)
	if len(text) <= maxTold {
		return text
	}
	return strings.ToValidUTF8(text[:maxTold], "") + "…" + separator + hash([]byte(text))
}

func hash(value []byte) string {
	sum := sha256.Sum256(value)
	return base64.RawStdEncoding.EncodeToString(sum[:16])
}

// mountedAt returns what a container finds at and below a directory. Kubernetes accepts several forms of a path beside each other, and
// mounts all of them.
func mountedAt(directory string, container *corev1.Container, volumes []corev1.Volume) (found []any) {
	for _, mount := range container.VolumeMounts {
		if at := path.Join("/", mount.MountPath); at != directory && !strings.HasPrefix(at, strings.TrimSuffix(directory, "/")+"/") {
			continue
		}
		found = append(found, mount)
		for i := range volumes {
			if volumes[i].Name == mount.Name {
				found = append(found, volumes[i].VolumeSource)
			}
		}
	}
	return found
}
