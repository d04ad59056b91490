// SPDX-License-Identifier: Apache-2.0

package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// SourceCheckLimit is how long the check of a source may take, with the start of its pod.
const SourceCheckLimit = 5 * time.Minute

// MaxSourceChecks is how many checks of sources run at the same time, and MaxSourceChecksOfNamespace how many of them in one namespace.
const (
	MaxSourceChecks            = 20
	MaxSourceChecksOfNamespace = 5
)

// Where the fetcher writes the files of a source, and where it and a check find the Secret of the source.
const (
	// SourceFiles is the directory for the files of the source.
	SourceFiles = "/goldsmith/source"
	// SourceSecret is the directory with the Secret of the source, which is empty if the Secret does not exist.
	SourceSecret = "/goldsmith/source-secret"
	// CheckSourceCommand is the argument with which the program of the publisher's image finds out what a source names.
	CheckSourceCommand = "check-source"
	// AllowedNetworksFlag is the flag with the networks of sources that are reached although they are loopback or link-local.
	AllowedNetworksFlag = "source-allowed-networks"

	sourceVolume       = "source"
	sourceSecretVolume = "source-secret"
)

// sourceOf returns what the source of a build resolved to, or nil.
func sourceOf(build *v1alpha1.ImageBuild) *v1alpha1.SourceRevision {
	if build.Status.Resolved == nil {
		return nil
	}
	return build.Status.Resolved.Source
}

// inputSource describes a source for a builder or a fetcher. It is nil for a source that the API has.
func inputSource(source *v1alpha1.Source, resolved *v1alpha1.SourceRevision) *InputSource {
	if !inputs.Checked(source) {
		return nil
	}
	input := &InputSource{}
	if git := source.Git; git != nil {
		input.URL, input.Ref, input.Path = git.URL, git.Ref, git.Path
	} else {
		input.OCI, input.URL, input.Ref = true, source.OCI.Repository, source.OCI.Tag
	}
	if secret := inputs.SecretOf(source); secret != nil {
		input.Secret = secret.Name
	}
	if resolved != nil {
		input.Revision = resolved.Revision
	}
	return input
}

// fetchesSource reports whether the pod of an attempt fetches the files of the source. Tests do not need them.
func fetchesSource(build *v1alpha1.ImageBuild, attempt int32) bool {
	return inputs.Checked(build.Spec.Inputs.Source) && len(testsOf(build, attempt)) == 0
}

// mountSourceSecret lets a container read the Secret of a source, and no other container of the pod.
func mountSourceSecret(pod *corev1.PodSpec, container *corev1.Container, source *v1alpha1.Source) {
	secret := inputs.SecretOf(source)
	if secret == nil {
		return
	}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: sourceSecretVolume, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: secret.Name, Optional: new(true)}, // the program says what is missing
	}})
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: sourceSecretVolume, MountPath: SourceSecret, ReadOnly: true})
}

// reachSource gives a container the networks and the proxies by which it reaches a source.
func reachSource(container *corev1.Container, publisher inputs.Publisher) {
	for _, network := range publisher.AllowedNetworks {
		container.Args = append(container.Args, fmt.Sprintf("--%s=%s", AllowedNetworksFlag, network))
	}
	container.Env = append(container.Env, publisher.Proxy...)
}

