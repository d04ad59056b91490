// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/store"
	"goldsmith.dev/goldsmith/apiserver/registry/subresource"
	"goldsmith.dev/goldsmith/apiserver/requesterrors"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// reportAgain is when a builder should repeat a report that was sent too early, in seconds.
const reportAgain = 1

// reporter serves the report subresource: it stores the progress that the builder of the current attempt reports. It
// identifies the client by the pod that its token is bound to, whatever its service account.
type reporter struct {
	builds store.Store[*v1alpha1.ImageBuild]
	clock  clock.PassiveClock
}

func newReport(builds *resources.Store, scheme *runtime.Scheme, clock clock.PassiveClock) *subresource.Action[v1alpha1.BuildReport, *v1alpha1.BuildReport] {
	r := &reporter{builds: store.Of[*v1alpha1.ImageBuild](builds.WithUpdateStrategy(reportStrategy{resources.NewDefaultStatusStrategy(scheme, v1alpha1.SchemeGroupVersion)})), clock: clock}
	return subresource.NewAction("imagebuilds/report", v1alpha1.BuildReport{}, checkReport, r.report)
}

// checkReport refuses invalid reports, and reports that do not come from a pod of the namespace. It reads no objects, so a
// pod learns nothing about other namespaces.
func checkReport(ctx context.Context, name string, report *v1alpha1.BuildReport) error {
	if podOfUser(ctx) == "" || namespaceOfUser(ctx) != apirequest.NamespaceValue(ctx) {
		return notOwnBuild(name)
	}
	return subresource.Invalid(v1alpha1.Kind("BuildReport").GroupKind(), name, validateReport(report, name))
}

// report stores a report of the current attempt's pod and returns it with its stage. An unchanged report is not written.
func (r *reporter) report(ctx context.Context, name string, report *v1alpha1.BuildReport, options *metav1.CreateOptions) (runtime.Object, error) {
	pod := podOfUser(ctx)
	build, err := r.builds.Update(ctx, name, options.DryRun, func(_ context.Context, build *v1alpha1.ImageBuild) error {
		attempt, err := reportedAttempt(build, pod)
		if err != nil {
			return err
		}
		return takeReport(build, attempt, report, r.clock.Now())
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil, notOwnBuild(name)
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

// podOfUser returns the pod that the user's token is bound to, if it is bound to one.
func podOfUser(ctx context.Context) types.UID {
	user, ok := apirequest.UserFrom(ctx)
	if !ok {
		return ""
	}
	if uids := user.GetExtra()[serviceaccount.PodUIDKey]; len(uids) == 1 {
		return types.UID(uids[0])
	}
	return ""
}

// namespaceOfUser is the namespace of the user's service account and its pod. It is empty for any other user.
func namespaceOfUser(ctx context.Context) string {
	user, ok := apirequest.UserFrom(ctx)
	if !ok {
		return ""
	}
	namespace, _, err := serviceaccount.SplitUsername(user.GetName())
	if err != nil {
		return ""
	}
	return namespace
}

// reportedAttempt is the attempt of a reporting pod, which must be the current attempt without an outcome.
func reportedAttempt(build *v1alpha1.ImageBuild, pod types.UID) (int32, error) {
	attempts := build.Status.Attempts
	if len(attempts) == 0 {
		return 0, notOwnBuild(build.Name)
	}
	for _, earlier := range attempts[:len(attempts)-1] {
		if earlier.PodUID == pod {
			return 0, mayNotReport(build.Name, fmt.Sprintf("pod %s belongs to attempt %d, which has ended: the current attempt is %d",
				earlier.PodName, earlier.Number, build.Status.CurrentAttempt))
		}
	}
	current := attempts[len(attempts)-1]
	goesOn := current.Outcome == "" && !build.Status.Phase.Finished()
	switch {
	case current.PodUID == pod && goesOn:
		return current.Number, nil
	case current.PodUID == pod:
		return 0, apierrors.NewConflict(v1alpha1.Resource("imagebuilds"), build.Name,
			fmt.Errorf("attempt %d has ended and takes no more reports", current.Number))
	case current.PodUID == "" && goesOn:
		return 0, notRecordedYet(build.Name, current.Number)
	}
	return 0, notOwnBuild(build.Name)
}

// notOwnBuild is the same answer for a build of another pod and for a missing build.
func notOwnBuild(build string) error {
	return mayNotReport(build, "only the build's own pod may report: use the token that is mounted in the pod")
}

func mayNotReport(build, why string) error {
	return apierrors.NewForbidden(v1alpha1.Resource("imagebuilds/report"), build, fmt.Errorf("%s", why))
}

// notRecordedYet is the answer to a builder whose pod the controller has not recorded yet.
func notRecordedYet(build string, attempt int32) error {
	return requesterrors.Unavailable(fmt.Sprintf("the pod of attempt %d of imagebuild %q is not recorded yet: report again", attempt, build),
		metav1.StatusDetails{Group: v1alpha1.SchemeGroupVersion.Group, Kind: "imagebuilds", Name: build, RetryAfterSeconds: reportAgain})
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
