// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/render"
	"goldsmith.dev/goldsmith/jobs/state"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

// Errors that the API returns. After errServer and errTimeout the outcome of the request is unknown.
var (
	anything     = schema.GroupResource{Resource: "objects"}
	errConflict  = apierrors.NewConflict(anything, "object", errors.New("it has changed"))
	errExists    = apierrors.NewAlreadyExists(anything, "object")
	errGone      = &apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonGone, Code: http.StatusGone}}
	errInvalid   = apierrors.NewInvalid(schema.GroupKind{Kind: "Object"}, "object", nil)
	errNotDue    = apierrors.NewConflict(anything, "object", errors.New("no trigger requests this build now"))
	errRejected  = apierrors.NewForbidden(anything, "job", errors.New("admission webhook denied the request"))
	errForbidden = apierrors.NewForbidden(anything, "pod", errors.New("violates PodSecurity"))
	errServer    = errors.New("the server has crashed")
	errTimeout   = errors.New("timeout")
)

func notFound(name string) error { return apierrors.NewNotFound(anything, name) }

// request is a request for a build to an Image or, for a rerun, to an earlier build of the Image.
type request struct {
	image      string
	uid        types.UID // of the Image, for a rerun
	id         string
	reason     v1alpha1.TriggerReason
	parameters []v1alpha1.Parameter
	rerunOf    *v1alpha1.ImageBuild
	reproduce  bool // what rerunOf has made, if it has succeeded
	crash      bool // of the server, once it has recorded the request
}

// instantiate is the subresource of that name, and what rerun comes to.
func (w *environment) instantiate(r request) (*v1alpha1.ImageBuild, error) {
	image, ok := w.images.get(r.image)
	switch {
	case !ok:
		return nil, notFound(r.image)
	case r.uid != "" && image.UID != r.uid:
		return nil, errConflict
	}
	for taken := int64(0); ; {
		image, record, err := w.allocate(r, taken)
		if err != nil {
			return nil, err
		}
		if r.crash {
			w.cover.point("the server crashes, request recorded")
			return nil, errServer
		}
		name := fmt.Sprintf("%s-%d", image.Name, record.Number)
		build, found := w.builds.get(name)
		switch {
		case !found && record.UID != "":
			return nil, errGone
		case !found:
			if build = w.compose(r, image, record.Number, name); build == nil {
				return nil, errConflict
			}
			w.checkNewBuild(build, image)
			put(w, &w.builds, build)
			return build, nil
		case record.UID != "" && build.UID == record.UID, record.UID == "" && isOf(build, image, record):
			return build, nil
		case record.UID != "":
			return nil, errGone
		}
		taken = record.Number
	}
}

func isOf(build *v1alpha1.ImageBuild, image *v1alpha1.Image, record v1alpha1.BuildRequestRecord) bool {
	return build.Spec.ImageRef != nil && build.Spec.ImageRef.UID == image.UID && numberOf(build) == record.Number &&
		build.Spec.Trigger.RequestID == record.RequestID
}

// allocate finds or records the request. taken is a number whose name is somebody else's.
func (w *environment) allocate(r request, taken int64) (*v1alpha1.Image, v1alpha1.BuildRequestRecord, error) {
	image, _ := w.images.get(r.image)
	known := -1
	for i, record := range image.Status.RecentRequests {
		if record.RequestID != r.id {
			continue
		}
		if record.Number != taken {
			return image, record, nil
		}
		known = i
	}
	if trigger.Reserved(r.id) && !w.requests(image, r.id) {
		w.cover.point("a request is not due")
		return nil, v1alpha1.BuildRequestRecord{}, errNotDue
	}
	next := *image
	number := image.Status.BuildCounter + 1
	for {
		if _, found := w.builds.get(fmt.Sprintf("%s-%d", image.Name, number)); !found {
			break
		}
		number++
	}
	record := v1alpha1.BuildRequestRecord{RequestID: r.id, Number: number}
	next.Status.BuildCounter = number
	next.Status.RecentRequests = append([]v1alpha1.BuildRequestRecord(nil), image.Status.RecentRequests...)
	if known >= 0 {
		next.Status.RecentRequests[known] = record
	} else {
		next.Status.RecentRequests = append(next.Status.RecentRequests, record)
	}
	put(w, &w.images, &next)
	w.truth.given = append(w.truth.given, given{image: next.UID, record: record, moved: w.truth.moved[next.Name], name: next.Name, overtaken: w.arrivesLate || w.truth.excused})
	return &next, record, nil
}

