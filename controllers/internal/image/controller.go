// SPDX-License-Identifier: Apache-2.0

// Package image requests the builds of an Image that jobs/trigger finds due, promotes builds, and keeps the Image's status and history. It does
// not give out numbers or names of builds: the subresource instantiate of the API does.
package image

import (
	"cmp"
	"context"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

const (
	// workers is how many Images are reconciled at the same time.
	workers = 4
	// settle is how long a change of an unfinished build may wait until it is in its Image's status. Faster changes of the
	// phase cost one write together.
	settle = 100 * time.Millisecond
	// recheck is when an Image is reconciled again after a change, in case the last decision used outdated objects.
	recheck = time.Minute
)

// Options of the controller. All but LogsArchived and BuildsRecorded are required.
type Options struct {
	reconciliation.Options
	// LogsArchived is whether logs are archived. Before it is pruned, a finished build waits up to a day for its logs.
	LogsArchived bool
	// BuildsRecorded is whether builds are recorded in a database. Before it is pruned, a finished build waits up to a day for this.
	BuildsRecorded bool
	// Packages finds newer versions of the packages of images. Nil finds none.
	Packages Packages
	// Sources checks the sources of images from Git and registries. Nil checks none.
	Sources Sources
	// SourceChecks counts these checks.
	SourceChecks *metrics.Checks
	// Vulnerabilities knows the vulnerabilities of builds. Nil is that of a server without advisories.
	Vulnerabilities Vulnerabilities
	// Metrics counts builds that were pruned too early, and fixes.
	Metrics *metrics.Builds
}

// Packages finds newer versions of the packages of images.
type Packages interface {
	// Candidates returns the newer versions of the packages in the latest successful build of an Image. again is when to ask again.
	Candidates(ctx context.Context, image *v1alpha1.Image, builds []v1alpha1.ImageBuild) (found *trigger.Candidates, again time.Duration, err error)
	// BaseComing reports whether a base is about to change.
	BaseComing(ctx context.Context, image *v1alpha1.Image) (bool, error)
	// Hold returns why a build that is due because of new packages waits for builds of other Images. If it is nil, the build is created.
	Hold(ctx context.Context, image *v1alpha1.Image, updates []v1alpha1.PackageUpdate) (*trigger.Hold, error)
}

// Sources checks the sources of images.
type Sources interface {
	// Next brings the check of the source of an Image forward, and returns what its status.source is to be. again is when to call it again without an
	// event; 0 means never.
	Next(ctx context.Context, image *v1alpha1.Image, builds []v1alpha1.ImageBuild) (next *v1alpha1.ImageSource, again time.Duration, err error)
}

// Vulnerabilities knows the vulnerabilities of builds.
type Vulnerabilities interface {
	// Known returns trigger.Observed.Vulnerabilities of an Image.
	Known(image types.NamespacedName) map[types.UID]*trigger.Vulnerabilities
	// AskAgain has them read again soon, because a promotion was refused.
	AskAgain(image types.NamespacedName)
}

// New makes the controller. The cache was made with package caches.
func New(options Options, cache client.Reader) *reconciliation.Controller {
	r := &reconciler{Options: options, cache: cache}
	watches := []reconciliation.Watch{
		// Changes of the status are not watched: its writers are this controller and instantiate, and builds are watched.
		{Object: &v1alpha1.Image{}, Passes: reconciliation.SpecChanged()},
		{Object: &v1alpha1.Image{}, Events: r.baseEvents()},
		{Object: &v1alpha1.ImageBuild{}, Events: buildEvents()},
		{Object: &v1alpha1.ImageBuild{}, Events: r.revocationEvents()},
		{Object: &corev1.ConfigMap{}, OnlyMetadata: true, Events: handler.EnqueueRequestsFromMapFunc(r.imagesOfConfigMap)},
	}
	if options.Packages != nil {
		watches = append(watches, reconciliation.Watch{Object: &v1alpha1.Archive{}, Events: r.archiveEvents()})
	}
	if options.Packages != nil || options.Sources != nil {
		watches = append(watches, reconciliation.Watch{Object: &batchv1.Job{}, Events: handler.EnqueueRequestsFromMapFunc(imageOfJob)})
	}
	return &reconciliation.Controller{Reconciler: r, Name: "image", Workers: workers, Watches: watches}
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// buildEvents reconciles an Image at once when one of its builds has finished or was deleted, otherwise after a moment.
func buildEvents() handler.EventHandler {
	enqueue := func(object client.Object, q queue, after time.Duration) {
		if build, ok := object.(*v1alpha1.ImageBuild); ok && build.Spec.ImageRef != nil {
			q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: build.Namespace, Name: build.Spec.ImageRef.Name}}, after)
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { enqueue(e.Object, q, settle) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			before, was := e.ObjectOld.(*v1alpha1.ImageBuild)
			build, is := e.ObjectNew.(*v1alpha1.ImageBuild)
			switch {
			case !was || !is || newsOf(before) == newsOf(build):
			case build.Status.Finished:
				enqueue(build, q, 0)
			default:
				enqueue(build, q, settle)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { enqueue(e.Object, q, 0) },
	}
}

// news is the state of a build that matters to its Image. A builder's progress reports do not matter.
type news struct {
	uid                           types.UID
	phase                         v1alpha1.BuildPhase
	attempts                      int
	resolved, cancelled, deleting bool
	held, archived, recorded      bool
	reproduced                    string
	revoked                       string
}

func newsOf(build *v1alpha1.ImageBuild) news {
	return news{
		uid: build.UID, phase: build.Status.Phase, attempts: len(build.Status.Attempts), resolved: build.Status.Resolved != nil,
		cancelled: build.Spec.CancelRequested != nil, deleting: build.DeletionTimestamp != nil, held: v1alpha1.UnderLegalHold(build),
		archived: trigger.LogSettled(build), recorded: trigger.RecordSettled(build), reproduced: reproduced(build),
		revoked: build.Status.Revoked.String(),
	}
}

// reproduced returns the reason of the condition Reproduced, or "".
func reproduced(build *v1alpha1.ImageBuild) string {
	if condition := meta.FindStatusCondition(build.Status.Conditions, v1alpha1.BuildReproduced); condition != nil {
		return condition.Reason
	}
	return ""
}

// revocationEvents reconciles all Images of a namespace when a build is revoked there, when its revocation takes effect, and when it is
// restored: any of them can be based on that build through others.
func (r *reconciler) revocationEvents() handler.EventHandler {
	enqueue := func(ctx context.Context, build client.Object, q queue) {
		images := &v1alpha1.ImageList{}
		if err := r.cache.List(ctx, images, client.InNamespace(build.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot list the images after a revocation", "build", client.ObjectKeyFromObject(build))
		}
		for i := range images.Items {
			q.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&images.Items[i])}, settle) // more revocations may follow
		}
	}
	return handler.Funcs{
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			before, was := e.ObjectOld.(*v1alpha1.ImageBuild)
			build, is := e.ObjectNew.(*v1alpha1.ImageBuild)
			if was && is && (!equality.Semantic.DeepEqual(before.Status.Revoked, build.Status.Revoked) || isRevoked(before) != isRevoked(build)) {
				enqueue(ctx, build, q)
			}
		},
	}
}

