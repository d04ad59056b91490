// SPDX-License-Identifier: Apache-2.0

package image

import (
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// newBuild is a build of the current Image with the request's parameters. The request's ID, the user and the priority are set
// when the build is created.
func newBuild(image *v1alpha1.Image, number int64, request *v1alpha1.BuildRequest) *v1alpha1.ImageBuild {
	snapshot := image.DeepCopy()
	build := emptyBuild(image, number)
	build.Spec.ImageGeneration = new(image.Generation)
	build.Spec.Trigger = &v1alpha1.BuildTrigger{
		Reason:     request.Reason,
		Message:    request.Message,
		Changes:    slices.Clone(request.Changes),
		Parameters: slices.Clone(request.Parameters),
	}
	if trigger.IsPackageRequest(request.RequestID) {
		build.Spec.Trigger.Packages = snapshot.Status.Packages
	}
	build.Spec.Inputs = snapshot.Spec.BuildInputs
	build.Spec.Inputs.Parameters = merged(snapshot.Spec.Parameters, request.Parameters)
	build.Spec.Timeouts = snapshot.Spec.Timeouts
	build.Spec.Retry = snapshot.Spec.Retry
	build.Spec.Tests = snapshot.Spec.Tests
	return build
}

// rerunBuild is a build with the inputs of an earlier build, and with what they resolved to. Its tests are those that the Image has now. A build
// that only reproduces artifacts has none, and waits for no other build of the Image.
func rerunBuild(image *v1alpha1.Image, number int64, earlier *v1alpha1.ImageBuild, pinned *v1alpha1.PinnedInputs, request *v1alpha1.RerunRequest) *v1alpha1.ImageBuild {
	snapshot := earlier.DeepCopy()
	build := emptyBuild(image, number)
	build.Spec.ImageGeneration = snapshot.Spec.ImageGeneration
	build.Spec.Trigger = &v1alpha1.BuildTrigger{
		Reason:  v1alpha1.TriggerRerun,
		Message: request.Message,
		RerunOf: earlier.Name,
	}
	if snapshot.Spec.Trigger != nil {
		build.Spec.Trigger.Parameters = snapshot.Spec.Trigger.Parameters
	}
	build.Spec.Inputs = snapshot.Spec.Inputs
	build.Spec.Pinned = pinned.DeepCopy()
	build.Spec.Timeouts = snapshot.Spec.Timeouts
	build.Spec.Retry = snapshot.Spec.Retry
	if request.Reproduce {
		build.Spec.Reproduces = attestation.Reproducible(earlier)
		build.Spec.RunPolicy = v1alpha1.RunPolicyParallel
		return build
	}
	build.Spec.Tests = image.DeepCopy().Spec.Tests
	return build
}

// emptyBuild is the common part of all builds of an Image.
func emptyBuild(image *v1alpha1.Image, number int64) *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{
			Name:      trigger.BuildName(image.Name, number),
			Namespace: image.Namespace,
			Labels:    buildLabels(image),
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(image, v1alpha1.Kind("Image")),
			},
		},
		Spec: v1alpha1.ImageBuildSpec{
			ImageRef:  &v1alpha1.ImageReference{Name: image.Name, UID: image.UID},
			Number:    new(number),
			RunPolicy: image.Spec.RunPolicy,
		},
	}
}

// buildLabels copies the labels of an Image for its build. It leaves out the Image's labels of Goldsmith's own domain: a copied
// legal hold would outlast that of the Image, and a user's label must not replace one that Goldsmith sets.
func buildLabels(image *v1alpha1.Image) map[string]string {
	labels := maps.Clone(image.Labels)
	maps.DeleteFunc(labels, func(key, _ string) bool { return strings.HasPrefix(key, v1alpha1.GroupName+"/") })
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelImage] = image.Name
	return labels
}

// merged are the parameters of an Image with those of a request.
func merged(parameters, overrides []v1alpha1.Parameter) []v1alpha1.Parameter {
	if len(overrides) == 0 {
		return parameters
	}
	return inputs.WithParameters(parameters, overrides)
}
