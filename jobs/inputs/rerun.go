// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Pinned returns the resolved inputs of a build for its rerun. It is nil if they never resolved, and the rerun then resolves its
// inputs itself.
func Pinned(build *v1alpha1.ImageBuild) *v1alpha1.PinnedInputs {
	if resolved := build.Status.Resolved; resolved != nil {
		return &v1alpha1.PinnedInputs{BaseDigest: resolved.BaseDigest, Base: resolved.Base.DeepCopy(), Files: maps.Clone(resolved.Files), Source: resolved.Source.DeepCopy()}
	}
	return build.Spec.Pinned.DeepCopy() // a rerun that was not reconciled yet
}

// ResolvePinned returns what the inputs of a rerun resolve to: the same files and digests as for the earlier build.
func ResolvePinned(inputs v1alpha1.BuildInputs, pinned *v1alpha1.PinnedInputs) *v1alpha1.ResolvedInputs {
	resolved := &v1alpha1.ResolvedInputs{BaseDigest: pinned.BaseDigest, Base: pinned.Base.DeepCopy(), Files: maps.Clone(pinned.Files), Source: pinned.Source.DeepCopy()}
	resolved.InputsDigest = Digest(inputs, Files(inputs, resolved), resolved.BaseDigest, Revision(resolved.Source))
	return resolved
}

// OneOff reports whether a new build has other inputs than its Image, so that it does not count for the Image. resolved is
// what the Image's own inputs resolve to now, or nil if they do not resolve. It matters only for pinned inputs: other inputs
// resolve later, and like the Image's own if they have the same references.
func OneOff(build *v1alpha1.ImageBuildSpec, own v1alpha1.BuildInputs, resolved *v1alpha1.ResolvedInputs) bool {
	if build.Pinned == nil {
		return !sameReferences(build.Inputs, own) || Digest(build.Inputs, Files(build.Inputs, nil), "", "") != Digest(own, Files(own, nil), "", "")
	}
	return resolved == nil || ResolvePinned(build.Inputs, build.Pinned).InputsDigest != resolved.InputsDigest
}

// sameReferences reports whether two inputs resolve the same objects: Digest compares everything else.
func sameReferences(a, b v1alpha1.BuildInputs) bool {
	external := func(source *v1alpha1.Source) *v1alpha1.Source {
		return copyWithout(source, func(source *v1alpha1.Source) { source.Inline = nil })
	}
	return equality.Semantic.DeepEqual(external(a.Source), external(b.Source)) && equality.Semantic.DeepEqual(a.Base, b.Base)
}

// WithParameters returns parameters with the overrides of one build. An override replaces the parameter of its name, or is added at
// the end. Neither argument is changed.
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
