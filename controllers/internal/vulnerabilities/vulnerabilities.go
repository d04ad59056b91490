// SPDX-License-Identifier: Apache-2.0

// Package vulnerabilities asks the server for the vulnerabilities of the builds that jobs/trigger judges, and remembers the counts. The Image
// controller reads them from memory, so that a server that is slow to match advisories delays no build.
package vulnerabilities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned/scheme"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/jobs/trigger"
)

const (
	// refresh is the longest time until a build is asked for again, because advisories change.
	refresh = 10 * time.Minute
	// retry is when a question without an answer is repeated.
	retry = time.Minute
	// reading is when a busy server is asked again, or one that may still be reading its advisories, after its start. After maxReading such answers, the
	// vulnerabilities are unknown.
	reading, maxReading = 10 * time.Second, 6
	// outdated is how long the last counts count while the server has none.
	outdated = time.Hour
	// patience is how long an answer may take.
	patience = 30 * time.Second
	// workers is how many builds are asked for at the same time.
	workers = 2
)

// Vulnerabilities remembers the vulnerabilities of builds. It is safe for concurrent use.
type Vulnerabilities struct {
	reconciliation.Options
	cache client.Reader

	mu     sync.Mutex // guards all below
	images map[types.NamespacedName]map[types.UID]*answer
	told   map[types.NamespacedName]map[types.UID]*trigger.Vulnerabilities // what the Image controller was last told of
	// absent is until when the server, which has told that it has no advisories, is not asked again. It is zero if the server has some.
	absent        time.Time
	again, change func(reconcile.Request) // requests a reconciliation here, and one of the Image controller
}

// answer is what is known of a build.
type answer struct {
	*trigger.Vulnerabilities           // nil before the first answer, and after a refused promotion until the next one
	at                       time.Time // of the last counts; before the first ones, of the first question if the Image stores counts
	due                      time.Time // when the build is asked for again
	unread                   int       // answers without earlier counts that the server has not read its advisories
}

// New makes the controller. The cache was made with package caches.
func New(options reconciliation.Options, cache client.Reader) *Vulnerabilities {
	return &Vulnerabilities{
		Options: options, cache: cache, images: map[types.NamespacedName]map[types.UID]*answer{}, told: map[types.NamespacedName]map[types.UID]*trigger.Vulnerabilities{},
		again: func(reconcile.Request) {}, change: func(reconcile.Request) {},
	}
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Controller returns the controller, with the source that its manager adds.
func (v *Vulnerabilities) Controller() (*reconciliation.Controller, source.Source) {
	return &reconciliation.Controller{Reconciler: v, Name: "vulnerabilities", Workers: workers, Watches: []reconciliation.Watch{
		{Object: &v1alpha1.Image{}, Passes: otherBuilds()},
	}}, v.requests(&v.again)
}

// Changes is a source that reconciles an Image when the vulnerabilities of its builds have changed.
func (v *Vulnerabilities) Changes() source.Source { return v.requests(&v.change) }

// requests is a source whose queue a function fills.
func (v *Vulnerabilities) requests(fill *func(reconcile.Request)) source.Source {
	return source.Func(func(_ context.Context, q queue) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		*fill = q.Add
		return nil
	})
}

// otherBuilds passes changes of an Image after which other builds are judged.
func otherBuilds() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, was := e.ObjectOld.(*v1alpha1.Image)
		after, is := e.ObjectNew.(*v1alpha1.Image)
		return was && is && (before.UID != after.UID || before.Generation != after.Generation ||
			!equality.Semantic.DeepEqual(before.Status.LatestSuccessful, after.Status.LatestSuccessful) ||
			!equality.Semantic.DeepEqual(before.Status.Channels, after.Status.Channels))
	}}
}

// Known returns the vulnerabilities of the judged builds of an Image, by the UIDs of the builds. A build that the server has not answered for is
// missing. It returns nil if the server has no advisories.
func (v *Vulnerabilities) Known(image types.NamespacedName) map[types.UID]*trigger.Vulnerabilities {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.known(image)
}

func (v *Vulnerabilities) known(image types.NamespacedName) map[types.UID]*trigger.Vulnerabilities {
	if !v.absent.IsZero() {
		return nil
	}
	found := map[types.UID]*trigger.Vulnerabilities{}
	for uid, its := range v.images[image] {
		if its.Vulnerabilities != nil {
			found[uid] = its.Vulnerabilities
		}
	}
	return found
}

// AskAgain asks for the builds of an Image at once, because what is known allowed a promotion that the server has refused. Until the server answers
// with counts, nothing is known of the builds: the Image keeps its stored counts, and only its channels without maxSeverity move.
func (v *Vulnerabilities) AskAgain(image types.NamespacedName) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, its := range v.images[image] {
		its.Vulnerabilities, its.due = nil, time.Time{}
	}
	delete(v.told, image) // the Image controller is told of the answer, even if it is the same
	v.again(reconcile.Request{NamespacedName: image})
}

