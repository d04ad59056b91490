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

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
)

// awaitInterval is how often a server that cannot start yet looks again.
const awaitInterval = time.Second

// await returns once everything that the server depends on answers. If that takes a while, it serves the health
// endpoints meanwhile: /livez is green, because a restart would not help, and /readyz names what is missing.
func (o *Options) await(ctx context.Context) error {
	dependencies, err := o.dependencies()
	if err != nil || len(dependencies) == 0 {
		return err
	}
	room := newWaitingRoom(o.server.name, dependencies, o.server.out)
	complete := make(chan struct{})
	go func() {
		defer close(complete)
		// The only error is that ctx is done, which is looked at below.
		_ = wait.PollUntilContextCancel(ctx, awaitInterval, true, func(ctx context.Context) (bool, error) {
			return room.look(ctx), nil
		})
	}()
	select {
	case <-complete:
		return ctx.Err()
	case <-time.After(awaitInterval):
	}
	stopHealth, err := o.serveHealth(room)
	if err != nil {
		return err
	}
	select {
	case <-complete:
	case <-ctx.Done():
	}
	return errors.Join(ctx.Err(), stopHealth())
}

// waitingRoom knows what a server still waits for.
type waitingRoom struct {
	server       string
	dependencies []dependency
	out          io.Writer

	mutex   sync.Mutex
	missing map[string]string // what is wrong with each dependency
}

func newWaitingRoom(server string, dependencies []dependency, out io.Writer) *waitingRoom {
	room := &waitingRoom{server: server, dependencies: dependencies, out: out, missing: map[string]string{}}
	for _, dependency := range dependencies {
		room.missing[dependency.name] = ""
	}
	return room
}

// look asks every dependency and says whether all of them answer. It writes what is wrong, once.
func (r *waitingRoom) look(ctx context.Context) bool {
	complete := true
	for _, dependency := range r.dependencies {
		err := dependency.check(ctx)
		complete = complete && err == nil
		if r.note(dependency.name, err) && ctx.Err() == nil {
			// A log that cannot be written has nowhere to say so.
			_, _ = fmt.Fprintf(r.out, "%s waits for %s: %v\n", r.server, dependency.name, err)
		}
	}
	return complete
}

// note remembers the outcome of a check and says whether it is a failure that was not known before.
func (r *waitingRoom) note(name string, err error) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if err == nil {
		delete(r.missing, name)
		return false
	}
	known := r.missing[name]
	r.missing[name] = err.Error()
	return known != err.Error()
}

// healthCheck is what /readyz shows of a dependency. What is wrong with it is in the log: the endpoint is everybody's.
func (r *waitingRoom) healthCheck(name string) healthz.HealthChecker {
	return healthz.NamedCheck(name, func(*http.Request) error {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		if _, missing := r.missing[name]; missing {
			return errors.New("the server waits for it, and its log says why")
		}
		return nil
	})
}

// handler answers the health endpoints. To everything else it says that the server is not available: never that
// something was not found, from which a garbage collector would conclude that it is gone.
func (o *Options) waitingHandler(room *waitingRoom) http.Handler {
	mux := http.NewServeMux()
	checks := []healthz.HealthChecker{healthz.PingHealthz}
	healthz.InstallLivezHandler(mux, checks...)
	for _, dependency := range room.dependencies {
		checks = append(checks, room.healthCheck(dependency.name))
	}
	// Ready is what comes after: whoever is sent here before would be sent away.
	checks = append(checks, healthz.NamedCheck("start", func(*http.Request) error { return errors.New("the server has not started yet") }))
	healthz.InstallHandler(mux, checks...)
	healthz.InstallReadyzHandler(mux, checks...)
	mux.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		err := apierrors.NewServiceUnavailable(room.server + " has not started yet: /readyz says what it waits for")
		responsewriters.ErrorNegotiated(err, o.codecs, schema.GroupVersion{}, writer, request)
	})
	return mux
}

// serveHealth serves the health endpoints on the server's listener until the returned function is called.
func (o *Options) serveHealth(room *waitingRoom) (stop func() error, err error) {
	listener, ok := lend(o.Recommended.SecureServing.Listener)
	if !ok {
		return func() error { return nil }, nil // connections within the process: nobody probes those
	}
	serving := *o.Recommended.SecureServing.SecureServingOptions
	serving.Listener = listener
	var info *genericapiserver.SecureServingInfo
	if err := serving.ApplyTo(&info); err != nil {
		return nil, fmt.Errorf("serve the health endpoints: %w", err)
	}
	const shutdownTimeout = 2 * time.Second // as the generic server's own
	ending := make(chan struct{})
	stopped, stoppedListening, err := info.Serve(o.waitingHandler(room), shutdownTimeout, ending)
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
