// SPDX-License-Identifier: Apache-2.0

package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

var imageKind = v1alpha1.Kind("Image")

// LastResolve returns the end of the last resolve of a build of an Image that is stored, or else that of the build.
func LastResolve(image *v1alpha1.Image, build *v1alpha1.ImageBuild) time.Time {
	if packages := image.Status.Packages; packages != nil && packages.Resolved != nil && packages.Build == build.Name {
		return packages.Resolved.Time.Time
	}
	if end := build.Status.CompletionTime; end != nil {
		return end.Time
	}
	return build.CreationTimestamp.Time
}

// ResolveJobName is the name of the Job of the first resolve of a build's inputs after a time, of at most 63 characters.
func ResolveJobName(image *v1alpha1.Image, build *v1alpha1.ImageBuild, last time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", image.UID, build.UID, last.Unix()))
	return cutName(image.Name, "-resolve-"+hex.EncodeToString(sum[:])[:hashLen])
}

// ResolveJob renders the first resolve of a build's inputs after a time, in the namespace of its Image. The builder gets the input of the build, the
// files of its source, and the template of its pod without Secrets and without the service account.
func ResolveJob(image *v1alpha1.Image, build *v1alpha1.ImageBuild, last time.Time, builder inputs.Builder) (*batchv1.Job, error) {
	inputsOnly := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{Inputs: build.Spec.Inputs}, Status: v1alpha1.ImageBuildStatus{Resolved: build.Status.Resolved}}
	input := newInput(inputsOnly, 1, builder.Publisher.Agent)
	input.Resolve = true
	template := &v1alpha1.BuildTemplate{}
	if of := build.Spec.Inputs.Template; of != nil {
		template = of.DeepCopy()
		template.ServiceAccountName = ""
		template.Env = slices.DeleteFunc(template.Env, func(variable corev1.EnvVar) bool {
			return variable.ValueFrom != nil && variable.ValueFrom.SecretKeyRef != nil
		})
	}
	job, err := questionJob(metav1.ObjectMeta{
		Name:            ResolveJobName(image, build, last),
		Namespace:       image.Namespace,
		Labels:          map[string]string{v1alpha1.LabelResolve: image.Name, v1alpha1.LabelManagedBy: v1alpha1.ManagedBy},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(image, imageKind)},
	}, &input, "use smaller parameters or files", template, builder)
	sourced := &v1alpha1.ImageBuild{Spec: v1alpha1.ImageBuildSpec{Inputs: v1alpha1.BuildInputs{Source: build.Spec.Inputs.Source}}}
	if err != nil || builder.Publisher.Agent || !fetchesSource(sourced, 1) {
		return job, err
	}
	if builder.Publisher.Image == "" {
		return nil, fmt.Errorf("render Job %s/%s: this controller cannot fetch a source: the operator sets --publisher-image", job.Namespace, job.Name)
	}
	addFetcher(&job.Spec.Template.Spec, sourced, 1, builder.Publisher)
	return job, nil
}

// ResolveOf returns the Image whose build's inputs a Job resolves. ok is false for any other Job.
func ResolveOf(job *batchv1.Job) (imageUID types.UID, ok bool) { return controlledBy(job, imageKind) }
