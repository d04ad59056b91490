// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"maps"
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// failureReasons are the reasons of each class.
var failureReasons = map[v1alpha1.FailureClass][]v1alpha1.FailureReason{
	v1alpha1.FailureUser: {v1alpha1.ReasonBuilderFailed, v1alpha1.ReasonOOMKilled},
	v1alpha1.FailureConfig: {
		v1alpha1.ReasonBuilderNotFound, v1alpha1.ReasonBuilderNotAllowed, v1alpha1.ReasonBuilderNotRunnable,
		v1alpha1.ReasonSourceNotFound, v1alpha1.ReasonSourceTooLarge, v1alpha1.ReasonNoResult, v1alpha1.ReasonInvalidResult,
		v1alpha1.ReasonJobConflict, v1alpha1.ReasonJobRejected, v1alpha1.ReasonPodForbidden, v1alpha1.ReasonInvalidImageName,
	},
	v1alpha1.FailureInfrastructure: {
		v1alpha1.ReasonBuilderTempFail, v1alpha1.ReasonEvicted, v1alpha1.ReasonPreempted, v1alpha1.ReasonNodeLost,
		v1alpha1.ReasonNodeShutdown, v1alpha1.ReasonNodeRejected, v1alpha1.ReasonPodDeleted, v1alpha1.ReasonJobDeleted,
		v1alpha1.ReasonProcessLost,
	},
	v1alpha1.FailureRegistry:  {v1alpha1.ReasonImagePullFailed},
	v1alpha1.FailureTimeout:   {v1alpha1.ReasonStartTimeout, v1alpha1.ReasonRunTimeout},
	v1alpha1.FailureCancelled: {v1alpha1.ReasonCancelRequested},
}

var failureClasses = slices.Sorted(maps.Keys(failureReasons))
