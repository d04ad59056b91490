// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/queue"
	"goldsmith.dev/goldsmith/jobs/state"
)

// process is one run of the controllers: a crash loses all its state.
type process struct {
	*environment
	imageCache cache[*v1alpha1.Image]
	buildCache cache[*v1alpha1.ImageBuild]
	jobCache   cache[*batchv1.Job]
	podCache   cache[*corev1.Pod]
	imageWork  work
	buildWork  work

	ledger *queue.Ledger
	open   bool
	// behind are builds that the cache has to have in this version, or a newer one, before the queue opens.
	behind  []*v1alpha1.ImageBuild
	written map[string]*v1alpha1.ImageBuild
	// created are the UIDs of the Jobs of builds that this process has created, or has compared with what it renders.
	created map[string]types.UID
	buffer  []v1alpha1.ImageBuild
}

// cache holds a process's objects of a kind, as they were at some point of the log.
type cache[T stored] struct {
	table *table[T]
	at    int
	all   []T
}

func (c *cache[T]) get(name string) (object T, ok bool) {
	for _, object := range c.all {
		if object.GetName() == name {
			return object, true
		}
	}
	return object, false
}

// take brings one change into the cache.
func (c *cache[T]) take(news change[T]) {
	var none T
	name := ""
	if news.is != none {
		name = news.is.GetName()
	} else {
		name = news.was.GetName()
	}
	at := slices.IndexFunc(c.all, func(known T) bool { return known.GetName() == name })
	switch {
	case news.is == none && at >= 0:
		c.all = slices.Delete(c.all, at, at+1)
	case news.is == none:
	case at >= 0:
		c.all[at] = news.is
	default:
		c.all = append(c.all, news.is)
	}
}

// list fills the cache with the objects as they were some changes ago.
func (c *cache[T]) list(table *table[T], ago int) {
	c.table, c.at, c.all = table, max(0, len(table.log)-ago), nil
	for _, news := range table.log[:c.at] {
		c.take(news)
	}
}

// start begins a process whose caches are some changes old.
func (w *environment) start(ago int) {
	p := &process{environment: w, ledger: queue.NewLedger(w.limits), written: map[string]*v1alpha1.ImageBuild{}, created: map[string]types.UID{}}
	w.process = p
	p.imageCache.list(&w.images, ago%3)
	p.buildCache.list(&w.builds, ago%7)
	p.jobCache.list(&w.jobs, ago%5)
	p.podCache.list(&w.pods, ago%4)
	for _, build := range w.builds.all {
		if !build.Status.Finished && w.mutant != opensEarly {
			p.behind = append(p.behind, build)
		}
	}
	for _, image := range p.imageCache.all {
		p.imageWork.add(image.Name, w.now)
	}
	for _, build := range p.buildCache.all {
		p.ledger.Observe(build)
		p.buildWork.add(build.Name, w.now)
		p.imageOf(build, w.now)
	}
	p.catchUp()
}

// work is the workqueue of a controller: the objects, and when they are due.
type work struct{ items []item }

type item struct {
	name string
	due  time.Time
}

// add keeps the earlier of two times.
func (q *work) add(name string, due time.Time) {
	for i := range q.items {
		if q.items[i].name == name {
			if due.Before(q.items[i].due) {
				q.items[i].due = due
			}
			return
		}
	}
	q.items = append(q.items, item{name, due})
}

// pick takes one of the items that are due.
func (q *work) pick(now time.Time, which int) (string, bool) {
	ready := 0
	for i := range q.items {
		if !q.items[i].due.After(now) {
			ready++
		}
	}
	if ready == 0 {
		return "", false
	}
	which %= ready
	for i := range q.items {
		if q.items[i].due.After(now) {
			continue
		}
		if which == 0 {
			name := q.items[i].name
			q.items = slices.Delete(q.items, i, i+1)
			return name, true
		}
		which--
	}
	return "", false
}

// settle is how long the news that are not urgent wait.
const settle = 100 * time.Millisecond

