// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	database "goldsmith.dev/goldsmith/records"
)

// sweep deletes expired records every hour. A failed deletion is tried again the next time.
func (k *keeper) sweep(ctx context.Context, store Store) {
	now := k.Clock.Now()
	if since := now.Sub(k.swept); since >= 0 && since < sweepInterval {
		return
	}
	k.swept = now
	expired, err := k.expire(ctx, store)
	k.Metrics.Expired.Add(float64(expired.Builds))
	if err != nil && ctx.Err() == nil {
		k.Metrics.Errors.Inc()
		ctrl.LoggerFrom(ctx).Error(err, "cannot delete expired records")
	}
}

// expire finds expired records by the rules of the cached Images. The API confirms the rules of an Image before its records are
// deleted, and lists the builds under legal hold, because the cache may not have a new legal hold yet.
func (k *keeper) expire(ctx context.Context, store Store) (database.Expired, error) {
	images, _, err := k.everything(ctx)
	if err != nil {
		return database.Expired{}, err
	}
	var held []client.Object
	err = k.each(ctx, database.Builds, v1alpha1.LabelLegalHold, func(build client.Object) { held = append(held, build) })
	if err != nil {
		return database.Expired{}, err
	}
	rules := rulesOf(images, held)
	rules.Live = k.liveImage
	return store.Expire(ctx, rules)
}

// liveImage returns an Image from the API, or nil if the Image was deleted.
func (r *reconciler) liveImage(ctx context.Context, of database.ImageKey) (*v1alpha1.Image, error) {
	return reconciliation.ReadLive(ctx, r.Client.ImagesV1alpha1().Images(of.Namespace).Get, of.Namespace, of.Name, of.UID)
}

// rulesOf returns the retention of each Image, and the objects under legal hold. An Image without a limit has no rule. The
// database has the last rules of deleted Images.
func rulesOf(images []*v1alpha1.Image, builds []client.Object) database.Rules {
	rules := database.Rules{Images: map[types.UID]database.Retention{}, Held: map[types.UID]bool{}}
	for _, image := range images {
		if v1alpha1.UnderLegalHold(image) {
			rules.Held[image.UID] = true
		}
		if retention := database.RetentionOf(image); retention != (database.Retention{}) {
			rules.Images[image.UID] = retention
		}
	}
	for _, build := range builds {
		if v1alpha1.UnderLegalHold(build) {
			rules.Held[build.GetUID()] = true
		}
	}
	return rules
}
