// SPDX-License-Identifier: Apache-2.0

package imageplan

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// The reasons that only plans have.
const (
	// reasonForbidden means that the user may not read the Image, or an object that its inputs refer to.
	reasonForbidden = "Forbidden"
	// reasonDeleting means that the Image is being deleted.
	reasonDeleting = "Deleting"
)

// planner plans Images of the namespace of its context, for the user of its context.
type planner struct {
	scope    *resources.Scope
	images   *image.REST
	builds   *imagebuild.Store
	builders inputs.Builders
	sources  *image.Sources
	clock    clock.PassiveClock
	policy   validation.Policy
	kept     func(digest string) bool // nil if the server keeps no artifacts
	archives rest.Getter              // nil if plans do not report when archives were checked
	queue    func(ctx context.Context, build *v1alpha1.ImageBuild) (string, error)
}

func sameSpec(image, stored *v1alpha1.Image) bool {
	return equality.Semantic.DeepEqual(image.Spec, stored.Spec)
}

// plan plans an Image with the given spec and the stored status. hidden is why the user may not know its inputs, or nil if
// the user may.
func (p *planner) plan(ctx context.Context, given *v1alpha1.Image, hidden *v1alpha1.BuildFailure) (*v1alpha1.ImagePlan, error) {
	return p.describe(given, func(image *v1alpha1.Image) (*v1alpha1.ImagePlanStatus, error) { return p.status(ctx, image, hidden) })
}

// refuse returns a plan that contains only the reason of the refusal, for an Image that the user may not get.
func (p *planner) refuse(given *v1alpha1.Image, hidden *v1alpha1.BuildFailure) (*v1alpha1.ImagePlan, error) {
	return p.describe(given, func(*v1alpha1.Image) (*v1alpha1.ImagePlanStatus, error) {
		return &v1alpha1.ImagePlanStatus{Reason: string(hidden.Reason), Message: hidden.Message}, nil
	})
}

// describe returns the plan of an Image with the given spec.
func (p *planner) describe(given *v1alpha1.Image, decide func(image *v1alpha1.Image) (*v1alpha1.ImagePlanStatus, error)) (*v1alpha1.ImagePlan, error) {
	image := given.DeepCopy()               // the storage returns shared objects
	v1alpha1.SetObjectDefaults_Image(image) // of fields that were added after the Image was stored
	status, err := decide(image)
	if err != nil {
		return nil, err
	}
	return &v1alpha1.ImagePlan{
		ObjectMeta: metav1.ObjectMeta{Name: image.Name, Namespace: image.Namespace},
		Spec:       image.Spec,
		Status:     *status,
	}, nil
}

func (p *planner) status(ctx context.Context, image *v1alpha1.Image, hidden *v1alpha1.BuildFailure) (*v1alpha1.ImagePlanStatus, error) {
	if image.DeletionTimestamp != nil {
		return &v1alpha1.ImagePlanStatus{Reason: reasonDeleting, Message: "the image is being deleted, so it gets no more builds"}, nil
	}
	builds, err := p.builds.BuildsOf(ctx, image)
	if err != nil {
		return nil, err
	}
	var resolved *v1alpha1.ResolvedInputs
	unresolved := hidden
	if hidden == nil {
		if resolved, unresolved, err = p.resolve(ctx, image); err != nil {
			return nil, err
		}
	}
	observed := trigger.Observed{Image: image, Builds: builds, Resolved: resolved, Unresolved: unresolved, Kept: p.kept, Hold: trigger.StoredHold(image), Now: p.clock.Now()}
	if observed.BasePackages, err = p.basePackages(ctx, image); err != nil {
		return nil, err
	}
	decision := trigger.Next(observed)
	status := &v1alpha1.ImagePlanStatus{
		Build:            decision.Request != nil,
		Reason:           decision.Reason,
		Message:          decision.Message,
		Changes:          decision.Changes,
		NextScheduleTime: decision.Status.NextScheduleTime,
	}
	if status.Packages, err = p.packages(ctx, observed, decision); err != nil {
		return nil, err
	}
	number, err := p.images.NextNumber(ctx, image)
	if err != nil {
		return nil, err
	}
	status.BuildName = trigger.BuildName(image.Name, number)
	if decision.Request != nil {
		p.ask(ctx, image, number, decision.Request, status)
	}
	if status.Build {
		if err := p.addObstacle(ctx, image, number, decision.Request, status); err != nil {
			return nil, err
		}
	}
	if unresolved != nil {
		return status, nil
	}
	status.InputsDigest, status.BaseDigest, status.Source = resolved.InputsDigest, resolved.BaseDigest, resolved.Source
	if decision.Retests != nil {
		return status, nil
	}
	var adds string
	status.Job, adds, err = p.job(image, number, resolved)
	status.Message = strings.TrimPrefix(status.Message+adds, "; ")
	if err != nil {
		// The build would fail with this error, so the plan reports it before.
		status.Message = fmt.Sprintf("%s; a build would fail: %v", status.Message, err)
	}
	return status, nil
}

