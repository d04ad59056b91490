// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"context"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
)

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

// cacheReader is what the controllers read of a process's caches.
type cacheReader struct {
	ctrlcache.Cache
	p *process
}

// Get reads an object.
func (c cacheReader) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	found := false
	switch object := object.(type) {
	case *v1alpha1.Image:
		found = copyCached(&c.p.imageCache, key.Name, func(known *v1alpha1.Image) { known.DeepCopyInto(object) })
	case *v1alpha1.ImageBuild:
		found = copyCached(&c.p.buildCache, key.Name, func(known *v1alpha1.ImageBuild) { known.DeepCopyInto(object) })
	case *v1alpha1.Archive:
		found = copyCached(&c.p.archiveCache, key.Name, func(known *v1alpha1.Archive) { known.DeepCopyInto(object) })
	case *batchv1.Job:
		found = copyCached(&c.p.jobCache, key.Name, func(known *batchv1.Job) {
			stripped := *known // it has kept its fingerprint
			stripped.Spec.Template = corev1.PodTemplateSpec{}
			stripped.DeepCopyInto(object)
		}) && ours(object)
	}
	if !found {
		return notFound(key.Name)
	}
	return nil
}

// ours reports whether the caches keep a Job or a pod.
func ours(object client.Object) bool {
	return object.GetLabels()[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy
}

func copyCached[T stored](c *cache[T], name string, into func(T)) bool {
	known, ok := c.get(name)
	if ok {
		into(known)
	}
	return ok
}

// List reads objects by one of the indexes.
func (c cacheReader) List(_ context.Context, list client.ObjectList, given ...client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(given)
	value := func(index string) string {
		value, ok := options.FieldSelector.RequiresExactMatch(index)
		if !ok {
			c.p.broken("a list of %T is not by %s", list, index)
		}
		return value
	}
	switch list := list.(type) {
	case *v1alpha1.ImageList:
		for _, image := range c.p.imageCache.all {
			ref, all := image.Spec.Base.ImageRef, options.FieldSelector == nil
			if (options.Namespace == "" || image.Namespace == options.Namespace) && (all || ref != nil && ref.Name == value(caches.ImagesByBase)) {
				list.Items = append(list.Items, *image)
			}
		}
	case *batchv1.JobList:
		image := value(caches.JobsBySource)
		for _, job := range c.p.jobCache.all {
			if ours(job) && job.Namespace == options.Namespace && job.Labels[v1alpha1.LabelSource] == image {
				list.Items = append(list.Items, *job)
			}
		}
	case *v1alpha1.ImageBuildList:
		uid := value(caches.BuildsByImage)
		for _, build := range c.p.buildCache.all {
			if build.Spec.ImageRef != nil && string(build.Spec.ImageRef.UID) == uid {
				list.Items = append(list.Items, *build)
			}
		}
	case *corev1.PodList:
		selector := options.LabelSelector
		if selector == nil {
			selector = labels.Everything()
		}
		*list = *podsOf(c.p.podCache.all, selector)
		job := value(caches.PodsByJob)
		list.Items = slices.DeleteFunc(list.Items, func(pod corev1.Pod) bool { return pod.Labels[batchv1.JobNameLabel] != job || !ours(&pod) })
		for i := range list.Items {
			spec := &list.Items[i].Spec
			list.Items[i].Spec = corev1.PodSpec{NodeName: spec.NodeName, ActiveDeadlineSeconds: spec.ActiveDeadlineSeconds}
		}
	}
	return nil
}

// apiReader is what the queue reads of the API.
type apiReader struct {
	client.Reader
	w *environment
}

// List reads the metadata of the builds that have not finished.
func (a apiReader) List(_ context.Context, list client.ObjectList, given ...client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(given)
	into, ok := list.(*metav1.PartialObjectMetadataList)
	if finished, exact := options.FieldSelector.RequiresExactMatch("status.finished"); !ok || !exact || finished != "false" {
		a.w.broken("the queue lists %T by %s", list, options.FieldSelector)
	}
	for _, build := range a.w.builds.all {
		if !build.Status.Finished {
			into.Items = append(into.Items, metav1.PartialObjectMetadata{ObjectMeta: build.ObjectMeta})
		}
	}
	return nil
}

// Get reads the metadata of a build.
func (a apiReader) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	build, ok := a.w.builds.get(key.Name)
	if !ok {
		return notFound(key.Name)
	}
	object.SetUID(build.UID)
	object.SetResourceVersion(build.ResourceVersion)
	return nil
}

// watched is a cache of any kind.
type watched interface {
	deliver(p *process, n int)
	lose()
	repeat(p *process)
	relist(p *process)
}

func (p *process) caches() [5]watched {
	return [5]watched{&p.imageCache, &p.buildCache, &p.jobCache, &p.podCache, &p.archiveCache}
}

// deliver brings up to n changes of a kind into its cache.
func (p *process) deliver(kind, n int) {
	p.tellQueue()
	p.caches()[kind].deliver(p, n)
	p.catchUp()
}

func (c *cache[T]) deliver(p *process, n int) {
	for ; n > 0 && c.at < len(c.table.log); n-- {
		news := c.table.log[c.at]
		c.at++
		if !deliverable(c, &news) {
			continue
		}
		c.take(news)
		tell(p, news)
	}
}

// deliverable relates a change to the object that the cache has. The cache may lack a change that was lost.
func deliverable[T stored](c *cache[T], news *change[T]) bool {
	var none T
	name := ""
	if news.is != none {
		name = news.is.GetName()
	} else {
		name = news.was.GetName()
	}
	known, ok := c.get(name)
	if !ok {
		known = none
	}
	news.was = known
	return ok || news.is != none
}

// lose skips a change: until a relist, the cache knows it only from a later one.
func (c *cache[T]) lose() {
	if c.at < len(c.table.log) {
		c.at++
	}
}

// repeat tells the handlers again what the cache has.
func (c *cache[T]) repeat(p *process) {
	for _, known := range c.all {
		tell(p, change[T]{was: known, is: known})
	}
}

// relist fills all caches from the API, and passes the differences to the handlers.
func (p *process) relist() {
	for _, cache := range p.caches() {
		cache.relist(p)
	}
	p.catchUp()
}

// relist takes one object after the other, as a watch does: its handlers see no later one.
func (c *cache[T]) relist(p *process) {
	c.at = len(c.table.log)
	for _, known := range slices.Clone(c.all) {
		if _, ok := c.table.get(known.GetName()); !ok {
			news := change[T]{was: known}
			c.take(news)
			tell(p, news)
		}
	}
	for _, object := range slices.Clone(c.table.all) {
		news := change[T]{is: object}
		if known, ok := c.get(object.GetName()); ok {
			news.was = known
		}
		c.take(news)
		tell(p, news)
	}
}
