// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
)

// awaitInterval is the interval at which a server that cannot start yet checks its dependencies.
const awaitInterval = time.Second

// await returns once all dependencies of the server answer. If that takes a while, it serves the health endpoints meanwhile:
// /livez is green, because a restart would not help, and /readyz names the missing dependencies.
func (o *Options) await(ctx context.Context) error {
	dependencies, err := o.dependencies()
	if err != nil || len(dependencies) == 0 {
		return err
	}
	startup := newStartup(o.server.name, dependencies, o.server.out)
	complete := make(chan struct{})
	go func() {
		defer close(complete)
		// The only error is that ctx is done, which is handled below.
		_ = wait.PollUntilContextCancel(ctx, awaitInterval, true, func(ctx context.Context) (bool, error) {
			return startup.check(ctx), nil
		})
	}()
	select {
	case <-complete:
		return ctx.Err()
	case <-time.After(awaitInterval):
	}
	stopHealth, err := o.serveHealth(startup)
	if err != nil {
		return err
	}
	select {
	case <-complete:
	case <-ctx.Done():
	}
	return errors.Join(ctx.Err(), stopHealth())
}

// startup is the state of a server that has not started yet: which of its dependencies do not answer.
type startup struct {
	server       string
	dependencies []dependency
	out          io.Writer

	mutex   sync.Mutex
	missing map[string]string // what is wrong with each dependency
}

func newStartup(server string, dependencies []dependency, out io.Writer) *startup {
	startup := &startup{server: server, dependencies: dependencies, out: out, missing: map[string]string{}}
	for _, dependency := range dependencies {
		startup.missing[dependency.name] = ""
	}
	return startup
}

// check checks every dependency and reports whether all of them answer. It writes each problem once.
func (s *startup) check(ctx context.Context) bool {
	complete := true
	for _, dependency := range s.dependencies {
		err := dependency.check(ctx)
		complete = complete && err == nil
		if s.note(dependency.name, err) && ctx.Err() == nil {
			// A failure to write the log cannot be reported anywhere.
			_, _ = fmt.Fprintf(s.out, "%s waits for %s: %v\n", s.server, dependency.name, err)
		}
	}
	return complete
}

// note remembers the outcome of a check and reports whether it is a failure that was not known before.
func (s *startup) note(name string, err error) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err == nil {
		delete(s.missing, name)
		return false
	}
	known := s.missing[name]
	s.missing[name] = err.Error()
	return known != err.Error()
}

// healthCheck is the check of a dependency in /readyz. The endpoint is public, so the cause of a failure is only in the log.
func (s *startup) healthCheck(name string) healthz.HealthChecker {
	return healthz.NamedCheck(name, func(*http.Request) error {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		if _, missing := s.missing[name]; missing {
			return errors.New("the server waits for this dependency: see the log of the server")
		}
		return nil
	})
}

// startupHandler answers the health endpoints. Every other request gets 503 and never 404, from which a garbage collector
// would conclude that an object was deleted.
func (o *Options) startupHandler(startup *startup) http.Handler {
	mux := http.NewServeMux()
	checks := []healthz.HealthChecker{healthz.PingHealthz}
	healthz.InstallLivezHandler(mux, checks...)
	for _, dependency := range startup.dependencies {
		checks = append(checks, startup.healthCheck(dependency.name))
	}
	// The server is not ready before it has started, so that no load balancer sends requests here.
	checks = append(checks, healthz.NamedCheck("start", func(*http.Request) error { return errors.New("the server has not started yet") }))
	healthz.InstallHandler(mux, checks...)
	healthz.InstallReadyzHandler(mux, checks...)
	mux.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		err := Unavailable(startup.server+" has not started yet: /readyz lists the missing dependencies", metav1.StatusDetails{RetryAfterSeconds: 1})
		responsewriters.ErrorNegotiated(err, o.codecs, schema.GroupVersion{}, writer, request)
	})
	return mux
}

// serveHealth serves the health endpoints on the server's listener until the returned function is called.
func (o *Options) serveHealth(startup *startup) (stop func() error, err error) {
	listener, ok := lend(o.Recommended.SecureServing.Listener)
	if !ok {
		return func() error { return nil }, nil // connections within the process are not probed
	}
	serving := *o.Recommended.SecureServing.SecureServingOptions
	serving.Listener = listener
	var info *genericapiserver.SecureServingInfo
	if err := serving.ApplyTo(&info); err != nil {
		return nil, fmt.Errorf("serve the health endpoints: %w", err)
	}
	const shutdownTimeout = 2 * time.Second // as the generic server's own
	ending := make(chan struct{})
	stopped, stoppedListening, err := info.Serve(o.startupHandler(startup), shutdownTimeout, ending)
	if err != nil {
		close(ending)
		return nil, fmt.Errorf("serve the health endpoints: %w", err)
	}
	return func() error {
		close(ending)
		<-stoppedListening
		<-stopped
		return listener.takeBack()
	}, nil
}
