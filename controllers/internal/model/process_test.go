// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"reflect"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	ctrlevent "sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apis/notfound"
	"goldsmith.dev/goldsmith/controllers/internal/archives"
	"goldsmith.dev/goldsmith/controllers/internal/image"
	"goldsmith.dev/goldsmith/controllers/internal/imagebuild"
	admission "goldsmith.dev/goldsmith/controllers/internal/queue"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/controllers/internal/sources"
	"goldsmith.dev/goldsmith/jobs/result"
)

// process is one run of the controllers: a crash loses all its state.
type process struct {
	*environment
	imageCache   cache[*v1alpha1.Image]
	buildCache   cache[*v1alpha1.ImageBuild]
	jobCache     cache[*batchv1.Job]
	podCache     cache[*corev1.Pod]
	archiveCache cache[*v1alpha1.Archive]
	// packages finds newer versions of packages. It is nil without mirrors.
	packages image.Packages

	// ofImages, ofBuilds, ofOrphans and ofExpiry are the controllers that ship.
	ofImages, ofBuilds, ofOrphans, ofExpiry *controller

	queue       *admission.Queue
	buildEvents toolscache.ResourceEventHandler // of the queue
	open        bool
	// behind are builds that the cache has to have in this version, or a newer one, before the queue opens.
	behind []metav1.PartialObjectMetadata
	// untold are events of builds that have not reached the queue.
	untold []func()
	// told are the builds of which an event has reached the queue.
	told map[types.UID]bool
	// ordered are the builds of whose admission the order was checked.
	ordered map[types.UID]bool
	// acting is the controller that reconciles.
	acting *controller
	// left is how many reconciliations a process has left that no longer leads.
	left int
}

// directTTL is how long a build that was created directly is kept.
const directTTL = time.Minute

// start begins a process whose caches are some changes old.
func (w *environment) start(ago int) {
	p := &process{environment: w, ordered: map[types.UID]bool{}, told: map[types.UID]bool{}}
	w.process = p
	p.imageCache.list(&w.images, ago%3)
	p.buildCache.list(&w.builds, ago%7)
	p.jobCache.list(&w.jobs, ago%5)
	p.podCache.list(&w.pods, ago%4)
	p.archiveCache.list(&w.archives, ago%3)

	cached := cacheReader{p: p}
	given := reconciliation.Options{
		Client: goldsmithClient{p: p}, Kube: kubeClient{p: p}, Builders: w.registered(w.builderGone), Events: recorder{}, Clock: modelClock{w},
		Results: result.Policy{Checked: !w.cluster},
	}
	p.queue = admission.New(admission.Options{
		Limits: w.limits, Cache: cached, API: apiReader{w: w}, Events: recorder{}, Metrics: w.memo.waits, Clock: modelClock{w},
	})
	p.buildEvents = p.queue.BuildEvents()
	if len(w.mirrors) > 0 {
		p.packages = archives.New(archives.Options{Options: given}, cached)
	}
	options := image.Options{Options: given, Metrics: w.memo.counts, SourceChecks: w.memo.checks, Packages: p.packages}
	if len(w.repositories) > 0 {
		options.Sources = sources.New(sources.Options{Options: given, Interval: sourceInterval}, cached)
	}
	p.ofImages = p.runs(image.New(options, cached))
	p.ofBuilds = p.runs(imagebuild.New(imagebuild.Options{Options: given, Metrics: w.memo.counts, Queue: p.queue}, cached))
	p.ofOrphans = p.runs(imagebuild.NewOrphans(given, cached))
	p.ofExpiry = p.runs(imagebuild.NewExpiry(imagebuild.ExpiryOptions{Options: given, TTL: directTTL, Metrics: w.memo.counts}, cached))

	for _, image := range p.imageCache.all {
		tell(p, change[*v1alpha1.Image]{is: image})
	}
	for _, build := range p.buildCache.all {
		tell(p, change[*v1alpha1.ImageBuild]{is: build})
	}
	for _, job := range p.jobCache.all {
		tell(p, change[*batchv1.Job]{is: job})
	}
	for _, pod := range p.podCache.all {
		tell(p, change[*corev1.Pod]{is: pod})
	}
	for _, archive := range p.archiveCache.all {
		tell(p, change[*v1alpha1.Archive]{is: archive})
	}
	p.tellQueue()
	behind, err := p.queue.Unfinished(w.ctx)
	if err != nil {
		w.broken("the queue does not start: %v", err)
	}
	p.behind = behind
	p.catchUp()
}

// catchUp opens the queue once it has each build that has not finished as it was stored when the process began.
func (p *process) catchUp() {
	if p.open {
		return
	}
	if p.behind = p.queue.MissingVersions(p.ctx, p.behind); len(p.behind) == 0 {
		p.open = true
		p.queue.Open(admissions{work: &p.ofBuilds.work, p: p})
	}
}

// controller is one that ships, with a workqueue of the model.
type controller struct {
	*reconciliation.Controller
	work work
}

func (p *process) runs(shipped *reconciliation.Controller) *controller {
	return &controller{Controller: shipped, work: work{w: p.environment}}
}

