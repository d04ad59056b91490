// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
)

// nextPhases is the phase table: the phases that may follow a phase, other than itself. Final phases have no entry.
var nextPhases = map[v1alpha1.BuildPhase][]v1alpha1.BuildPhase{
	v1alpha1.BuildPending: {
		v1alpha1.BuildQueued, v1alpha1.BuildStarting, v1alpha1.BuildTesting, v1alpha1.BuildFailed, v1alpha1.BuildCancelled,
	},
	v1alpha1.BuildQueued: {
		v1alpha1.BuildStarting, v1alpha1.BuildTesting, v1alpha1.BuildFailed, v1alpha1.BuildCancelled,
	},
	v1alpha1.BuildStarting: {
		v1alpha1.BuildRunning, v1alpha1.BuildQueued, v1alpha1.BuildTesting, v1alpha1.BuildSucceeded, v1alpha1.BuildFailed,
		v1alpha1.BuildRetrying, v1alpha1.BuildCancelling, v1alpha1.BuildCancelled,
	},
	v1alpha1.BuildRunning: {
		v1alpha1.BuildQueued, v1alpha1.BuildTesting, v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildRetrying,
		v1alpha1.BuildCancelling, v1alpha1.BuildCancelled,
	},
	v1alpha1.BuildRetrying: {
		v1alpha1.BuildStarting, v1alpha1.BuildFailed, v1alpha1.BuildCancelled,
	},
	v1alpha1.BuildTesting: {
		v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildCancelling, v1alpha1.BuildCancelled,
	},
	v1alpha1.BuildCancelling: {
		v1alpha1.BuildCancelled, v1alpha1.BuildSucceeded,
	},
}

func validatePhaseChange(from, to v1alpha1.BuildPhase, path *field.Path) field.ErrorList {
	if errs := validation.Enum(to, validation.Phases, path); len(errs) > 0 {
		return errs
	}
	if from == to || slices.Contains(nextPhases[from], to) {
		return nil
	}
	if len(nextPhases[from]) == 0 {
		return field.ErrorList{field.Invalid(path, to, fmt.Sprintf("phase cannot change from %s to %s: phase %s is final", from, to, from))}
	}
	allowed := strings.Join(asStrings(nextPhases[from]), ", ")
	return field.ErrorList{field.Invalid(path, to, fmt.Sprintf("phase cannot change from %s to %s: set one of: %s", from, to, allowed))}
}

func asStrings[T ~string](values []T) []string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	return texts
}