// SourceJobName is the name of the Job of the current check of the source of an Image, of at most 63 characters. It depends on the start of the check,
// because the numbers begin again with another status.source.
func SourceJobName(image *v1alpha1.Image) string {
	check := image.Status.Source
	var started int64
	if check.StartTime != nil {
		started = check.StartTime.Unix()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d/%d", image.UID, check.Question, check.Checks, started))
	return cutName(image.Name, fmt.Sprintf("-source-%d-%s", check.Checks, hex.EncodeToString(sum[:])[:hashLen]))
}

// RunsSourceCheck reports whether a check of the present source of an Image runs in the Job of a name. The controller stores that before it creates the Job.
func RunsSourceCheck(image *v1alpha1.Image, job string) bool {
	check := image.Status.Source
	return check != nil && check.Ended < check.Checks && inputs.Checked(image.Spec.Source) && inputs.Question(image.Spec.Source) == check.Question &&
		SourceJobName(image) == job
}

// SourceJob renders the current check of the source of an Image, in its namespace, with the Secret of the source. checker is what runs it. The pod is
// placed as those of the builds are. It has their service account, whose Secrets pull its image, but neither a token nor their variables. The input has
// what inputs.Question compares, so that an edit of another field does not change a check that runs.
func SourceJob(image *v1alpha1.Image, checker inputs.Builder) (*batchv1.Job, error) {
	if checker.Image == "" {
		return nil, fmt.Errorf("render Job %s/%s: this controller cannot check a source: the operator sets --publisher-image", image.Namespace, SourceJobName(image))
	}
	input := &Input{
		Version: InputVersion, Attempt: 1, Files: map[string]string{}, Parameters: map[string]string{}, Targets: []InputTarget{},
		Source: inputSource(image.Spec.Source, nil),
	}
	input.Source.Path = ""
	template := &v1alpha1.BuildTemplate{}
	if of := image.Spec.Template; of != nil {
		template = of.DeepCopy()
		template.Env = nil
	}
	job, err := questionJob(metav1.ObjectMeta{
		Name:            SourceJobName(image),
		Namespace:       image.Namespace,
		Labels:          map[string]string{v1alpha1.LabelSource: image.Name, v1alpha1.LabelManagedBy: v1alpha1.ManagedBy},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(image, imageKind)},
	}, input, "use a shorter address", template, checker)
	if err != nil {
		return nil, err
	}
	pod := &job.Spec.Template.Spec
	pod.ActiveDeadlineSeconds = new(wholeSeconds(SourceCheckLimit))
	container := &pod.Containers[0]
	container.Resources = checkResources(template.Resources.Kubernetes())
	if !checker.Publisher.Agent { // whose program has its arguments
		container.Args = []string{CheckSourceCommand}
		reachSource(container, checker.Publisher)
		allowPlainHTTP(container, checker.Publisher)
	}
	mountSourceSecret(pod, container, image.Spec.Source)
	return job, nil
}

// checkResources returns the resources of a check: an amount for each resource of a template that a quota can demand, but little, because checks run
// often. The memory is what the template requests, within limits: a LimitRange may demand more than a check needs.
func checkResources(template corev1.ResourceRequirements) corev1.ResourceRequirements {
	memory := *resource.NewQuantity(publisherMemory, resource.BinarySI)
	for _, amounts := range []corev1.ResourceList{template.Requests, template.Limits} { // a limit is the default of a request
		if amount, set := amounts[corev1.ResourceMemory]; set {
			if amount.Cmp(memory) > 0 {
				memory = smaller(amount, resource.MustParse("512Mi"))
			}
			break
		}
	}
	requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: memory}
	limits := corev1.ResourceList{corev1.ResourceMemory: memory}
	for name, most := range map[corev1.ResourceName]resource.Quantity{
		corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceEphemeralStorage: resource.MustParse("100Mi"),
	} {
		if limit, limited := template.Limits[name]; limited {
			limits[name] = smaller(limit, most)
		}
		for _, amounts := range []corev1.ResourceList{template.Requests, limits} {
			if amount, set := amounts[name]; set {
				if request, requested := requests[name]; requested {
					most = request
				}
				requests[name] = smaller(amount, most)
			}
		}
	}
	return corev1.ResourceRequirements{Limits: limits, Requests: requests}
}

func smaller(a, b resource.Quantity) resource.Quantity {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

// SourceCheckOf returns the Image whose source a Job checks. ok is false for any other Job.
func SourceCheckOf(job *batchv1.Job) (imageUID types.UID, ok bool) {
	if job.Labels[v1alpha1.LabelSource] == "" {
		return "", false
	}
	return controlledBy(job, imageKind)
}
