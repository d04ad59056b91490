// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// checkReserved refuses a reserved request ID unless the triggers of the Image request a build with it now. Otherwise a user
// could take the ID of a later request, whose answer would then be an older build.
func (i *instantiation) checkReserved(ctx context.Context, image *v1alpha1.Image) error {
	if !trigger.Reserved(i.requestID) {
		return nil
	}
	image = image.DeepCopy()                // defaults are set
	v1alpha1.SetObjectDefaults_Image(image) // of fields that were added after the Image was stored
	var err error
	observed := trigger.Observed{Image: image, Now: i.Clock.Now()}
	if observed.Builds, err = i.builds.BuildsOf(ctx, image); err != nil {
		return err
	}
	if observed.Resolved, observed.Unresolved, err = i.sources.resolve(ctx, image); err != nil {
		return err
	}
	if i.Setup.Builders != nil {
		refused := i.Setup.Builders.Check(&image.Spec.BuildInputs)
		if refused == nil {
			refused = i.Setup.Builders.CheckTests(inputs.NextBuild(image, metav1.NewTime(observed.Now)))
		}
		if refused != nil {
			observed.Resolved, observed.Unresolved = nil, refused
		}
	}
	if trigger.Requests(observed, i.requestID) {
		return nil
	}
	return apierrors.NewConflict(v1alpha1.Resource("images"), image.Name, fmt.Errorf(
		"requestID %q has a form that only triggers use, and no trigger requests a build with it now: choose another requestID", i.requestID))
}
