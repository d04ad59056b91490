// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// reportOfPod is a report, which comes from the pod of a builder.
var reportOfPod = podRequest{resource: "imagebuilds/report", verb: "report", noun: "reports"}

// reporter serves the report subresource: it stores the progress that the builder of the current attempt reports.
type reporter struct {
	builds store.Store[*v1alpha1.ImageBuild]
	clock  clock.PassiveClock
}

func newReport(builds *resources.Store, scheme *runtime.Scheme, clock clock.PassiveClock) *subresource.Action[v1alpha1.BuildReport, *v1alpha1.BuildReport] {
	r := &reporter{builds: store.Of[*v1alpha1.ImageBuild](builds.WithUpdateStrategy(reportStrategy{resources.NewDefaultStatusStrategy(scheme, v1alpha1.SchemeGroupVersion)})), clock: clock}
	return subresource.NewAction(reportOfPod.resource, v1alpha1.BuildReport{}, checkReport, r.report)
}

// checkReport refuses invalid reports, and reports that do not come from a pod of the namespace.
func checkReport(ctx context.Context, name string, report *v1alpha1.BuildReport) error {
	if err := reportOfPod.checkUser(ctx, name); err != nil {
		return err
	}
	return subresource.Invalid(v1alpha1.Kind("BuildReport").GroupKind(), name, validateReport(report, name))
}

// report stores a report of the current attempt's pod and returns it with its stage. An unchanged report is not written.
func (r *reporter) report(ctx context.Context, name string, report *v1alpha1.BuildReport, options *metav1.CreateOptions) (runtime.Object, error) {
	pod := podOfUser(ctx)
	build, err := r.builds.Update(ctx, name, options.DryRun, func(_ context.Context, build *v1alpha1.ImageBuild) error {
		attempt, err := reportOfPod.attempt(build, pod)
		if err != nil {
			return err
		}
		return takeReport(build, attempt, report, r.clock.Now())
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil, reportOfPod.notOwnBuild(name)
	case err != nil:
		return nil, err
	}
	progress := build.Status.Progress
	return &v1alpha1.BuildReport{
		ObjectMeta: metav1.ObjectMeta{Name: build.Name, Namespace: build.Namespace},
		Stage:      progress.Stage,
		Percent:    progress.Percent,
		Message:    progress.Message,
	}, nil
}

// reportStrategy allows only changes of progress and stages.
type reportStrategy struct {
	resources.DefaultStatusStrategy
}

// PrepareForUpdate keeps everything but progress and stages.
func (s reportStrategy) PrepareForUpdate(ctx context.Context, object, old runtime.Object) {
	s.DefaultStatusStrategy.PrepareForUpdate(ctx, object, old)
	build, stored := object.(*v1alpha1.ImageBuild), old.(*v1alpha1.ImageBuild)
	progress, stages := build.Status.Progress, build.Status.Stages
	build.Status = *stored.Status.DeepCopy()
	build.Status.Progress, build.Status.Stages = progress, stages
}
