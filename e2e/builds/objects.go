// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

const target = "linux/amd64/raw"

// longer is the duration of a build that has to be stopped.
const longer = "duration=10m"

// newImage is an Image that the mock builder makes at once, unless its parameters ("name=value") say otherwise.
func newImage(name string, parameters ...string) *v1alpha1.Image {
	return &v1alpha1.Image{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.ImageSpec{BuildInputs: newInputs(parameters...), Retry: impatient()},
	}
}

// newBuild is a build without an Image.
func newBuild(name string, parameters ...string) *v1alpha1.ImageBuild {
	return &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1alpha1.ImageBuildSpec{Inputs: newInputs(parameters...), Retry: impatient()},
	}
}

func newInputs(parameters ...string) v1alpha1.BuildInputs {
	inputs := v1alpha1.BuildInputs{
		Builder: v1alpha1.Builder{Name: "mock"},
		Base:    v1alpha1.Base{Reference: "debian:bookworm"},
		Targets: []v1alpha1.Target{{Platform: "linux/amd64", Format: v1alpha1.ArtifactFormatRaw}},
	}
	set(&inputs, "duration=0s", "steps=1")
	set(&inputs, parameters...)
	return inputs
}

// impatient retries without a wait.
func impatient() *v1alpha1.RetryPolicy {
	return &v1alpha1.RetryPolicy{Backoff: &v1alpha1.Backoff{Initial: &metav1.Duration{}}}
}

// set sets parameters, each written as "name=value"; "name" alone removes one.
func set(inputs *v1alpha1.BuildInputs, parameters ...string) {
	for _, parameter := range parameters {
		name, value, present := strings.Cut(parameter, "=")
		inputs.Parameters = slices.DeleteFunc(inputs.Parameters, func(p v1alpha1.Parameter) bool { return p.Name == name })
		if present {
			inputs.Parameters = append(inputs.Parameters, v1alpha1.Parameter{Name: name, Value: value})
		}
	}
}

// setting is a change of an Image's parameters.
func setting(parameters ...string) func(*v1alpha1.Image) {
	return func(image *v1alpha1.Image) { set(&image.Spec.BuildInputs, parameters...) }
}

func duration(d time.Duration) *metav1.Duration {
	return &metav1.Duration{Duration: d}
}

// inPhase matches a build in this phase.
func inPhase(phase v1alpha1.BuildPhase) types.GomegaMatcher {
	return HaveField("Status.Phase", phase)
}

// failedWith matches a build that failed, written as "Class/Reason".
func failedWith(wanted string) types.GomegaMatcher {
	return WithTransform(func(build *v1alpha1.ImageBuild) string {
		if build.Status.Failure == nil {
			return string(build.Status.Phase)
		}
		return fmt.Sprintf("%s %s/%s", build.Status.Phase, build.Status.Failure.Class, build.Status.Failure.Reason)
	}, Equal("Failed "+wanted))
}

// conditions matches an Image or a build that has all of these conditions, each written as "Type=Status/Reason".
func conditions(wanted ...string) types.GomegaMatcher {
	return WithTransform(func(object any) []string {
		var texts []string
		for _, condition := range conditionsOf(object) {
			texts = append(texts, fmt.Sprintf("%s=%s/%s", condition.Type, condition.Status, condition.Reason))
		}
		return texts
	}, ContainElements(wanted))
}

// saying matches an Image or a build with a condition of this type and such a message.
func saying(kind string, message types.GomegaMatcher) types.GomegaMatcher {
	return WithTransform(func(object any) string {
		for _, condition := range conditionsOf(object) {
			if condition.Type == kind {
				return condition.Message
			}
		}
		return ""
	}, message)
}

func conditionsOf(object any) []metav1.Condition {
	switch object := object.(type) {
	case *v1alpha1.Image:
		return object.Status.Conditions
	case *v1alpha1.ImageBuild:
		return object.Status.Conditions
	}
	return nil
}

// observed matches an Image whose status speaks of its present spec.
func observed() types.GomegaMatcher {
	return WithTransform(func(image *v1alpha1.Image) string {
		if image.Status.ObservedGeneration == image.Generation {
			return "observed"
		}
		return fmt.Sprintf("generation %d, observed %d", image.Generation, image.Status.ObservedGeneration)
	}, Equal("observed"))
}

// built matches an Image that has had exactly this many builds, the last of which made what there is now.
func built(times int64) types.GomegaMatcher {
	return And(
		HaveField("Status.BuildCounter", times),
		conditions("Ready=True/BuildSucceeded", "UpToDate=True/InputsUnchanged", "Building=False/Idle", "Stalled=False/Progressing"),
		HaveField("Status.LatestSuccessful.Number", times),
	)
}

// outcomes are those of a build's attempts, each written as "Outcome" or "Outcome Class/Reason".
func outcomes(build *v1alpha1.ImageBuild) []string {
	var texts []string
	for _, attempt := range build.Status.Attempts {
		text := string(attempt.Outcome)
		if attempt.Failure != nil {
			text += fmt.Sprintf(" %s/%s", attempt.Failure.Class, attempt.Failure.Reason)
		}
		texts = append(texts, text)
	}
	return texts
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