// requests reports whether a trigger of the Image requests a build with this ID, by what is stored and the time of the server.
func (w *environment) requests(image *v1alpha1.Image, id string) bool {
	now := w.resolveImage(image)
	return trigger.Requests(trigger.Observed{Image: image, Builds: w.buildsOf(image), Now: w.now, Resolved: now.resolved, Unresolved: now.unresolved}, id)
}

func (w *environment) buildsByUID() map[types.UID]*v1alpha1.ImageBuild {
	builds := map[types.UID]*v1alpha1.ImageBuild{}
	for _, build := range w.builds.all {
		builds[build.UID] = build
	}
	return builds
}

// buildsOf are the builds of an Image, in the order of their numbers.
func (w *environment) buildsOf(image *v1alpha1.Image) (builds []v1alpha1.ImageBuild) {
	for _, build := range w.builds.all {
		if build.Spec.ImageRef != nil && build.Spec.ImageRef.UID == image.UID {
			builds = append(builds, *build)
		}
	}
	slices.SortFunc(builds, func(a, b v1alpha1.ImageBuild) int { return cmp.Compare(numberOf(&a), numberOf(&b)) })
	return builds
}

// compose returns the build of a request. It is nil if the request is to test artifacts again, and there are none.
func (w *environment) compose(r request, image *v1alpha1.Image, number int64, name string) *v1alpha1.ImageBuild {
	generation := image.Generation
	build := &v1alpha1.ImageBuild{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: image.Namespace, UID: w.uid(), Generation: 1, CreationTimestamp: w.time(),
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "images.goldsmith.dev/v1alpha1", Kind: "Image", Name: image.Name, UID: image.UID, Controller: new(true)}},
	}}
	build.Spec = v1alpha1.ImageBuildSpec{
		ImageRef: &v1alpha1.ImageReference{Name: image.Name, UID: image.UID}, Number: &number, ImageGeneration: &generation,
		RunPolicy: image.Spec.RunPolicy, Trigger: &v1alpha1.BuildTrigger{Reason: r.reason, RequestID: r.id, Parameters: r.parameters},
		Inputs: image.Spec.BuildInputs, Timeouts: image.Spec.Timeouts, Retry: image.Spec.Retry, Tests: image.Spec.Tests,
	}
	if trigger.IsPackageRequest(r.id) {
		build.Spec.Trigger.Packages = image.Status.Packages
	}
	if r.reason == v1alpha1.TriggerTestsChange {
		earlier := trigger.Retested(trigger.Observed{Image: image, Builds: w.buildsOf(image), Now: w.now})
		if earlier == nil {
			w.cover.point("no build can be tested again")
			return nil
		}
		w.cover.point("a build is tested again")
		build.Spec.Inputs, build.Spec.Pinned = earlier.Spec.Inputs, inputs.Pinned(earlier)
		build.Spec.Retests = &v1alpha1.TestedBuild{Name: earlier.Name, UID: earlier.UID, Artifacts: slices.Clone(earlier.Status.Artifacts)}
		build.Spec.Retests.Artifacts[0].Tag = ""
	}
	if len(r.parameters) > 0 {
		build.Spec.Inputs.Parameters = inputs.WithParameters(image.Spec.Parameters, r.parameters)
	}
	if earlier := r.rerunOf; earlier != nil {
		build.Spec.Trigger.RerunOf, build.Spec.Trigger.Parameters = earlier.Name, earlier.Spec.Trigger.Parameters
		build.Spec.ImageGeneration, build.Spec.Inputs = earlier.Spec.ImageGeneration, earlier.Spec.Inputs
		build.Spec.Timeouts, build.Spec.Retry, build.Spec.Pinned = earlier.Spec.Timeouts, earlier.Spec.Retry, inputs.Pinned(earlier)
		if r.reproduce && earlier.Status.Finished && len(earlier.Status.Artifacts) > 0 {
			build.Spec.Reproduces, build.Spec.RunPolicy, build.Spec.Tests = attestation.Reproducible(earlier), v1alpha1.RunPolicyParallel, nil
		}
	}
	if r.rerunOf != nil || len(r.parameters) > 0 {
		oneOff := build.Spec.Reproduces != nil || inputs.OneOff(&build.Spec, image.Spec.BuildInputs, w.resolve(&image.Spec.BuildInputs, image.Status.Source, w.images.get).resolved)
		build.Spec.OneOff = &oneOff
		if !oneOff {
			w.cover.point("a rerun counts")
			build.Spec.ImageGeneration = &generation
		} else {
			w.cover.point("a build is one-off")
		}
	}
	build.Status.Phase = v1alpha1.BuildPending
	return build
}