func (p *process) controllers() [4]*controller {
	return [4]*controller{p.ofImages, p.ofBuilds, p.ofOrphans, p.ofExpiry}
}

// reconcile reconciles an object, and does with the result what controller-runtime does.
func (p *process) reconcile(c *controller, name types.NamespacedName) {
	request := reconcile.Request{NamespacedName: name}
	p.acting = c
	result, err := c.Reconcile(p.ctx, request)
	if p.tracing {
		p.note("    %s %s: again after %s, error %v", c.Name, name.Name, result.RequeueAfter, err)
	}
	switch {
	case err != nil && strings.Contains(err.Error(), "drops fields"):
		p.broken("the reconciliation of %s does not end: %v", name.Name, err)
	case notfound.Object(err):
		p.broken("the reconciliation of %s fails because an object was deleted: %v", name.Name, err)
	case err != nil:
		c.work.AddAfter(request, retry)
	case result.RequeueAfter > 0:
		c.work.AddAfter(request, result.RequeueAfter)
	}
}

// retry is the pause after an error.
const retry = 5 * time.Millisecond

// tell passes a watch event to the controllers and to the queue.
func tell[T stored](p *process, news change[T]) {
	var none T
	for _, c := range p.controllers() {
		for i := range c.Watches {
			watch := &c.Watches[i]
			if reflect.TypeOf(watch.Object) != reflect.TypeFor[T]() {
				continue
			}
			var events handler.EventHandler = &handler.EnqueueRequestForObject{}
			if watch.Events != nil {
				events = watch.Events
			}
			switch {
			case news.was == none:
				if e := (ctrlevent.CreateEvent{Object: news.is}); watch.Passes == nil || watch.Passes.Create(e) {
					events.Create(p.ctx, e, &c.work)
				}
			case news.is == none:
				if e := (ctrlevent.DeleteEvent{Object: news.was}); watch.Passes == nil || watch.Passes.Delete(e) {
					events.Delete(p.ctx, e, &c.work)
				}
			default:
				if e := (ctrlevent.UpdateEvent{ObjectOld: news.was, ObjectNew: news.is}); watch.Passes == nil || watch.Passes.Update(e) {
					events.Update(p.ctx, e, &c.work)
				}
			}
		}
	}
	if _, ok := any(none).(*v1alpha1.ImageBuild); !ok {
		return
	}
	p.untold = append(p.untold, func() {
		if news.is != none {
			p.told[news.is.GetUID()] = true
		}
		switch {
		case news.was == none:
			p.buildEvents.OnAdd(news.is, false)
		case news.is == none:
			p.buildEvents.OnDelete(news.was)
		default:
			p.buildEvents.OnUpdate(news.was, news.is)
		}
	})
	if w := p.environment; w.peace || w.version%4 > 0 {
		p.tellQueue()
	}
}

// tellQueue passes the events of builds to the queue that other handlers and the cache have already.
func (p *process) tellQueue() {
	untold := p.untold
	p.untold = nil
	for _, event := range untold {
		event()
	}
}

// work is the workqueue of a controller: the objects, and when they are due.
type work struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	w     *environment
	items []item
}

type item struct {
	name types.NamespacedName
	due  time.Time
}

// Add has an object reconciled at once.
func (q *work) Add(request reconcile.Request) { q.AddAfter(request, 0) }

// AddAfter has an object reconciled after some time. It keeps the earlier of two times.
func (q *work) AddAfter(request reconcile.Request, after time.Duration) {
	due := q.w.now.Add(after)
	for i := range q.items {
		if q.items[i].name == request.NamespacedName {
			if due.Before(q.items[i].due) {
				q.items[i].due = due
			}
			return
		}
	}
	q.items = append(q.items, item{request.NamespacedName, due})
}

// pick takes one of the items that are due.
func (q *work) pick(which int) (name types.NamespacedName, ok bool) {
	var ready []int
	for i := range q.items {
		if !q.items[i].due.After(q.w.now) {
			ready = append(ready, i)
		}
	}
	if len(ready) == 0 {
		return name, false
	}
	at := ready[which%len(ready)]
	name = q.items[at].name
	q.items = append(q.items[:at], q.items[at+1:]...)
	return name, true
}

// admissions is the workqueue of builds as the queue sees it.
type admissions struct {
	*work
	p *process
}

// Add has a build reconciled that was admitted.
func (a admissions) Add(request reconcile.Request) {
	a.p.checkOrder(request.Name)
	a.work.Add(request)
}

// modelClock tells the time of an environment.
type modelClock struct{ w *environment }

// Now is the time.
func (c modelClock) Now() time.Time { return c.w.now }

// Since is the time that has passed since at.
func (c modelClock) Since(at time.Time) time.Duration { return c.w.now.Sub(at) }

// recorder drops events.
type recorder struct{ record.EventRecorder }

// Event drops an event.
func (recorder) Event(runtime.Object, string, string, string) {}

// Eventf drops an event.
func (recorder) Eventf(runtime.Object, string, string, string, ...any) {}
