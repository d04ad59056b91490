// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// judge sets whether a new build is one-off, if its request has parameters or is for a rerun. A build that only reproduces artifacts is. A
// rerun that counts gets the Image's current generation, because it has the inputs of this generation.
func (s *Sources) judge(ctx context.Context, build *v1alpha1.ImageBuild, image *v1alpha1.Image) error {
	if build.Spec.Trigger.RerunOf == "" && len(build.Spec.Trigger.Parameters) == 0 {
		return nil
	}
	oneOff, err := s.oneOff(ctx, build, image)
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
