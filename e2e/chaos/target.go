// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
)

// action is something that happens. Pick chooses among the objects that exist, and how exactly it happens.
type action func(ctx context.Context, pick uint64) error

// target is the system under test.
type target interface {
	// reach is how its API is reached.
	reach() *api
	// paces are how often users do something, and how often faults happen.
	paces() (users, faults pace)
	// faults are called one after the other, and each returns once it is over.
	faults() map[string]action
	// resume starts what a fault has left stopped.
	resume(ctx context.Context) error
	// patience is how long all builds may take to end after the last fault.
	patience() time.Duration
	// end ends the target, and removes its data unless they are to be kept.
	end(ctx context.Context, keep bool) error
}

// api is how the API of a target is reached.
type api struct {
	images versioned.Interface
	kube   kubernetes.Interface
	// restored is how often the objects of the API went back to a backup.
	restored atomic.Int64
	// observeEvery is the interval of observations.
	observeEvery time.Duration
	// recorded is whether builds are recorded in a database.
	recorded bool
}

// connect sets the clients.
func (a *api) connect(config *rest.Config) (err error) {
	config = rest.CopyConfig(config)
	config.QPS = -1
	config.Timeout = 10 * time.Second
	config.WarningHandler = rest.NoWarnings{}
	if a.images, err = versioned.NewForConfig(config); err != nil {
		return err
	}
	a.kube, err = kubernetes.NewForConfig(config)
	return err
}
