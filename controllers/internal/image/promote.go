// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// promote moves channels, all in one write. It moves none if the Image as it is stored has another spec, UID or channels by now, because an
// event of the Image follows.
func (r *reconciler) promote(ctx context.Context, image *v1alpha1.Image, due []trigger.Promotion) error {
	if len(due) == 0 {
		return nil
	}
	images := r.Client.ImagesV1alpha1().Images(image.Namespace)
	live, err := images.Get(ctx, image.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	if live.UID != image.UID || live.Generation != image.Generation || !equality.Semantic.DeepEqual(live.Status.Channels, image.Status.Channels) {
		return nil
	}
	wanted := &v1alpha1.ImageChannels{
		ObjectMeta: metav1.ObjectMeta{Name: live.Name, Namespace: live.Namespace, UID: live.UID, ResourceVersion: live.ResourceVersion},
		Channels:   live.Status.Channels,
	}
	for _, promotion := range due {
		moved := v1alpha1.ImageChannel{Name: promotion.Channel, Build: promotion.Build}
		at := slices.IndexFunc(wanted.Channels, func(channel v1alpha1.ImageChannel) bool { return channel.Name == promotion.Channel })
		if at < 0 {
			wanted.Channels = append(wanted.Channels, moved)
		} else {
			wanted.Channels[at] = moved
		}
	}
	_, err = images.UpdateChannels(ctx, image.Name, wanted, metav1.UpdateOptions{})
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		if r.Vulnerabilities != nil {
			r.Vulnerabilities.AskAgain(client.ObjectKeyFromObject(image)) // the server may know of others by now
		}
		r.Events.Event(image, corev1.EventTypeWarning, v1alpha1.EventPromotionRefused, v1alpha1.CutMessage(err.Error()))
	}
	if err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	for _, promotion := range due {
		r.Events.Eventf(image, corev1.EventTypeNormal, v1alpha1.EventPromoted, "channel %s: build %s meets its rule", promotion.Channel, promotion.Build)
	}
	return nil
}
