// SPDX-License-Identifier: Apache-2.0

package builds

import (
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/e2e/workspace"
)

const target = "linux/amd64/raw"

// longer is the duration of a build that has to be stopped.
const longer = "duration=10m"

// setting is a change of an Image's parameters.
func setting(parameters ...string) func(*v1alpha1.Image) {
	return func(image *v1alpha1.Image) { workspace.SetParameters(&image.Spec.BuildInputs, parameters...) }
}

func duration(d time.Duration) *v1alpha1.Duration {
	return &v1alpha1.Duration{Duration: d}
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

// haveConditionMessage matches an Image or a build with a condition of this type and such a message.
func haveConditionMessage(kind string, message types.GomegaMatcher) types.GomegaMatcher {
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

// beObserved matches an Image whose status speaks of its present spec.
func beObserved() types.GomegaMatcher {
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
