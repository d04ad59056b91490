// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"errors"
	"fmt"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes/scheme"
	restclient "k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/connections"
	"goldsmith.dev/goldsmith/apiserver/dependencies"
	"goldsmith.dev/goldsmith/apiserver/filters"
)

// Running is a server that serves.
type Running struct {
	name      string
	server    *genericapiserver.GenericAPIServer
	loopback  *restclient.Config
	authority []byte
	ready     chan struct{} // closed when /readyz is green, apart from a full storage
	stopped   chan struct{} // closed when everything has stopped; err is set before
	err       error
}

// Start starts the storage and the server. It waits for the dependencies of the server, and returns once the server listens.
// The server serves until ctx is done. Then it finishes running requests, ends watches and streams, and stops the storage
// last.
func (o *Options) Start(ctx context.Context) (*Running, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	stopStorage, err := o.startStorage(ctx)
	if err != nil {
		return nil, fmt.Errorf("server %s: start the storage: %w", o.server.name, err)
	}
	running, err := o.open(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("server %s: %w", o.server.name, err), stopStorage())
	}
	go running.run(ctx, o.follow(ctx, running, stopStorage))
	go running.watchReadiness(context.WithoutCancel(ctx)) // a server that shuts down still answers
	return running, nil
}

// open opens the listener, waits for the dependencies of the server, and assembles the server.
func (o *Options) open(ctx context.Context) (_ *Running, err error) {
	authority, err := o.prepareServing()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Recommended.SecureServing.Listener.Close())
		}
	}()
	serving := o.Recommended.SecureServing
	required, err := o.dependencies()
	if err != nil {
		return nil, err
	}
	waiting := dependencies.Server{Name: o.server.name, Serving: *serving.SecureServingOptions, Codecs: o.codecs, Out: o.server.out}
	if err := dependencies.Await(ctx, waiting, required); err != nil {
		return nil, err
	}
	o.listener = connections.Limit(serving.Listener, o.limits) // dependencies need the plain listener
	serving.Listener = filters.CloseStalled(o.listener, o.stallLimit)
	transformers, err := o.transformers(ctx)
	if err != nil {
		return nil, err
	}
	server, err := o.assemble(transformers)
	if err != nil {
		return nil, err
	}
	return &Running{
		name:      o.server.name,
		server:    server,
		loopback:  server.LoopbackClientConfig,
		authority: authority,
		ready:     make(chan struct{}),
		stopped:   make(chan struct{}),
	}, nil
}

// dependencies returns the dependencies of this server. An error is a mistake in the options.
func (o *Options) dependencies() (required []dependencies.Dependency, err error) {
	add := func(dependency dependencies.Dependency, failure error) {
		required, err = append(required, dependency), errors.Join(err, failure)
	}
	if _, external := o.server.storage.(externalEtcd); external {
		add(dependencies.Etcd(o.Recommended.Etcd.StorageConfig), nil)
	}
	if by := o.Recommended.Authentication; by != nil && !by.SkipInClusterLookup && !by.TolerateInClusterLookupFailure {
		add(dependencies.Authentication(by.RemoteKubeConfigFile))
	}
	if by := o.Recommended.Authorization; by != nil {
		add(dependencies.Authorization(by.RemoteKubeConfigFile))
	}
	return required, err
}

// Address is the URL that the server listens on, such as https://127.0.0.1:6443.
func (r *Running) Address() string { return r.loopback.Host }

// CertificateAuthority is the PEM bundle with which clients verify the server: certificate-authority-data of a kubeconfig.
func (r *Running) CertificateAuthority() []byte { return r.authority }

// ClientConfig returns a configuration for privileged clients in this process. It has no rate limit, unless the caller sets
// one, and no compression. Every caller gets its own copy.
func (r *Running) ClientConfig() *restclient.Config {
	config := restclient.CopyConfig(r.loopback)
	config.DisableCompression = true
	return config
}

// Ready is closed when /readyz is green. It does not wait for space in a full storage, because reads and deletions work.
func (r *Running) Ready() <-chan struct{} { return r.ready }

// WaitReady returns when Ready is closed, or with an error when the server stopped before or ctx is done.
func (r *Running) WaitReady(ctx context.Context) error {
	select {
	case <-r.ready:
		return nil
	case <-r.stopped:
		return errors.Join(fmt.Errorf("server %s stopped before it was ready", r.name), r.err)
	case <-ctx.Done():
		return fmt.Errorf("server %s is not ready: %w", r.name, ctx.Err())
	}
}

// Wait returns when the server and its storage have stopped.
func (r *Running) Wait() error {
	<-r.stopped
	return r.err
}

// run serves until ctx is done. It shuts the server down gracefully even if the storage fails.
func (r *Running) run(ctx context.Context, stopStorage func() error) {
	defer close(r.stopped)
	var failures []error
	if err := r.server.PrepareRun().RunWithContext(ctx); err != nil {
		failures = append(failures, fmt.Errorf("serve: %w", err))
	}
	if err := stopStorage(); err != nil {
		failures = append(failures, fmt.Errorf("stop the storage: %w", err))
	}
	if err := errors.Join(failures...); err != nil {
		r.err = fmt.Errorf("server %s: %w", r.name, err)
	}
}

// watchReadiness requests /readyz from the server, because the generic server has no other way to learn when it is ready. The
// intervals grow, because each answer with a failed check is also logged.
func (r *Running) watchReadiness(ctx context.Context) {
	const first, last = 10 * time.Millisecond, 5 * time.Second
	config := r.ClientConfig()
	config.NegotiatedSerializer = scheme.Codecs
	client, err := restclient.UnversionedRESTClientFor(config)
	if err != nil {
		return // the same configuration already made the server's own clients
	}
	for interval := first; ; interval = min(interval*5/4, last) {
		if client.Get().AbsPath("/readyz").Param("exclude", spaceCheck).MaxRetries(0).Do(ctx).Error() == nil {
			close(r.ready)
			return
		}
		select {
		case <-r.stopped:
			return
		case <-time.After(interval):
		}
	}
}
