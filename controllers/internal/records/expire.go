// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	database "goldsmith.dev/goldsmith/records"
)

// sweep deletes expired records every hour. A failed deletion is tried again the next time.
func (k *keeper) sweep(ctx context.Context, store Store) {
	now := k.Clock.Now()
	if since := now.Sub(k.swept); since >= 0 && since < sweepInterval {
		return
	}
	k.swept = now
	images, builds, err := k.everything(ctx)
	if err == nil {
		var expired database.Expired
		expired, err = store.Expire(ctx, rulesOf(images, builds))
		k.Metrics.Expired.Add(float64(expired.Builds))
	}
	if err != nil && ctx.Err() == nil {
		k.Metrics.Errors.Inc()
		ctrl.LoggerFrom(ctx).Error(err, "cannot delete expired records")
	}
}

// rulesOf returns the retention of each Image, and the objects under legal hold. An Image without a limit has no rule. The
// database has the last rules of deleted Images.
func rulesOf(images []*v1alpha1.Image, builds []*v1alpha1.ImageBuild) database.Rules {
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
			rules.Held[build.UID] = true
		}
	}
	return rules
}
