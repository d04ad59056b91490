// SPDX-License-Identifier: Apache-2.0

package records

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/trigger"
	database "goldsmith.dev/goldsmith/records"
)

type reconciler struct {
	Options
	cache  client.Reader
	memory *memory

	ready chan struct{} // closed once queue is set
	queue workQueue
}

// Reconcile records an object as it is now, or its deletion. While the database is unavailable it only reports that in the
// condition: every object is reconciled again once the database answers.
func (r *reconciler) Reconcile(ctx context.Context, asked request) (ctrl.Result, error) {
	store, outage := r.memory.database()
	var err error
	switch {
	case store != nil:
		err = r.record(ctx, store, asked)
	case outage != nil:
		err = r.reportUnavailable(ctx, asked, outage)
	}
	kind := "record of Image"
	if asked.kind == database.Builds {
		kind = "record of ImageBuild"
	}
	return reconciliation.Result(kind, ctrl.Request{NamespacedName: asked.name}, ctrl.Result{}, err)
}

func (r *reconciler) record(ctx context.Context, store Store, asked request) error {
	err := r.write(ctx, store, asked)
	failure := databaseError{}
	if !errors.As(err, &failure) || ctx.Err() != nil {
		return err
	}
	r.Metrics.Errors.Inc()
	if errors.Is(failure, database.ErrInvalid) {
		return r.reportRefusal(ctx, asked, failure)
	}
	said := r.reportUnavailable(ctx, asked, failure)
	if _, outage := store.SchemaVersion(ctx); outage != nil { // for every object: no write is tried until the database answers
		r.handleOutage(ctx, outage)
		return said
	}
	return errors.Join(failure, said)
}

// write writes an object, or its deletion.
func (r *reconciler) write(ctx context.Context, store Store, asked request) error {
	image, build := &v1alpha1.Image{}, &v1alpha1.ImageBuild{}
	object := client.Object(build)
	if asked.kind == database.Images {
		object = image
	}
	is, err := r.find(ctx, asked, object)
	switch {
	case err != nil:
		return err
	case !is:
		return r.writeDeletion(ctx, store, asked)
	case asked.kind == database.Images:
		err = r.writeImage(ctx, store, image)
	default:
		err = r.writeBuild(ctx, store, build)
	}
	if err == nil {
		err = r.locate(ctx, store, asked.kind, object)
	}
	if err != nil || asked.kind == database.Images || !build.Status.Finished {
		return err
	}
	return r.setCondition(ctx, build, metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRecorded})
}

// find gets an object from the cache, and reports whether the cache has the object with this name and UID.
func (r *reconciler) find(ctx context.Context, asked request, object client.Object) (bool, error) {
	err := r.cache.Get(ctx, asked.name, object)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil && object.GetUID() == asked.uid, err
}

func (r *reconciler) writeBuild(ctx context.Context, store Store, build *v1alpha1.ImageBuild) error {
	version := buildVersion(build)
	if r.memory.last(build.UID).version == version {
		return nil
	}
	if err := store.PutBuild(ctx, build); err != nil {
		return databaseError{err}
	}
	r.memory.wroteVersion(build.UID, version)
	r.Metrics.Written.WithLabelValues(metrics.RecordedBuild).Inc()
	return nil
}

// writeImage writes the record of an Image, which changes less often than its status, and the outcome of reconciling it.
func (r *reconciler) writeImage(ctx context.Context, store Store, image *v1alpha1.Image) error {
	if version := imageVersion(image); r.memory.last(image.UID).version != version {
		if err := store.PutImage(ctx, image); err != nil {
			return databaseError{err}
		}
		r.memory.wroteVersion(image.UID, version)
		r.Metrics.Written.WithLabelValues(metrics.RecordedImage).Inc()
	}
	outcome, is := outcomeOf(image)
	if !is || outcome == r.memory.last(image.UID).outcome {
		return nil
	}
	if err := store.AddOutcome(ctx, database.ImageKey{Namespace: image.Namespace, Name: image.Name, UID: image.UID}, outcome); err != nil {
		return databaseError{err}
	}
	r.memory.updateWritten(image.UID, func(last *written) { last.outcome = outcome })
	return nil
}

// buildVersion changes whenever the record of a build has to be written again. The resource version does not fit: it also
// changes with the deletion of the build, with the condition Recorded, and with progress reports, which are not recorded.
func buildVersion(build *v1alpha1.ImageBuild) string {
	status := build.Status
	status.Progress = nil
	status.Conditions = slices.DeleteFunc(slices.Clone(status.Conditions), func(condition metav1.Condition) bool {
		return condition.Type == v1alpha1.BuildRecorded
	})
	hash := sha256.New()
	if err := json.NewEncoder(hash).Encode([]any{build.Spec, status, v1alpha1.UnderLegalHold(build)}); err != nil {
		return build.ResourceVersion // which costs an extra write
	}
	return string(hash.Sum(nil))
}

