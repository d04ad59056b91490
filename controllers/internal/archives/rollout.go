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

const (
	// reservation is how long a build that may be created counts although the cache does not have it.
	reservation = time.Minute
	// maxAsked is how many new versions of an Image are looked at.
	maxAsked = 8
)

// reserved is a build that is about to be created.
type reserved struct {
	at        time.Time
	namespace string
	keys      map[string]bool
}

// Hold returns why a build of an Image because of new packages waits for builds of other Images for one of the same versions, or nil. If it is nil, the
// caller creates the build.
func (a *Archives) Hold(ctx context.Context, image *v1alpha1.Image, updates []v1alpha1.PackageUpdate) (*trigger.Hold, error) {
	if a.Wave == 0 {
		return nil, nil
	}
	a.rollout.Lock() // so that Images that are decided on at the same time see each other
	defer a.rollout.Unlock()
	now, known, asked := a.Clock.Now(), map[types.UID]trigger.RolloutBuild{}, map[string]bool{}
	var hold *trigger.Hold
	for i := range updates {
		key := caches.UpdateKey(&updates[i])
		if asked[key] || len(asked) == maxAsked {
			continue
		}
		asked[key] = true
		rollout, err := a.rolloutOf(ctx, image, key, known)
		if err != nil {
			return nil, err
		}
		if held := rollout.Hold(); held != nil && (hold == nil || held.Paused) {
			hold = held
		}
		if hold != nil && hold.Paused {
			break
		}
	}
	if hold == nil {
		a.reserved[image.UID] = reserved{now, image.Namespace, asked}
	}
	return hold, nil
}

// rolloutOf returns what is known of the builds for a new version.
func (a *Archives) rolloutOf(ctx context.Context, image *v1alpha1.Image, key string, known map[types.UID]trigger.RolloutBuild) (trigger.Rollout, error) {
	rollout := trigger.Rollout{Namespace: image.Namespace, Wave: a.Wave, Now: a.Clock.Now()}
	list, images := &v1alpha1.ImageBuildList{}, map[types.UID]bool{image.UID: true}
	if err := a.cache.List(ctx, list, client.UnsafeDisableDeepCopy, client.MatchingFields{caches.BuildsByUpdate: key}); err != nil {
		return rollout, fmt.Errorf("list the builds for new packages: %w", err)
	}
	for i := range list.Items {
		build := &list.Items[i]
		if build.Spec.ImageRef == nil || build.Spec.ImageRef.UID == image.UID {
			continue
		}
		images[build.Spec.ImageRef.UID] = true
		if _, found := known[build.UID]; !found {
			known[build.UID] = trigger.RolloutBuild{ImageBuild: build, Standing: a.standing(ctx, build)}
		}
		rollout.Builds = append(rollout.Builds, known[build.UID])
	}
	for uid, one := range a.reserved {
		switch {
		case rollout.Now.Sub(one.at) > reservation:
			delete(a.reserved, uid)
		case !images[uid] && one.namespace == image.Namespace && one.keys[key]:
			rollout.Reserved++
		}
	}
	return rollout, nil
}

// standing reports whether a build is the last finished one of its Image, and the Image is not suspended.
func (a *Archives) standing(ctx context.Context, build *v1alpha1.ImageBuild) bool {
	image := &v1alpha1.Image{}
	if err := a.cache.Get(ctx, client.ObjectKey{Namespace: build.Namespace, Name: build.Spec.ImageRef.Name}, image, client.UnsafeDisableDeepCopy); err != nil {
		return false // the cache fails for no other reason than that the Image does not exist
	}
	last := image.Status.LastFinished
	return image.UID == build.Spec.ImageRef.UID && !image.IsSuspended() && (last == nil || last.Number <= *build.Spec.Number)
}
