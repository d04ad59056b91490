// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

type strategy struct {
	resources.DefaultStrategy
	policy validation.Policy
	setup  Setup
	bases  *bases
	kinds  kindRules
	clock  clock.PassiveClock
}

func newStrategy(scheme *runtime.Scheme, options Options, bases *bases) strategy {
	return strategy{resources.NewDefaultStrategy(scheme, v1alpha1.SchemeGroupVersion), options.Policy, options.Setup, bases, kindRules{options.Kinds}, options.Clock}
}

// PrepareForCreate drops the status, and sets the first conditions.
func (s strategy) PrepareForCreate(ctx context.Context, object runtime.Object) {
	s.DefaultStrategy.PrepareForCreate(ctx, object)
	image := object.(*v1alpha1.Image)
	image.Status.Conditions = trigger.FirstConditions(image.CreationTimestamp)
	s.kinds.prepare(ctx, image, nil)
}

// PrepareForUpdate keeps the status but its conformance.
func (s strategy) PrepareForUpdate(ctx context.Context, object, old runtime.Object) {
	s.DefaultStrategy.PrepareForUpdate(ctx, object, old)
	s.kinds.prepare(ctx, object.(*v1alpha1.Image), old.(*v1alpha1.Image))
}

// Validate checks an Image that is created.
func (s strategy) Validate(ctx context.Context, object runtime.Object) field.ErrorList {
	image := object.(*v1alpha1.Image)
	if errs := append(Validate(image), s.policy.Image(image)...); len(errs) > 0 {
		return errs
	}
	if errs := append(s.setup.Validate(image), s.kinds.validate(ctx, image, nil)...); len(errs) > 0 {
		return errs
	}
	return s.bases.validate(ctx, image, nil)
}

// ValidateUpdate checks an Image that is changed. It checks every rule, because the errors of unchanged values are dropped.
func (s strategy) ValidateUpdate(ctx context.Context, object, old runtime.Object) field.ErrorList {
	image, stored := object.(*v1alpha1.Image), old.(*v1alpha1.Image)
	errs := append(ValidateUpdate(image, stored), s.policy.Image(image)...)
	errs = append(errs, s.setup.Validate(image)...)
	errs = append(errs, s.kinds.validate(ctx, image, stored)...)
	return append(errs, s.bases.validate(ctx, image, stored)...)
}

// WarningsOnCreate warns about fields without effect, and about values that the kind of the Image reports.
func (s strategy) WarningsOnCreate(ctx context.Context, object runtime.Object) []string {
	image := object.(*v1alpha1.Image)
	return append(s.setup.ImageWarnings(image, s.clock.Now()), s.kinds.warnings(ctx, image, nil)...)
}

// WarningsOnUpdate is WarningsOnCreate for a change.
func (s strategy) WarningsOnUpdate(ctx context.Context, object, old runtime.Object) []string {
	image := object.(*v1alpha1.Image)
	return append(s.setup.ImageWarnings(image, s.clock.Now()), s.kinds.warnings(ctx, image, old.(*v1alpha1.Image))...)
}

// statusStrategy is that of the status subresource.
type statusStrategy struct {
	resources.DefaultStatusStrategy
}

func newStatusStrategy(scheme *runtime.Scheme) statusStrategy {
	return statusStrategy{resources.NewDefaultStatusStrategy(scheme, v1alpha1.SchemeGroupVersion)}
}

// PrepareForUpdate keeps everything but the status. In the status it keeps the fields of other subresources: the channels, in which only
// what the controller reports of their builds may change, and the counter and requests of instantiate, in which only uids may be added. It also keeps the conformance, which follows from the spec.
func (s statusStrategy) PrepareForUpdate(ctx context.Context, object, old runtime.Object) {
	s.DefaultStatusStrategy.PrepareForUpdate(ctx, object, old)
	image, stored := object.(*v1alpha1.Image), old.(*v1alpha1.Image)
	image.Status.BuildCounter = stored.Status.BuildCounter
	image.Status.Channels = takeReports(stored.Status.Channels, image.Status.Channels)
	image.Status.Conformance = stored.Status.Conformance
	image.Status.RecentRequests = fillInUIDs(stored.Status.RecentRequests, image.Status.RecentRequests)
}

// takeReports returns the stored channels with what the controller reports of their builds.
func takeReports(stored, reported []v1alpha1.ImageChannel) []v1alpha1.ImageChannel {
	channels := slices.Clone(stored)
	for i := range channels {
		for j := range reported {
			if channels[i].Name == reported[j].Name && channels[i].Build == reported[j].Build {
				channels[i].Revoked, channels[i].Missing = reported[j].Revoked, reported[j].Missing
			}
		}
	}
	return channels
}

func fillInUIDs(stored, reported []v1alpha1.BuildRequestRecord) []v1alpha1.BuildRequestRecord {
	if stored == nil {
		return nil
	}
	type request struct {
		id     string
		number int64
	}
	uids := map[request]types.UID{}
	for _, record := range reported {
		uids[request{record.RequestID, record.Number}] = record.UID
	}
	records := make([]v1alpha1.BuildRequestRecord, len(stored))
	for i, record := range stored {
		if record.UID == "" {
			record.UID = uids[request{record.RequestID, record.Number}]
		}
		records[i] = record
	}
	return records
}

// ValidateUpdate checks a status.
func (statusStrategy) ValidateUpdate(_ context.Context, object, _ runtime.Object) field.ErrorList {
	return ValidateStatus(object.(*v1alpha1.Image))
}

// allocationStrategy is that of instantiate, which writes the rest of the status.
type allocationStrategy struct {
	resources.DefaultStatusStrategy
}

func newAllocationStrategy(scheme *runtime.Scheme) allocationStrategy {
	return allocationStrategy{resources.NewDefaultStatusStrategy(scheme, v1alpha1.SchemeGroupVersion)}
}

// channelsStrategy is the strategy of the channels subresource, which changes only the channels.
type channelsStrategy struct {
	resources.DefaultStatusStrategy
}

func newChannelsStrategy(scheme *runtime.Scheme) channelsStrategy {
	return channelsStrategy{resources.NewDefaultStatusStrategy(scheme, v1alpha1.SchemeGroupVersion)}
}

// PrepareForUpdate keeps everything but the channels.
func (s channelsStrategy) PrepareForUpdate(ctx context.Context, object, old runtime.Object) {
	s.DefaultStatusStrategy.PrepareForUpdate(ctx, object, old)
	image := object.(*v1alpha1.Image)
	channels := image.Status.Channels
	image.Status = old.(*v1alpha1.Image).Status
	image.Status.Channels = channels
}
