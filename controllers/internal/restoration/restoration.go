// SPDX-License-Identifier: Apache-2.0

// Package restoration ends the process when the storage of the API was restored from a backup without raising its resource
// versions. Caches, the queue and the records compare resource versions: what they have seen may not exist any more, and what
// exists may look older to them. A new process has seen nothing.
package restoration

import (
	"context"
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
)

// interval is how often the resource version is read.
const interval = 30 * time.Second

// AddTo adds the check to a manager, whose Start then fails after a restoration.
func AddTo(mgr manager.Manager, api versioned.Interface) error {
	ticker := time.NewTicker(interval)
	return mgr.Add(&guard{
		version: func(ctx context.Context) (int64, error) { return version(ctx, api) },
		ticks:   ticker.C,
		stop:    ticker.Stop,
	})
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
}

// Start returns an error once the resource version is less than it was, and otherwise none when ctx is done.
func (g *guard) Start(ctx context.Context) error {
	defer g.stop()
	for highest := int64(0); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-g.ticks:
		}
		version, err := g.version(ctx)
		switch {
		case err != nil:
			ctrl.LoggerFrom(ctx).V(1).Info("the resource version of the API cannot be read", "error", err.Error())
		case version < highest:
			return fmt.Errorf("the resource version of the API was %d and is %d: its storage was restored from a backup, and this process starts anew", highest, version)
		default:
			highest = version
		}
	}
}

// NeedLeaderElection is false: a process that does not lead has caches, too.
func (*guard) NeedLeaderElection() bool { return false }
