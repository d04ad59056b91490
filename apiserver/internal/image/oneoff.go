// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/internal/images"
	"goldsmith.dev/goldsmith/apiserver/internal/images/convert"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// judge sets whether a new build is one-off, if its request has parameters or is for a rerun. A rerun that counts gets the
// Image's current generation, because it has the inputs of this generation.
func (s *Sources) judge(ctx context.Context, build *images.ImageBuild, image *images.Image) error {
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

func (s *Sources) oneOff(ctx context.Context, build *images.ImageBuild, image *images.Image) (bool, error) {
	asked, err := convert.PublicImageBuild(build)
	if err != nil {
		return false, apierrors.NewInternalError(err)
	}
	own, err := convert.PublicImage(image)
	if err != nil {
		return false, apierrors.NewInternalError(err)
	}
	var resolved *v1alpha1.ResolvedInputs
	if asked.Spec.Pinned != nil {
		if resolved, _, err = s.resolve(ctx, own); err != nil {
			return false, err
		}
	}
	return inputs.OneOff(&asked.Spec, own.Spec.BuildInputs, resolved), nil
}