// isRevoked reports whether the condition of a build tells that it is revoked.
func isRevoked(build *v1alpha1.ImageBuild) bool {
	return meta.IsStatusConditionTrue(build.Status.Conditions, v1alpha1.BuildRevoked)
}

// archiveEvents reconciles all Images of a builder that new packages start builds of, when one of its archives has changed.
func (r *reconciler) archiveEvents() handler.EventHandler {
	enqueue := func(ctx context.Context, object client.Object, q queue) {
		archive, is := object.(*v1alpha1.Archive)
		images := &v1alpha1.ImageList{}
		if err := r.cache.List(ctx, images, client.UnsafeDisableDeepCopy); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "cannot list the images after a change of an archive", "archive", object.GetName())
		}
		for i := range images.Items {
			image := &images.Items[i]
			if is && image.Spec.Triggers != nil && image.Spec.Triggers.OnPackageChange != nil && image.Spec.Builder.Name == archive.Spec.Builder {
				q.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(image)}, settle) // other archives may have changed, too
			}
		}
	}
	return handler.Funcs{
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			before, was := e.ObjectOld.(*v1alpha1.Archive)
			after, is := e.ObjectNew.(*v1alpha1.Archive)
			if was && is && !sameArchive(before, after) {
				enqueue(ctx, after, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { enqueue(ctx, e.Object, q) },
	}
}

// failure returns why an archive cannot be checked, or "".
func failure(archive *v1alpha1.Archive) string {
	if ready := meta.FindStatusCondition(archive.Status.Conditions, v1alpha1.ArchiveReady); ready != nil && ready.Status == metav1.ConditionFalse {
		return ready.Reason + ready.Message
	}
	return ""
}

// imageOfJob finds the Image whose packages a Job resolves, or whose source it checks.
func imageOfJob(_ context.Context, job client.Object) []reconcile.Request {
	labels := job.GetLabels()
	if name := cmp.Or(labels[v1alpha1.LabelResolve], labels[v1alpha1.LabelSource]); name != "" {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: job.GetNamespace(), Name: name}}}
	}
	return nil
}

