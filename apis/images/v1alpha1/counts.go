// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Counts reports whether a build counts for its Image: it is made from the Image's own inputs. Only such a build is the last
// attempted or the latest successful one, decides what the Image's conditions report, and is in its statistics.
// docs/triggers.md states the rule, and package jobs/inputs decides it when the build is created.
func (build *ImageBuild) Counts() bool {
	if oneOff := build.Spec.OneOff; oneOff != nil {
		return !*oneOff
	}
	// Builds of older versions have no oneOff, and nobody has compared their inputs.
	trigger := build.Spec.Trigger
	return trigger == nil || trigger.RerunOf == "" && len(trigger.Parameters) == 0
}
