// SPDX-License-Identifier: Apache-2.0

package dependencies

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
	genericoptions "k8s.io/apiserver/pkg/server/options"

	"goldsmith.dev/goldsmith/apiserver/requesterrors"
)

// awaitInterval is the interval at which a server that cannot start yet checks its dependencies.
const awaitInterval = time.Second

// Server is the server that waits.
type Server struct {
	// Name is its name in its lines and answers.
	Name string
	// Serving has its open listener and its certificate.
	Serving genericoptions.SecureServingOptions
	// Codecs encode its answers.
	Codecs runtime.NegotiatedSerializer
	// Out gets a line for each reason to wait.
	Out io.Writer
}

// Await returns once all dependencies of a server answer, or when ctx is done. If that takes a while, it serves the health
// endpoints meanwhile: /livez is green, because a restart would not help, and /readyz names the missing dependencies. Only a TCP
// listener serves them.
func Await(ctx context.Context, server Server, dependencies []Dependency) error {
	if len(dependencies) == 0 {
		return nil
	}
	startup := newStartup(server, dependencies)
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
	stopHealth, err := startup.serveHealth()
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
	Server
	dependencies []Dependency

	mutex   sync.Mutex
	missing map[string]string // what is wrong with each dependency
}

func newStartup(server Server, dependencies []Dependency) *startup {
	startup := &startup{Server: server, dependencies: dependencies, missing: map[string]string{}}
	for _, dependency := range dependencies {
		startup.missing[dependency.Name] = ""
	}
	return startup
}

// check checks every dependency and reports whether all of them answer. It writes each problem once.
func (s *startup) check(ctx context.Context) bool {
	complete := true
	for _, dependency := range s.dependencies {
		err := dependency.Check(ctx)
		complete = complete && err == nil
		if s.note(dependency.Name, err) && ctx.Err() == nil {
			// A failure to write the log cannot be reported anywhere.
			_, _ = fmt.Fprintf(s.Out, "%s waits for %s: %v\n", s.Name, dependency.Name, err)
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

// handler answers the health endpoints. Every other request gets 503 and never 404, from which a garbage collector
// would conclude that an object was deleted.
func (s *startup) handler() http.Handler {
	mux := http.NewServeMux()
	checks := []healthz.HealthChecker{healthz.PingHealthz}
	healthz.InstallLivezHandler(mux, checks...)
	for _, dependency := range s.dependencies {
		checks = append(checks, s.healthCheck(dependency.Name))
	}
	// The server is not ready before it has started, so that no load balancer sends requests here.
	checks = append(checks, healthz.NamedCheck("start", func(*http.Request) error { return errors.New("the server has not started yet") }))
	healthz.InstallHandler(mux, checks...)
	healthz.InstallReadyzHandler(mux, checks...)
	mux.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		err := requesterrors.Unavailable(s.Name+" has not started yet: /readyz lists the missing dependencies", metav1.StatusDetails{RetryAfterSeconds: 1})
		responsewriters.ErrorNegotiated(err, s.Codecs, schema.GroupVersion{}, writer, request)
	})
	return mux
}

// serveHealth serves the health endpoints on the server's listener until the returned function is called.
func (s *startup) serveHealth() (stop func() error, err error) {
	listener, ok := lend(s.Serving.Listener)
	if !ok {
		return func() error { return nil }, nil // connections within the process are not probed
	}
	serving := s.Serving
	serving.Listener = listener
	var info *genericapiserver.SecureServingInfo
	if err := serving.ApplyTo(&info); err != nil {
		return nil, fmt.Errorf("serve the health endpoints: %w", err)
	}
	const shutdownTimeout = 2 * time.Second // as the generic server's own
	ending := make(chan struct{})
	stopped, stoppedListening, err := info.Serve(s.handler(), shutdownTimeout, ending)
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