func (p *process) imageOf(build *v1alpha1.ImageBuild, due time.Time) {
	if build.Spec.ImageRef != nil {
		p.imageWork.add(build.Spec.ImageRef.Name, due)
	}
}

// The handlers of watch events, with the predicates that the controllers have.

func (p *process) imageNews(news change[*v1alpha1.Image]) {
	is, was := news.is, news.was
	switch {
	case is == nil:
		p.imageWork.add(was.Name, p.now)
		p.basedOn(was.Name)
		return
	case was == nil || was.UID != is.UID || was.Generation != is.Generation:
		p.imageWork.add(is.Name, p.now)
	case was.ResourceVersion != is.ResourceVersion:
		// This process or an earlier process has written the status, perhaps in another environment. A decision from an older
		// status that there is nothing to write may no longer hold.
		p.imageWork.add(is.Name, p.now.Add(settle))
	}
	promoted := was != nil && !slices.Equal(was.Status.Channels, is.Status.Channels)
	if promoted {
		p.imageWork.add(is.Name, p.now)
	}
	if was == nil || promoted || was.UID != is.UID || successOf(was) != successOf(is) {
		p.basedOn(is.Name)
	}
}

func successOf(image *v1alpha1.Image) int64 {
	if latest := image.Status.LatestSuccessful; latest != nil {
		return latest.Number
	}
	return 0
}

func (p *process) basedOn(base string) {
	for _, image := range p.imageCache.all {
		if ref := image.Spec.Base.ImageRef; ref != nil && ref.Name == base {
			p.imageWork.add(image.Name, p.now)
		}
	}
}

func (p *process) buildNews(news change[*v1alpha1.ImageBuild]) {
	is, was := news.is, news.was
	switch {
	case is == nil:
		p.buildWork.add(was.Name, p.now)
		p.imageOf(was, p.now)
		p.ledger.Forget(queue.Key{Namespace: was.Namespace, Name: was.Name}, was.UID)
		p.admit("")
		return
	case was == nil || was.UID != is.UID || was.Generation != is.Generation:
		p.buildWork.add(is.Name, p.now)
	}
	switch {
	case was != nil && newsOf(was) == newsOf(is):
	case is.Status.Finished:
		p.imageOf(is, p.now)
	default:
		p.imageOf(is, p.now.Add(settle))
	}
	p.ledger.Observe(is)
	p.admit("")
}

// news holds the fields of a build that matter to its Image.
type news struct {
	uid                 types.UID
	phase               v1alpha1.BuildPhase
	attempts            int
	resolved, cancelled bool
}

func newsOf(build *v1alpha1.ImageBuild) news {
	return news{build.UID, build.Status.Phase, len(build.Status.Attempts), build.Status.Resolved != nil, build.Spec.CancelRequested != nil}
}

func (p *process) jobNews(news change[*batchv1.Job]) {
	job := news.is
	if job == nil {
		job = news.was
	} else if news.was == nil || job.DeletionTimestamp == nil && !state.Failing(job) && suspended(news.was) == suspended(job) {
		return
	}
	if len(job.OwnerReferences) > 0 {
		p.buildWork.add(job.OwnerReferences[0].Name, p.now)
	}
}

func suspended(job *batchv1.Job) bool { return job.Spec.Suspend != nil && *job.Spec.Suspend }

func (p *process) podNews(news change[*corev1.Pod]) {
	pod := news.is
	if pod == nil {
		p.buildWork.add(news.was.Labels[v1alpha1.LabelBuild], p.now)
		return
	}
	switch {
	case pod.DeletionTimestamp != nil || state.Ended(pod):
		p.buildWork.add(pod.Labels[v1alpha1.LabelBuild], p.now)
	case pod.Status.Phase != corev1.PodPending || len(pod.Status.Conditions) > 0:
		p.buildWork.add(pod.Labels[v1alpha1.LabelBuild], p.now.Add(settle))
	}
}
