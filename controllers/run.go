// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"goldsmith.dev/goldsmith/controllers/outages"
)

// cacheLimit is how long stopping controllers may take to fill their caches first.
const cacheLimit = time.Second

// Run runs the controllers until ctx is done. It stops a manager only once its caches are full, because before that the
// manager would not end and would keep a CPU busy. If the server stays unavailable, Run returns earlier, and the manager ends
// once its caches are full.
func Run(ctx context.Context, controllers manager.Manager) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() {
		defer stop()
		ended <- controllers.Start(running)
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	full := make(chan struct{})
	go func() {
		defer close(full)
		controllers.GetCache().WaitForCacheSync(running)
		stop()
	}()
	limit := time.NewTimer(cacheLimit)
	defer limit.Stop()
	select {
	case <-full:
		return <-ended
	case <-limit.C:
		return nil
	}
}

// addChecks adds the health checks of a manager: it is healthy while it runs, and ready once its caches are full.
func addChecks(mgr manager.Manager, monitor *outages.Monitor) error {
	full := &cachesCheck{monitor: monitor}
	return errors.Join(
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("caches", full.check),
		mgr.Add(full),
	)
}

// cachesCheck passes once the caches of a manager are full, whether the process is elected or not.
type cachesCheck struct {
	monitor *outages.Monitor
	passed  atomic.Bool
}

// Start is called once the caches are full.
func (c *cachesCheck) Start(context.Context) error {
	c.passed.Store(true)
	return nil
}

// NeedLeaderElection is false: a process that waits to be elected is ready, too.
func (c *cachesCheck) NeedLeaderElection() bool {
	return false
}

func (c *cachesCheck) check(*http.Request) error {
	if c.passed.Load() {
		return nil
	}
	return errors.New(strings.Join(append([]string{"the caches have not synced yet"}, c.monitor.Reasons()...), "\n"))
}