// updateImageStatus keeps what is instantiate's and the channels' own.
func (w *environment) updateImageStatus(image *v1alpha1.Image, status v1alpha1.ImageStatus) error {
	live, ok := w.images.get(image.Name)
	switch {
	case !ok:
		return notFound(image.Name)
	case live.ResourceVersion != image.ResourceVersion:
		return errConflict
	}
	next := *live
	next.Status = status
	next.Status.BuildCounter, next.Status.Channels = live.Status.BuildCounter, slices.Clone(live.Status.Channels)
	for i := range next.Status.Channels {
		for _, reported := range status.Channels {
			if reported.Name == next.Status.Channels[i].Name && reported.Build == next.Status.Channels[i].Build {
				next.Status.Channels[i].Revoked, next.Status.Channels[i].Missing = reported.Revoked, reported.Missing
			}
		}
	}
	next.Status.RecentRequests = append([]v1alpha1.BuildRequestRecord(nil), live.Status.RecentRequests...)
	for i := range next.Status.RecentRequests {
		record := &next.Status.RecentRequests[i]
		for _, reported := range status.RecentRequests {
			if record.UID == "" && reported.RequestID == record.RequestID && reported.Number == record.Number {
				record.UID = reported.UID
			}
		}
	}
	if equality.Semantic.DeepEqual(live.Status.Source, next.Status.Source) {
		w.checkReport(live, &next.Status)
		w.checkFixes(live, &next.Status)
	} else { // nothing else is written then
		w.checkSource(live, &next.Status)
	}
	if !equality.Semantic.DeepEqual(&next.Status, &live.Status) { // a store does not write what it has
		put(w, &w.images, &next)
	}
	return nil
}

// updateBuildStatus refuses what the real one refuses; a controller that asks for it has broken an invariant.
func (w *environment) updateBuildStatus(build *v1alpha1.ImageBuild, status v1alpha1.ImageBuildStatus) (*v1alpha1.ImageBuild, error) {
	live, ok := w.builds.get(build.Name)
	switch {
	case !ok || live.UID != build.UID:
		return nil, notFound(build.Name)
	case live.ResourceVersion != build.ResourceVersion:
		return nil, errConflict
	}
	next := *live
	next.Status = status
	next.Status.Finished = status.Phase.Finished()
	if revoked := next.Status.Revoked; live.Status.Revoked != nil || live.Status.Finished || revoked == nil || revoked.Origin == "" {
		next.Status.Revoked = live.Status.Revoked
	}
	w.checkStatus(live, &next)
	put(w, &w.builds, &next)
	return &next, nil
}

