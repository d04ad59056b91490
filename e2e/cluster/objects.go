// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// NewImage is an Image that the mock builder makes at once, unless its parameters, each written as "name=value", say
// otherwise. It keeps the record of every build.
func NewImage(name string, parameters ...string) *v1alpha1.Image {
	return &v1alpha1.Image{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ImageSpec{
			BuildInputs: NewInputs(parameters...),
			Retry:       &v1alpha1.RetryPolicy{Backoff: &v1alpha1.Backoff{Initial: &metav1.Duration{}}},
			History:     &v1alpha1.HistoryLimits{Succeeded: new(int32(100)), Failed: new(int32(100))},
		},
	}
}

// NewBuild is a build without an Image, of the same inputs.
func NewBuild(name string, parameters ...string) *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ImageBuildSpec{
			Inputs: NewInputs(parameters...),
			Retry:  &v1alpha1.RetryPolicy{Backoff: &v1alpha1.Backoff{Initial: &metav1.Duration{}}},
		},
	}
}

// NewInputs are inputs for the mock builder, with one target. The last value of a parameter counts.
func NewInputs(parameters ...string) v1alpha1.BuildInputs {
	inputs := v1alpha1.BuildInputs{
		Builder: v1alpha1.Builder{Name: "mock"},
		Base:    v1alpha1.Base{Reference: "debian:bookworm"},
		Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
	}
	index := map[string]int{}
	for _, parameter := range append([]string{"duration=0s", "steps=1"}, parameters...) {
		name, value, _ := strings.Cut(parameter, "=")
		if at, known := index[name]; known {
			inputs.Parameters[at].Value = value
			continue
		}
		index[name] = len(inputs.Parameters)
		inputs.Parameters = append(inputs.Parameters, v1alpha1.Parameter{Name: name, Value: value})
	}
	return inputs
}