// sameArchive reports whether two versions of an Archive tell Images the same.
func sameArchive(a, b *v1alpha1.Archive) bool {
	return equality.Semantic.DeepEqual(a.Status.Release, b.Status.Release) && equality.Semantic.DeepEqual(a.Status.Updates, b.Status.Updates) &&
		failure(a) == failure(b)
}

// baseEvents reconciles the Images that are based on a changed Image: one whose latest successful build, awaited first build, fixes,
// channels or progress have changed. It also reconciles the changed Image itself when its channels or its legal hold have changed, and a minute after
// any change, because the last decision may have used an older version.
func (r *reconciler) baseEvents() handler.EventHandler {
	enqueue := func(ctx context.Context, base client.Object, q queue) {
		for _, request := range r.imagesBy(ctx, caches.ImagesByBase, base) {
			q.Add(request)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { enqueue(ctx, e.Object, q) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			before, was := e.ObjectOld.(*v1alpha1.Image)
			after, is := e.ObjectNew.(*v1alpha1.Image)
			if !was || !is {
				return
			}
			promoted := !equality.Semantic.DeepEqual(before.Status.Channels, after.Status.Channels)
			if promoted || hinted(before, after) || v1alpha1.UnderLegalHold(before) != v1alpha1.UnderLegalHold(after) {
				q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(after)})
			}
			if before.ResourceVersion != after.ResourceVersion {
				q.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(after)}, recheck)
			}
			if promoted || before.UID != after.UID || !equality.Semantic.DeepEqual(before.Status.LatestSuccessful, after.Status.LatestSuccessful) ||
				inputs.AwaitedBuild(before) != inputs.AwaitedBuild(after) || buildPending(before) != buildPending(after) || // their conditions tell it
				!sameFixes(before.Status.Fixes, after.Status.Fixes) {
				enqueue(ctx, after, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { enqueue(ctx, e.Object, q) },
	}
}

// hinted reports whether a webhook told that the source of an Image may have changed.
func hinted(before, after *v1alpha1.Image) bool {
	return after.Status.Source != nil && after.Status.Source.HintTime != nil && (before.Status.Source == nil || !after.Status.Source.HintTime.Equal(before.Status.Source.HintTime))
}

// sameFixes reports whether two lists of fixes tell Images that are based on their Image the same.
func sameFixes(a, b []v1alpha1.PackageFix) bool {
	return slices.EqualFunc(a, b, func(a, b v1alpha1.PackageFix) bool { return a.Build == b.Build && a.Since.Equal(&b.Since) })
}

// buildPending reports whether the artifacts of a base may be about to change.
func buildPending(base *v1alpha1.Image) bool {
	return trigger.BaseBuildPending(&v1alpha1.BaseImageReference{Name: base.Name}, base)
}

// BuilderChanges is a source that reconciles all Images that name a builder, whenever changed receives. Changed may be nil.
func BuilderChanges(changed <-chan struct{}, cache client.Reader) source.Source {
	return source.Func(func(ctx context.Context, q queue) error {
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-changed:
				}
				images := &v1alpha1.ImageList{}
				if err := cache.List(ctx, images, client.UnsafeDisableDeepCopy); err != nil {
					ctrl.LoggerFrom(ctx).Error(err, "cannot list the images after a change of the builders")
				}
				for i := range images.Items {
					if images.Items[i].Spec.Builder.Name != "" {
						q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&images.Items[i])})
					}
				}
			}
		}()
		return nil
	})
}

// imagesOfConfigMap finds the Images whose source is a ConfigMap.
func (r *reconciler) imagesOfConfigMap(ctx context.Context, configMap client.Object) []reconcile.Request {
	return r.imagesBy(ctx, caches.ImagesByConfigMap, configMap)
}

// imagesBy finds the Images that refer to an object of their namespace, by the index of its name.
func (r *reconciler) imagesBy(ctx context.Context, index string, object client.Object) []reconcile.Request {
	images := &v1alpha1.ImageList{}
	err := r.cache.List(ctx, images, client.InNamespace(object.GetNamespace()), client.UnsafeDisableDeepCopy,
		client.MatchingFields{index: object.GetName()})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "cannot list the images that refer to an object", "index", index, "object", client.ObjectKeyFromObject(object))
		return nil
	}
	requests := make([]reconcile.Request, len(images.Items))
	for i := range images.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&images.Items[i])
	}
	return requests
}
