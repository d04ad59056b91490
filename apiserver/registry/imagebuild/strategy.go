// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"cmp"
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/state"
)

// strategy is the strategy for builds that are created directly, and for changes of any build.
type strategy struct {
	resources.DefaultStrategy
	policy   validation.Policy
	clock    clock.PassiveClock
	builders *inputs.Builders // that the operator allows, or nil if the server does not know them
}

func newStrategy(scheme *runtime.Scheme, options Options) strategy {
	return strategy{resources.NewDefaultStrategy(scheme, v1alpha1.SchemeGroupVersion), options.Policy, options.Clock, options.Builders}
}

// PrepareForCreate drops the status, sets the first phase and conditions, and sets the user of the trigger.
func (s strategy) PrepareForCreate(ctx context.Context, object runtime.Object) {
	s.prepare(ctx, object)
	if build := object.(*v1alpha1.ImageBuild); build.Spec.Trigger == nil {
		build.Spec.Trigger = directTrigger(ctx)
	}
}

func (s strategy) prepare(ctx context.Context, object runtime.Object) {
	s.DefaultStrategy.PrepareForCreate(ctx, object)
	build := object.(*v1alpha1.ImageBuild)
	build.Status.Phase = v1alpha1.BuildPending
	build.Status.Conditions = state.FirstConditions(build.CreationTimestamp)
}

// directTrigger is the trigger of a build that a user creates directly.
func directTrigger(ctx context.Context) *v1alpha1.BuildTrigger {
	return &v1alpha1.BuildTrigger{Reason: v1alpha1.TriggerManual, RequestedBy: resources.UserName(ctx)}
}

// PrepareForUpdate keeps the status, and the omitted fields of the spec that only the server sets. So the manifest of a build
// can be applied again, or replaced by itself. It signs a new request to cancel the build.
func (s strategy) PrepareForUpdate(ctx context.Context, object, old runtime.Object) {
	build, stored := object.(*v1alpha1.ImageBuild), old.(*v1alpha1.ImageBuild)
	keep(&build.Spec.ImageRef, stored.Spec.ImageRef)
	keep(&build.Spec.Number, stored.Spec.Number)
	keep(&build.Spec.ImageGeneration, stored.Spec.ImageGeneration)
	keep(&build.Spec.Trigger, stored.Spec.Trigger)
	keep(&build.Spec.CancelRequested, stored.Spec.CancelRequested)
	if cancels(build, stored) {
		sign(ctx, s.clock, build.Spec.CancelRequested)
	}
	keep(&build.Spec.Pinned, stored.Spec.Pinned)
	keep(&build.Spec.Priority, stored.Spec.Priority)
	keep(&build.Spec.OneOff, stored.Spec.OneOff)
	keep(&build.Spec.Reproduces, stored.Spec.Reproduces)
	keep(&build.Spec.Retests, stored.Spec.Retests)
	build.Spec.RunPolicy = cmp.Or(build.Spec.RunPolicy, stored.Spec.RunPolicy)
	s.DefaultStrategy.PrepareForUpdate(ctx, object, old)
}

// cancels reports whether an update requests the cancellation of a build.
func cancels(build, stored *v1alpha1.ImageBuild) bool {
	return build.Spec.CancelRequested != nil && stored.Spec.CancelRequested == nil
}

func keep[T any](value **T, stored *T) {
	if *value == nil {
		*value = stored
	}
}

// Validate checks a build that a user creates.
func (s strategy) Validate(ctx context.Context, object runtime.Object) field.ErrorList {
	build := object.(*v1alpha1.ImageBuild)
	errs := append(ValidateDirect(build, directTrigger(ctx)), s.policy.DirectImageBuild(build)...)
	if len(errs) > 0 || s.builders == nil {
		return errs
	}
	return s.builders.Validate(&build.Spec.Inputs, spec.Child("inputs"))
}

// ValidateUpdate refuses changes of the spec, except a request to cancel the build.
func (strategy) ValidateUpdate(_ context.Context, object, old runtime.Object) field.ErrorList {
	return ValidateUpdate(object.(*v1alpha1.ImageBuild), old.(*v1alpha1.ImageBuild))
}

// WarningsOnCreate warns about fields without effect.
func (s strategy) WarningsOnCreate(_ context.Context, object runtime.Object) []string {
	build := object.(*v1alpha1.ImageBuild)
	warnings := validation.InputWarnings(&build.Spec.Inputs, spec.Child("inputs"))
	return append(warnings, validation.TestWarnings(build.Spec.Tests, s.builders, s.clock.Now(), spec.Child("tests"))...)
}

