// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"maps"
	"slices"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Pinned is what a rerun of a build takes over: what the build's inputs resolved to. Nil if they never did; then those
// of the rerun are resolved anew.
func Pinned(build *v1alpha1.ImageBuild) *v1alpha1.PinnedInputs {
	if resolved := build.Status.Resolved; resolved != nil {
		return &v1alpha1.PinnedInputs{BaseDigest: resolved.BaseDigest, Files: maps.Clone(resolved.Files)}
	}
	return build.Spec.Pinned.DeepCopy() // a rerun that nobody has looked at yet
}

// ResolvePinned says what the inputs of a rerun resolve to, whatever they would resolve to now: the same as those of the
// build that it is a rerun of, digest and all.
func ResolvePinned(inputs v1alpha1.BuildInputs, pinned *v1alpha1.PinnedInputs) *v1alpha1.ResolvedInputs {
	resolved := &v1alpha1.ResolvedInputs{BaseDigest: pinned.BaseDigest, Files: maps.Clone(pinned.Files)}
	resolved.InputsDigest = Digest(inputs, Files(inputs, resolved), resolved.BaseDigest)
	return resolved
}

// OwnInputs says whether a build is one of its Image's inputs as they were: neither a rerun nor one with parameters of
// its own. Only such a build counts as the last attempted one.
func OwnInputs(build *v1alpha1.ImageBuild) bool {
	trigger := build.Spec.Trigger
	return trigger == nil || trigger.RerunOf == "" && len(trigger.Parameters) == 0
}

// WithParameters are parameters with some of them set for one build: an override replaces the parameter of its name, or
// is added at the end. Neither argument is changed.
func WithParameters(parameters, overrides []v1alpha1.Parameter) []v1alpha1.Parameter {
	all := slices.Clone(parameters)
	for _, override := range overrides {
		i := slices.IndexFunc(all, func(p v1alpha1.Parameter) bool { return p.Name == override.Name })
		if i < 0 {
			all = append(all, override)
			continue
		}
		all[i] = override
	}
	return all
}
