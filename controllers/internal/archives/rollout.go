// SPDX-License-Identifier: Apache-2.0

package archives

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// reservation is how long a build that may be created counts although the cache does not have it.
const reservation = time.Minute

// Hold returns why a build of an Image because of new packages waits for builds of other Images for one of the same versions, or nil. If it is nil, the
// caller creates the build.
func (a *Archives) Hold(ctx context.Context, image *v1alpha1.Image, updates []v1alpha1.PackageUpdate) (*trigger.Hold, error) {
	if a.Wave == 0 {
		return nil, nil
	}
	a.rollout.Lock() // so that Images that are decided on at the same time see each other
	defer a.rollout.Unlock()
	builds, images := map[types.UID]trigger.RolloutBuild{}, map[types.UID]bool{image.UID: true}
	asked := map[string]bool{}
	for i := range updates {
		key := caches.UpdateKey(&updates[i])
		if asked[key] {
			continue
		}
		asked[key] = true
		list := &v1alpha1.ImageBuildList{}
		if err := a.cache.List(ctx, list, client.UnsafeDisableDeepCopy, client.MatchingFields{caches.BuildsByUpdate: key}); err != nil {
			return nil, fmt.Errorf("list the builds for new packages: %w", err)
		}
		for j := range list.Items {
			build := &list.Items[j]
			if build.Spec.ImageRef == nil || build.Spec.ImageRef.UID == image.UID {
				continue
			}
			images[build.Spec.ImageRef.UID] = true
			builds[build.UID] = trigger.RolloutBuild{ImageBuild: build, Standing: a.standing(ctx, build)}
		}
	}
	now, reserved := a.Clock.Now(), 0
	for uid, since := range a.reserved {
		switch {
		case now.Sub(since) > reservation:
			delete(a.reserved, uid)
		case !images[uid]:
			reserved++
		}
	}
	others := make([]trigger.RolloutBuild, 0, len(builds))
	for _, build := range builds {
		others = append(others, build)
	}
	hold := trigger.HoldOf(others, reserved, a.Wave)
	if hold == nil {
		a.reserved[image.UID] = now
	}
	return hold, nil
}

// standing reports whether a build is the last finished one of its Image, and the Image is not suspended.
func (a *Archives) standing(ctx context.Context, build *v1alpha1.ImageBuild) bool {
	image := &v1alpha1.Image{}
	if err := a.cache.Get(ctx, client.ObjectKey{Namespace: build.Namespace, Name: build.Spec.ImageRef.Name}, image, client.UnsafeDisableDeepCopy); err != nil {
		return false // the cache fails for no other reason than that the Image does not exist
	}
	last, suspended := image.Status.LastFinished, image.Spec.Suspend != nil && *image.Spec.Suspend
	return image.UID == build.Spec.ImageRef.UID && !suspended && (last == nil || last.Number <= *build.Spec.Number)
}
