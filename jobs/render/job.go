// SPDX-License-Identifier: Apache-2.0

package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

const (
	// maxBuildNameLen and hashLen keep a Job's name, which is a label value of its pods, at 63 characters.
	maxBuildNameLen = 55
	hashLen         = 7
)

var buildKind = v1alpha1.Kind("ImageBuild")

// JobName is the name of the Job of one attempt, of at most 63 characters. It depends on the name and UID of the build, and on the
// attempt.
func JobName(build *v1alpha1.ImageBuild, attempt int32) string {
	sum := sha256.Sum256([]byte(string(build.UID) + "/" + strconv.Itoa(int(attempt))))
	name := build.Name
	if len(name) > maxBuildNameLen {
		name = strings.TrimRight(name[:maxBuildNameLen], "-.")
	}
	return name + "-" + hex.EncodeToString(sum[:])[:hashLen]
}

// Job renders one attempt at a build, to be run by builder. It fails where the build's inputs are not resolved or are
// larger than MaxInputBytes, and where builder has no image.
func Job(build *v1alpha1.ImageBuild, attempt int32, builder inputs.Builder) (*batchv1.Job, error) {
	name := JobName(build, attempt)
	if builder.Image == "" {
		return nil, fmt.Errorf("render Job %s/%s: the builder has no image", build.Namespace, name)
	}
	input, err := encodeInput(build, attempt, builder.Publisher.Agent)
	if err != nil {
		return nil, fmt.Errorf("render Job %s/%s: %w", build.Namespace, name, err)
	}
	output, err := encodeOutput(build, attempt)
	if err != nil {
		return nil, fmt.Errorf("render Job %s/%s: %w", build.Namespace, name, err)
	}
	annotations := map[string]string{v1alpha1.AnnotationInput: input}
	if output != "" {
		annotations[v1alpha1.AnnotationOutput] = output
	}
	if HasOwnContainers(build, attempt) && !builder.Publisher.Agent {
		annotations[defaultContainer] = ContainerName
		if builder.Publisher.Image == "" {
			return nil, fmt.Errorf("render Job %s/%s: this controller cannot fetch a base or publish: the operator sets --publisher-image", build.Namespace, name)
		}
	}
	build = build.DeepCopy()
	v1alpha1.SetObjectDefaults_ImageBuild(build)

	job := newJob(metav1.ObjectMeta{
		Name:            name,
		Namespace:       build.Namespace,
		Labels:          jobLabels(build, attempt),
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(build, buildKind)},
	}, annotations, podSpec(build, attempt, builder))
	if template := build.Spec.Inputs.Template; template != nil && template.QueueName != "" {
		job.Labels[v1alpha1.LabelKueueQueue] = template.QueueName
		job.Spec.Suspend = new(true) // Kueue resumes what it admits
	}
	return job, nil
}

// newJob returns a Job that runs a pod, whose labels are those of the Job.
func newJob(meta metav1.ObjectMeta, annotations map[string]string, pod corev1.PodSpec) *batchv1.Job {
	return &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: batchv1.SchemeGroupVersion.String(), Kind: "Job"},
		ObjectMeta: meta,
		// One pod only: the controller counts the attempts. The pod has the deadline, because the deadline of a Job deletes its
		// pods with their logs. There is no ttlSecondsAfterFinished, which could delete the Job before its outcome is read.
		Spec: batchv1.JobSpec{
			Completions:  new(int32(1)),
			Parallelism:  new(int32(1)),
			BackoffLimit: new(int32(0)),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: maps.Clone(meta.Labels), Annotations: annotations},
				Spec:       pod,
			},
		},
	}
}

func jobLabels(build *v1alpha1.ImageBuild, attempt int32) map[string]string {
	labels := map[string]string{
		v1alpha1.LabelBuild:     build.Name,
		v1alpha1.LabelAttempt:   strconv.Itoa(int(attempt)),
		v1alpha1.LabelManagedBy: v1alpha1.ManagedBy,
	}
	if build.Spec.ImageRef != nil {
		labels[v1alpha1.LabelImage] = build.Spec.ImageRef.Name
	}
	return labels
}

// Attempt returns the build and the attempt that a Job belongs to. ok is false for a Job that no ImageBuild controls, or without a
// valid attempt label.
func Attempt(job *batchv1.Job) (buildUID types.UID, attempt int32, ok bool) {
	buildUID, ok = controlledBy(job, buildKind)
	if !ok {
		return "", 0, false
	}
	number, err := strconv.ParseInt(job.Labels[v1alpha1.LabelAttempt], 10, 32)
	if err != nil || number < 1 {
		return "", 0, false
	}
	return buildUID, int32(number), true
}

// controlledBy returns the UID of the object that controls a Job, if it is of a kind.
func controlledBy(job *batchv1.Job, kind schema.GroupVersionKind) (types.UID, bool) {
	owner := metav1.GetControllerOf(job)
	if owner == nil || owner.Kind != kind.Kind {
		return "", false
	}
	if version, err := schema.ParseGroupVersion(owner.APIVersion); err != nil || version.Group != kind.Group {
		return "", false
	}
	return owner.UID, true
}