func versionOf(object client.Object) string {
	switch object := object.(type) {
	case *v1alpha1.ImageBuild:
		return buildVersion(object)
	case *v1alpha1.Image:
		return imageVersion(object)
	}
	return ""
}

// imageVersion changes whenever the record of an Image has to be written again.
func imageVersion(image *v1alpha1.Image) string {
	version := []any{image.Generation, v1alpha1.UnderLegalHold(image)}
	for i := range image.Status.Fixes {
		fix := &image.Status.Fixes[i]
		version = append(version, fix.Number, fix.Since.Unix())
		for _, channel := range fix.Channels {
			version = append(version, channel.Name)
		}
	}
	return fmt.Sprint(version...)
}

// outcomeOf is the outcome of reconciling an Image: why it is stalled or its inputs do not resolve, or how its last build ended.
func outcomeOf(image *v1alpha1.Image) (database.Outcome, bool) {
	said := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImageStalled)
	if said == nil || said.Status != metav1.ConditionTrue {
		said = meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImageInputsResolved)
	}
	if said == nil || said.Type == v1alpha1.ImageInputsResolved && said.Status != metav1.ConditionFalse {
		said = meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImageReady)
	}
	switch {
	case said == nil:
		return database.Outcome{}, false // it was never reconciled
	case said.Reason == v1alpha1.ReasonBuildQueued, said.Reason == v1alpha1.ReasonBuildActive:
		return database.Outcome{}, false // its first build has not finished
	}
	return database.Outcome{Time: said.LastTransitionTime.Time, Reason: said.Reason, Message: said.Message}, true
}

// rememberDeletion remembers a deleted object, with its last state unless that is recorded already. The last state of an Image also
// sets how long its records are kept.
func (r *reconciler) rememberDeletion(asked request, object client.Object) {
	end := deletion{at: r.Clock.Now()}
	if r.memory.last(object.GetUID()).version != versionOf(object) {
		end.last = object
	}
	if !r.memory.addDeletion(asked, end) && end.last != nil {
		r.Metrics.Forgotten.Inc()
	}
}

// writeDeletion writes the deletion of an object, and its last state.
func (r *reconciler) writeDeletion(ctx context.Context, store Store, asked request) error {
	end := r.memory.deletionOf(asked)
	var err error
	switch last := end.last.(type) {
	case *v1alpha1.ImageBuild:
		err = r.writeBuild(ctx, store, last)
	case *v1alpha1.Image:
		err = r.writeImage(ctx, store, last)
	}
	if err == nil && end.last != nil {
		err = r.locate(ctx, store, asked.kind, end.last)
	}
	if err != nil && !errors.Is(err, database.ErrInvalid) {
		return err
	}
	if err := r.recordDeletion(ctx, store, asked.kind, asked.uid, end.at); err != nil {
		return databaseError{err}
	}
	r.memory.forget(asked)
	return nil
}

// recordDeletion writes the time of a deletion.
func (r *reconciler) recordDeletion(ctx context.Context, store Store, kind database.Kind, uid types.UID, at time.Time) error {
	write := store.BuildDeleted
	if kind == database.Images {
		write = store.ImageDeleted
	}
	if err := write(ctx, uid, at); err != nil {
		return err
	}
	r.Metrics.Written.WithLabelValues(metrics.RecordedDeletion).Inc()
	return nil
}

// reportRefusal reports in a build that the database refuses it. The write is tried again only when the build changes.
func (r *reconciler) reportRefusal(ctx context.Context, asked request, failure error) error {
	ctrl.LoggerFrom(ctx).Error(failure, "the database refuses a record", "kind", asked.kind, "object", asked.name)
	return r.reportCondition(ctx, asked, metav1.Condition{
		Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotRecordable, Message: failure.Error(),
	})
}

// reportUnavailable reports in a finished, unrecorded build that the database cannot be written to.
func (r *reconciler) reportUnavailable(ctx context.Context, asked request, why error) error {
	return r.reportCondition(ctx, asked, metav1.Condition{
		Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRecordsUnavailable, Message: why.Error() + "; the controller retries, and keeps the build meanwhile",
	})
}

// reportCondition writes a condition of a finished, unrecorded build. It does nothing for other objects.
func (r *reconciler) reportCondition(ctx context.Context, asked request, condition metav1.Condition) error {
	if asked.kind != database.Builds {
		return nil
	}
	build := &v1alpha1.ImageBuild{}
	is, err := r.find(ctx, asked, build)
	if err != nil || !is || !build.Status.Finished || trigger.RecordSettled(build) {
		return err
	}
	return r.setCondition(ctx, build, condition)
}

func (r *reconciler) setCondition(ctx context.Context, build *v1alpha1.ImageBuild, condition metav1.Condition) error {
	condition.Type = v1alpha1.BuildRecorded
	return r.SetCondition(ctx, build, condition)
}

// databaseError is an error of the database, and not of the API.
type databaseError struct{ error }

// Unwrap returns the error of the database.
func (e databaseError) Unwrap() error { return e.error }
