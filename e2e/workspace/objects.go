// SPDX-License-Identifier: Apache-2.0

package workspace

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// NewImage returns an Image whose builds, by the mock builder, succeed at once, unless its parameters ("name=value") change that.
// Attempts are retried without a wait.
func NewImage(name string, parameters ...string) *v1alpha1.Image {
	return &v1alpha1.Image{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.ImageSpec{BuildInputs: NewInputs(parameters...), Retry: retryAtOnce()},
	}
}

// NewBuild returns a build without an Image, of the same inputs.
func NewBuild(name string, parameters ...string) *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.ImageBuildSpec{Inputs: NewInputs(parameters...), Retry: retryAtOnce()},
	}
}

// NewInputs returns inputs for the mock builder, with one target.
func NewInputs(parameters ...string) v1alpha1.BuildInputs {
	inputs := v1alpha1.BuildInputs{
		Builder: v1alpha1.BuilderReference{Name: "mock"},
		Base:    v1alpha1.Base{Reference: "debian:bookworm"},
		Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
	}
	SetParameters(&inputs, "duration=0s", "steps=1")
	SetParameters(&inputs, parameters...)
	return inputs
}

// SetParameters sets parameters, each written as "name=value"; "name" alone removes a parameter.
func SetParameters(inputs *v1alpha1.BuildInputs, parameters ...string) {
	for _, parameter := range parameters {
		name, value, present := strings.Cut(parameter, "=")
		inputs.Parameters = slices.DeleteFunc(inputs.Parameters, func(p v1alpha1.Parameter) bool { return p.Name == name })
		if present {
			inputs.Parameters = append(inputs.Parameters, v1alpha1.Parameter{Name: name, Value: value})
		}
	}
}

func retryAtOnce() *v1alpha1.RetryPolicy {
	return &v1alpha1.RetryPolicy{Backoff: &v1alpha1.Backoff{Initial: &v1alpha1.Duration{}}}
}