// cancel is the subresource of that name. supersededBy is empty if a person asks.
func (w *environment) cancel(name, supersededBy string) error {
	live, ok := w.builds.get(name)
	waits := ok && len(live.Status.Attempts) == 0 && (live.Status.Phase == v1alpha1.BuildPending || live.Status.Phase == v1alpha1.BuildQueued)
	switch {
	case !ok:
		return notFound(name)
	case live.Spec.CancelRequested != nil || live.Status.Phase.Finished() || supersededBy != "" && !waits:
		return nil
	}
	if newer, ok := w.builds.get(supersededBy); supersededBy != "" && (!ok || numberOf(newer) <= numberOf(live)) {
		return notFound(supersededBy)
	}
	next := *live
	next.Generation++
	next.Spec.CancelRequested = &v1alpha1.CancelRequested{Time: w.time(), SupersededBy: supersededBy}
	put(w, &w.builds, &next)
	return nil
}

func (w *environment) createJob(job *batchv1.Job) (*batchv1.Job, error) {
	if _, ok := w.jobs.get(job.Name); ok {
		return nil, errExists
	}
	if w.rejecting {
		w.truth.rejected[job.Name] = true
		return nil, errRejected
	}
	if checksSource(job) {
		w.checkNewCheck(job)
	} else {
		w.checkNewJob(job)
	}
	next := *job
	next.UID, next.CreationTimestamp = w.uid(), w.time()
	render.KeepFingerprint(&next) // here and not in each cache, because it is slow
	put(w, &w.jobs, &next)
	w.truth.jobs[next.UID] = next.Name
	if !checksSource(job) {
		w.truth.owners[next.UID] = next.OwnerReferences[0].UID
	}
	return &next, nil
}

// deleteJob deletes it at once, and its pods some time later.
func (w *environment) deleteJob(name string, only *metav1.Preconditions) error {
	job, ok := w.jobs.get(name)
	if !ok {
		return notFound(name)
	}
	if !isThat(job, only) {
		return errConflict
	}
	// A Job cannot be compared while its builder is not registered or its creation is refused. One that names a build as its owner
	// which does not exist is deleted with it.
	if w.truth.jobs[job.UID] == "" && !w.builderGone && !w.rejecting && !w.arrivesLate && w.ownerOfJob(job) != nil {
		w.broken("the Job %s of a stranger is deleted", name)
	}
	remove(w, &w.jobs, job)
	return nil
}

// ownerOfJob is the build that a Job belongs to; nil if it does not exist.
func (w *environment) ownerOfJob(job *batchv1.Job) *v1alpha1.ImageBuild {
	if len(job.OwnerReferences) == 0 {
		return nil
	}
	if build, ok := w.builds.get(job.OwnerReferences[0].Name); ok && build.UID == job.OwnerReferences[0].UID {
		return build
	}
	return nil
}

// deleteAbandonedPod deletes a pod that is not deleted with a Job.
func (w *environment) deleteAbandonedPod(name string, only *metav1.Preconditions) error {
	pod, ok := w.pods.get(name)
	if !ok {
		return notFound(name)
	}
	if !isThat(pod, only) {
		return errConflict
	}
	for _, job := range w.jobs.all {
		if metav1.IsControlledBy(pod, job) && job.DeletionTimestamp == nil && !jobOver(job) && !state.Failing(job) {
			w.broken("pod %s is deleted as one that was left behind, and its Job goes on", name)
		}
	}
	w.deletePod(pod, "")
	return nil
}

// stopPod lowers the pod's deadline.
func (w *environment) stopPod(name string, uid types.UID, seconds int64) error {
	pod, ok := w.pods.get(name)
	if !ok {
		return notFound(name)
	}
	if pod.UID != uid {
		return errConflict
	}
	w.changePod(pod, func(next *corev1.Pod) { next.Spec.ActiveDeadlineSeconds = &seconds })
	if truth := w.truth.pods[uid]; truth.node == nodeUp && !w.peace && w.version%4 == 0 {
		truth.node = nodeHangs
	}
	return nil
}