// ask tells whether the server would accept the request for the build that is due, as far as it depends on the operator's limits and
// policies. A policy for certain users decides about the user of the plan, and not about the controller.
func (p *planner) ask(ctx context.Context, image *v1alpha1.Image, number int64, request *v1alpha1.BuildRequest, status *v1alpha1.ImagePlanStatus) {
	err := p.images.Refusal(ctx, image, number, request)
	switch {
	case err == nil:
	case apierrors.IsForbidden(err) || apierrors.IsInvalid(err): // as the controller distinguishes
		status.Build, status.Reason = false, v1alpha1.ReasonBuildRefused
		status.Message += ", but the server would refuse the build: " + err.Error()
	default:
		status.Message += "; whether the server would refuse the build is not known: " + err.Error()
	}
}

// addObstacle adds what the build that is due would wait for in the queue.
func (p *planner) addObstacle(ctx context.Context, image *v1alpha1.Image, number int64, request *v1alpha1.BuildRequest, status *v1alpha1.ImagePlanStatus) error {
	if p.queue == nil {
		return nil
	}
	why, err := p.queue(ctx, &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Name: status.BuildName, Namespace: image.Namespace, CreationTimestamp: metav1.NewTime(p.clock.Now())},
		Spec: v1alpha1.ImageBuildSpec{
			ImageRef: &v1alpha1.ImageReference{Name: image.Name, UID: image.UID}, Number: new(number), RunPolicy: image.Spec.RunPolicy,
			Inputs: image.Spec.BuildInputs, Trigger: &v1alpha1.BuildTrigger{Reason: request.Reason},
		},
	})
	if err == nil && why != "" {
		status.Message += "; the build would wait in the queue: " + why
	}
	return err
}

// job renders the Job of the first attempt of the next build. It also returns what the plan's message adds about the Job.
func (p *planner) job(image *v1alpha1.Image, number int64, resolved *v1alpha1.ResolvedInputs) (*runtime.RawExtension, string, error) {
	builder, notAllowed := p.builders.Lookup(image.Spec.Builder)
	if notAllowed != nil {
		return nil, "", fmt.Errorf("%s", notAllowed.Message)
	}
	build := &v1alpha1.ImageBuild{
		ObjectMeta: metav1.ObjectMeta{Name: trigger.BuildName(image.Name, number), Namespace: image.Namespace},
		Spec: v1alpha1.ImageBuildSpec{
			ImageRef: &v1alpha1.ImageReference{Name: image.Name, UID: image.UID},
			Number:   new(number),
			Inputs:   image.Spec.BuildInputs,
			Timeouts: image.Spec.Timeouts,
			Retry:    image.Spec.Retry,
		},
		Status: v1alpha1.ImageBuildStatus{Resolved: resolved},
	}
	adds := ""
	if !builder.Publisher.Agent && render.HasOwnContainers(build, 1) {
		adds = "; the controller adds containers to this Job that fetch the base or publish, because only the controller knows their image"
	}
	builder.Publisher = inputs.Publisher{Agent: true}
	job, err := render.Job(build, 1, builder)
	if err != nil {
		return nil, "", err
	}
	text, err := json.Marshal(job)
	if err != nil {
		return nil, "", err
	}
	return &runtime.RawExtension{Raw: text}, adds, nil
}