// Reconcile asks for the builds of an Image that are due, and tells the Image controller of changes.
func (v *Vulnerabilities) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	image := &v1alpha1.Image{}
	if err := v.cache.Get(ctx, request.NamespacedName, image); err != nil {
		if apierrors.IsNotFound(err) {
			v.forget(request.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	v1alpha1.SetObjectDefaults_Image(image)
	builds, err := caches.BuildsOf(ctx, v.cache, image)
	if err != nil {
		return ctrl.Result{}, err
	}
	judged := trigger.Observed{Image: image, Builds: builds, Now: v.Clock.Now()}.Judged()
	due := v.keep(image, judged)
	for _, build := range due {
		if err = v.ask(ctx, request.NamespacedName, build); err != nil {
			break
		}
	}
	after := v.tell(image, len(judged) > 0)
	return reconciliation.Result("vulnerabilities of Image", request, ctrl.Result{RequeueAfter: after}, err)
}

func (v *Vulnerabilities) forget(image types.NamespacedName) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.images, image)
	delete(v.told, image)
}

// keep forgets all other builds of an Image, and returns those that are due.
func (v *Vulnerabilities) keep(image *v1alpha1.Image, judged []*v1alpha1.ImageBuild) (due []*v1alpha1.ImageBuild) {
	v.mu.Lock()
	defer v.mu.Unlock()
	name, now, kept := client.ObjectKeyFromObject(image), v.Clock.Now(), map[types.UID]*answer{}
	for _, build := range judged {
		its := v.images[name][build.UID]
		if its == nil {
			its = &answer{}
			if image.Status.Vulnerabilities != nil {
				its.at = now // the stored counts count as long as the last ones
			}
		}
		kept[build.UID] = its
		if !now.Before(its.due) && !now.Before(v.absent) {
			due = append(due, build)
		}
	}
	v.images[name] = kept
	return due
}

// ask asks the server for a build, and remembers the answer. An error is one that an operator has to correct.
func (v *Vulnerabilities) ask(ctx context.Context, image types.NamespacedName, build *v1alpha1.ImageBuild) error {
	found, err := v.read(ctx, build)
	now := v.Clock.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	if apierrors.HasStatusCause(err, v1alpha1.CauseNoAdvisories) {
		v.absent = now.Add(refresh)
		return nil
	}
	its := v.images[image][build.UID]
	var status apierrors.APIStatus
	switch {
	case its == nil: // the Image was deleted meanwhile
	case err == nil:
		v.absent = time.Time{}
		its.Vulnerabilities = trigger.KnownVulnerabilities(found)
		its.at, its.due = now, now.Add(spread(refresh, build.UID))
	case !errors.As(err, &status) || apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse): // the API is unavailable, or older
		its.due = now.Add(spread(retry, build.UID))
	case apierrors.IsForbidden(err):
		return fmt.Errorf("read the vulnerabilities of build %s: %w", build.Name, err)
	case its.Vulnerabilities == nil && apierrors.IsServiceUnavailable(err) && its.unread < maxReading:
		v.absent = time.Time{}
		its.unread++
		its.due = now.Add(spread(reading, build.UID))
	case apierrors.IsTooManyRequests(err) && (its.at.IsZero() || now.Sub(its.at) < outdated): // the build keeps what is known until the server has time
		v.absent = time.Time{}
		its.due = now.Add(spread(reading, build.UID))
	default:
		v.absent = time.Time{}
		missing, wait := apierrors.IsNotFound(err), retry // missing: the build has no lock, or does not exist
		if missing {
			wait = refresh
		}
		if missing || its.at.IsZero() || now.Sub(its.at) >= outdated {
			its.Vulnerabilities, its.at = trigger.UnknownVulnerabilities(err), time.Time{}
		}
		its.due = now.Add(spread(wait, build.UID))
	}
	return nil
}

// read reads the counts of a build.
func (v *Vulnerabilities) read(ctx context.Context, build *v1alpha1.ImageBuild) (*v1alpha1.ImageBuildVulnerabilities, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found := &v1alpha1.ImageBuildVulnerabilities{}
	err := v.Client.ImagesV1alpha1().RESTClient().Get().Namespace(build.Namespace).Resource("imagebuilds").Name(build.Name).SubResource("vulnerabilities").
		VersionedParams(&v1alpha1.ImageBuildVulnerabilitiesOptions{UID: string(build.UID), CountsOnly: true}, scheme.ParameterCodec).
		MaxRetries(0).Do(ctx).Into(found)
	return found, err
}

// tell tells the Image controller if the vulnerabilities of an Image have changed. It returns when to ask again, or 0 for never.
func (v *Vulnerabilities) tell(image *v1alpha1.Image, judged bool) (after time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	its := client.ObjectKeyFromObject(image)
	known, now := v.known(its), v.Clock.Now()
	stored := meta.FindStatusCondition(image.Status.Conditions, v1alpha1.ImageVulnerable) != nil
	if known == nil && stored || !equality.Semantic.DeepEqual(v.told[its], known) {
		v.change(reconcile.Request{NamespacedName: its})
	}
	v.told[its] = known
	if known == nil && judged {
		return max(0, v.absent.Sub(now)) + spread(retry, image.UID)
	}
	for _, answer := range v.images[its] {
		if in := max(answer.due.Sub(now), time.Second); after == 0 || in < after {
			after = in
		}
	}
	return after
}

// spread returns a wait that is up to a fifth shorter, which differs a little between objects.
func spread(wait time.Duration, of types.UID) time.Duration {
	return wait - wait*time.Duration(reconciliation.ShareOf(of, 200))/1000
}