// isThat reports whether an object meets the preconditions of a deletion.
func isThat(object client.Object, only *metav1.Preconditions) bool {
	return only == nil || (only.UID == nil || *only.UID == object.GetUID()) && (only.ResourceVersion == nil || *only.ResourceVersion == object.GetResourceVersion())
}

// deleteBuild deletes a build that is still as it was when that was decided.
func (w *environment) deleteBuild(name string, only *metav1.Preconditions, excused bool) error {
	build, ok := w.builds.get(name)
	switch {
	case !ok:
		return notFound(name)
	case !isThat(build, only):
		return errConflict
	}
	if build.Spec.ImageRef == nil {
		w.checkExpired(build)
	} else {
		w.checkPruning(build, excused)
	}
	w.remember(build)
	if build.DeletionTimestamp != nil {
		return nil // a finalizer keeps it
	}
	remove(w, &w.builds, build)
	return nil
}

// remember records the UID of a build for its request, and its revocation, before the build is deleted.
func (w *environment) remember(build *v1alpha1.ImageBuild) {
	if build.Spec.ImageRef == nil {
		return
	}
	image, ok := w.images.get(build.Spec.ImageRef.Name)
	if !ok || image.UID != build.Spec.ImageRef.UID {
		return
	}
	if latest := image.Status.LatestSuccessful; latest != nil && latest.Name == build.Name || slices.ContainsFunc(image.Status.Channels, func(c v1alpha1.ImageChannel) bool { return c.Build == build.Name }) {
		next := *image
		if latest != nil {
			next.Status.LatestSuccessful = latest.DeepCopy()
		}
		if latest != nil && latest.Name == build.Name {
			next.Status.LatestSuccessful.Revoked = build.Status.Revoked
		}
		next.Status.Channels = slices.Clone(image.Status.Channels)
		for i := range next.Status.Channels {
			if next.Status.Channels[i].Build == build.Name {
				next.Status.Channels[i].Revoked = build.Status.Revoked
			}
		}
		put(w, &w.images, &next)
		image = &next
	}
	for i, record := range image.Status.RecentRequests {
		if record.RequestID == build.Spec.Trigger.RequestID && record.Number == numberOf(build) && record.UID == "" {
			next := *image
			next.Status.RecentRequests = append([]v1alpha1.BuildRequestRecord(nil), image.Status.RecentRequests...)
			next.Status.RecentRequests[i].UID = build.UID
			put(w, &w.images, &next)
		}
	}
}

// resolution holds the resolved inputs, or the reason why they do not resolve.
type resolution struct {
	resolved   *v1alpha1.ResolvedInputs
	unresolved *v1alpha1.BuildFailure
}

// resolve resolves inputs with the checks of their source, and with a base as somebody knows it.
func (w *environment) resolve(given *v1alpha1.BuildInputs, checks *v1alpha1.ImageSource, base func(name string) (*v1alpha1.Image, bool)) resolution {
	if failure := w.memo.lookup(given.Builder, w.builderGone); failure != nil {
		return resolution{unresolved: failure}
	}
	var found *v1alpha1.Image
	if given.Base.ImageRef != nil {
		if image, ok := base(given.Base.ImageRef.Name); ok {
			found = image
		}
	}
	return w.memo.resolve(given, found, w.revocation(given.Base.ImageRef, found), checks)
}

// resolveImage resolves the inputs of an Image, which do not resolve if its tests cannot run.
func (w *environment) resolveImage(image *v1alpha1.Image) resolution {
	now := w.resolve(&image.Spec.BuildInputs, image.Status.Source, w.images.get)
	if now.unresolved != nil {
		if now.unresolved.Reason == v1alpha1.ReasonSourceUnresolved && *image.Spec.Suspend {
			now.unresolved = inputs.NotChecked(image.Spec.Source, "spec.suspend is true, so set it to false, or ask for a build")
		}
		return now
	}
	if failure := w.registered(w.builderGone).CheckTests(inputs.NextBuild(image, w.time())); failure != nil {
		return resolution{unresolved: failure}
	}
	return now
}
