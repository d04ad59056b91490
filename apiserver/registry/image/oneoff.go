// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// judge sets whether a new build is one-off, if its request has parameters or is for a rerun or for tests. A build that only reproduces artifacts
// is. A rerun that counts gets the Image's current generation, because it has the inputs of this generation.
func (r *requests) judge(ctx context.Context, build *v1alpha1.ImageBuild, image *v1alpha1.Image) error {
	asked := build.Spec.Trigger
	tests := build.Spec.Retests != nil && asked.Reason != v1alpha1.TriggerTestsChange
	if asked.RerunOf == "" && len(asked.Parameters) == 0 && !tests {
		return nil
	}
	oneOff, err := r.sources.oneOff(ctx, build, image)
	if err == nil && tests && !oneOff {
		oneOff, err = r.testsOthers(ctx, build, image)
	}
	if err != nil {
		return err
	}
	build.Spec.OneOff = &oneOff
	if !oneOff {
		build.Spec.ImageGeneration = new(image.Generation)
	}
	return nil
}

func (s *Sources) oneOff(ctx context.Context, build *v1alpha1.ImageBuild, image *v1alpha1.Image) (bool, error) {
	if build.Spec.Reproduces != nil {
		return true, nil
	}
	var resolved *v1alpha1.ResolvedInputs
	if build.Spec.Pinned != nil {
		var err error
		if resolved, _, err = s.resolve(ctx, image); err != nil {
			return false, err
		}
	}
	return inputs.OneOff(&build.Spec, image.Spec.BuildInputs, resolved), nil
}

// testsOthers reports whether a build of the Image's inputs runs other tests than the Image has, or tests other artifacts than a change of the tests
// would test again.
func (r *requests) testsOthers(ctx context.Context, build *v1alpha1.ImageBuild, image *v1alpha1.Image) (bool, error) {
	builds, err := r.builds.BuildsOf(ctx, image)
	if err != nil {
		return false, err
	}
	newest := trigger.Retested(r.observe(image, builds))
	return newest == nil || inputs.ArtifactsDigest(newest.Status.Artifacts) != inputs.ArtifactsDigest(build.Spec.Retests.Artifacts) ||
		inputs.TestsDigest(build.Spec.Tests) != inputs.TestsDigest(image.Spec.Tests), nil
}
