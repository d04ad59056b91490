// SPDX-License-Identifier: Apache-2.0

// Package restoration ends the process when the storage of the API was restored from a backup. Caches, the queue and the records
// compare resource versions. After a restoration, objects that they have seen may not exist, and existing objects may look older. A
// new process has no such state.
//
// If the restoration raises the revision of etcd, watchers list again, and the cache gets objects with older resource
// versions. If the restoration does not raise the revision, lists have older resource versions.
package restoration

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// interval is how often the resource version is read.
const interval = 30 * time.Second

// AddTo adds the check to a manager, whose Start then fails after a restoration.
func AddTo(ctx context.Context, mgr manager.Manager, api versioned.Interface) error {
	ticker := time.NewTicker(interval)
	guard := &guard{
		version:  func(ctx context.Context) (int64, error) { return version(ctx, api) },
		ticks:    ticker.C,
		stop:     ticker.Stop,
		wentBack: make(chan string, 1),
	}
	for _, object := range []client.Object{&v1alpha1.Image{}, &v1alpha1.ImageBuild{}} {
		informer, err := mgr.GetCache().GetInformer(ctx, object)
		if err != nil {
			return fmt.Errorf("watch for restored objects: %w", err)
		}
		if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{UpdateFunc: guard.observeChange}); err != nil {
			return fmt.Errorf("watch for restored objects: %w", err)
		}
	}
	return mgr.Add(guard)
}

// version returns the resource version that the storage of the API has reached.
func version(ctx context.Context, api versioned.Interface) (int64, error) {
	list, err := api.ImagesV1alpha1().Images(metav1.NamespaceAll).List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return 0, fmt.Errorf("list images: %w", err)
	}
	reached, err := strconv.ParseInt(list.ResourceVersion, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the resource version of a list of images: %w", err)
	}
	return reached, nil
}

type guard struct {
	version func(context.Context) (int64, error)
	ticks   <-chan time.Time
	stop    func()
	// wentBack gets an object whose resource version has decreased.
	wentBack chan string
}

// observeChange is called for each change in the caches.
func (g *guard) observeChange(was, is any) {
	before, err := meta.Accessor(was)
	if err != nil {
		return
	}
	after, err := meta.Accessor(is)
	if err != nil {
		return
	}
	order, err := resourceversion.CompareResourceVersion(after.GetResourceVersion(), before.GetResourceVersion())
	if err != nil || order >= 0 {
		return
	}
	select {
	case g.wentBack <- fmt.Sprintf("%s/%s went from resource version %s to %s", after.GetNamespace(), after.GetName(), before.GetResourceVersion(), after.GetResourceVersion()):
	default: // one is enough
	}
}

// Start returns an error once a resource version has decreased, or nil when ctx is done.
func (g *guard) Start(ctx context.Context) error {
	defer g.stop()
	for highest := int64(0); ; {
		select {
		case <-ctx.Done():
			return nil
		case which := <-g.wentBack:
			return fmt.Errorf("%s: the storage of the API was restored from a backup, and this process restarts", which)
		case <-g.ticks:
		}
		version, err := g.version(ctx)
		switch {
		case err != nil:
			ctrl.LoggerFrom(ctx).V(1).Info("the resource version of the API cannot be read", "error", err.Error())
		case version < highest:
			return fmt.Errorf("the resource version of the API was %d and is %d: its storage was restored from a backup, and this process restarts", highest, version)
		default:
			highest = version
		}
	}
}

// NeedLeaderElection is false: a process that does not lead has caches, too.
func (*guard) NeedLeaderElection() bool { return false }