// instantiatedStrategy is the strategy for builds that the server creates for an Image.
type instantiatedStrategy struct {
	strategy
}

// PrepareForCreate drops the status, sets the first phase and conditions, and sets the user of the trigger.
func (s instantiatedStrategy) PrepareForCreate(ctx context.Context, object runtime.Object) {
	s.prepare(ctx, object)
	if trigger := object.(*v1alpha1.ImageBuild).Spec.Trigger; trigger != nil {
		trigger.RequestedBy = resources.UserName(ctx)
	}
}

// Validate checks a build that the server creates.
func (s instantiatedStrategy) Validate(_ context.Context, object runtime.Object) field.ErrorList {
	build := object.(*v1alpha1.ImageBuild)
	return append(ValidateInstantiated(build), s.policy.InstantiatedImageBuild(build)...)
}

// WarningsOnCreate returns none, because the user of the request cannot change the Image.
func (instantiatedStrategy) WarningsOnCreate(context.Context, runtime.Object) []string { return nil }

// statusStrategy is that of the status subresource.
type statusStrategy struct {
	resources.DefaultStatusStrategy
}

func newStatusStrategy(scheme *runtime.Scheme) statusStrategy {
	return statusStrategy{resources.NewDefaultStatusStrategy(scheme, v1alpha1.SchemeGroupVersion)}
}

// PrepareForUpdate keeps everything but the status. In the status it sets finished from the phase, and keeps the fields of other subresources:
// progress and stages, the attestation with the condition Attested, and the revocation, unless the build gets that of another build as it ends.
func (s statusStrategy) PrepareForUpdate(ctx context.Context, object, old runtime.Object) {
	s.DefaultStatusStrategy.PrepareForUpdate(ctx, object, old)
	build, stored := object.(*v1alpha1.ImageBuild), old.(*v1alpha1.ImageBuild)
	build.Status.Finished = build.Status.Phase.Finished()
	if revoked := build.Status.Revoked; stored.Status.Revoked != nil || stored.Status.Finished || revoked == nil || revoked.Origin == "" {
		build.Status.Revoked = stored.Status.Revoked // or the build shares an artifact with a build that will be revoked
	}
	if attempts := build.Status.Attempts; beginsAnew(attempts, stored.Status.Attempts) {
		build.Status.Progress, build.Status.Stages = nil, nil // reports of the former pod
		if len(attempts[len(attempts)-1].Tests) == 0 {
			state.ForgetAttestation(&build.Status)
			return
		}
		takeAttestation(&build.Status, &stored.Status) // a test makes no other artifacts
		return
	}
	takeAttestation(&build.Status, &stored.Status)
	state.EndAttestation(&build.Status)
	build.Status.Progress = endProgress(stored.Status.Progress, build.Status.Phase)
	build.Status.Stages = endLast(stored.Status.Stages, build.Status.Stages)
}

// beginsAnew reports whether a new pod is about to report: the pod of a new attempt, or a new pod of an attempt whose Job was
// suspended.
func beginsAnew(written, stored []v1alpha1.BuildAttempt) bool {
	last := len(stored) - 1
	if len(written) != len(stored) || last < 0 {
		return len(written) > len(stored)
	}
	return stored[last].PodUID != "" && written[last].PodUID == ""
}

// endProgress returns the stored progress, with 100 percent once the build has succeeded: a builder may end without a last report.
func endProgress(stored *v1alpha1.BuildProgress, phase v1alpha1.BuildPhase) *v1alpha1.BuildProgress {
	if stored == nil || phase != v1alpha1.BuildSucceeded {
		return stored
	}
	progress := *stored
	progress.Percent = new(int32(100))
	return &progress
}

// endLast returns the stored stages. If the last stage has not ended, it gets the end of the last written stage.
func endLast(stored, written []v1alpha1.BuildStage) []v1alpha1.BuildStage {
	last := len(stored) - 1
	if last < 0 || stored[last].CompletionTime != nil || len(written) != len(stored) || written[last].Name != stored[last].Name {
		return stored
	}
	stages := slices.Clone(stored)
	stages[last].CompletionTime = written[last].CompletionTime
	return stages
}

// ValidateUpdate enforces the phase table, and protects final fields.
func (statusStrategy) ValidateUpdate(_ context.Context, object, old runtime.Object) field.ErrorList {
	return ValidateStatusUpdate(object.(*v1alpha1.ImageBuild), old.(*v1alpha1.ImageBuild))
}
