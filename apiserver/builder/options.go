// SPDX-License-Identifier: Apache-2.0

package builder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	genericoptions "k8s.io/apiserver/pkg/server/options"

	"goldsmith.dev/goldsmith/apiserver/connections"
	"goldsmith.dev/goldsmith/apiserver/filters"
)

// storagePrefix is the root of all keys in etcd, like that of kube-apiserver.
const storagePrefix = "/registry"

// stallLimit is how long a client can read nothing of an answer before the server ends the answer. Until then the server keeps the
// answer in memory.
const stallLimit = 30 * time.Second

// Options are a described server with the settings that can be changed before it starts, for example by flags.
type Options struct {
	// Recommended are the generic server's own options. Parts that the server's mode does not use are nil.
	Recommended *genericoptions.RecommendedOptions
	// ServerRun are the generic server's limits and timeouts, and how it ends.
	ServerRun *genericoptions.ServerRunOptions

	server     Server
	scheme     *runtime.Scheme
	codecs     serializer.CodecFactory
	stallLimit time.Duration
	limits     connections.Limits
	listener   *connections.Listener // once the server listens
}

// ToServerOptions returns the options of the described server, or the errors of the description.
func (s *Server) ToServerOptions() (*Options, error) {
	if s.descriptionErr != nil {
		return nil, fmt.Errorf("describe server %s: %w", s.name, s.descriptionErr)
	}
	if err := s.checkDynamic(); err != nil {
		return nil, fmt.Errorf("describe server %s: %w", s.name, err)
	}
	scheme, err := s.scheme()
	if err != nil {
		return nil, fmt.Errorf("describe server %s: %w", s.name, err)
	}
	run, err := runOptions(s.name)
	if err != nil {
		return nil, fmt.Errorf("describe server %s: %w", s.name, err)
	}
	options := &Options{ServerRun: run, server: *s, scheme: scheme, codecs: serializer.NewCodecFactory(scheme), stallLimit: stallLimit,
		limits: connections.OfProcess()}
	options.Recommended = s.recommendedOptions()
	return options, nil
}

func (s *Server) recommendedOptions() *genericoptions.RecommendedOptions {
	options := standaloneOptions()
	if s.delegated != nil {
		options = s.delegated.options()
	}
	switch storage := s.storage.(type) {
	case nil:
		options.Etcd = nil
	case externalEtcd:
		connectTo(&options.Etcd.StorageConfig.Transport, storage.transport)
	}
	serving := options.SecureServing
	serving.BindAddress = s.bindAddress
	serving.BindPort = s.port
	serving.ServerCert.CertKey.CertFile = s.certificateFile
	serving.ServerCert.CertKey.KeyFile = s.keyFile
	serving.ServerCert.CertDirectory = s.certificateDirectory
	options.EgressSelector = nil // the server has no choice of networks for its requests
	for _, plugin := range s.plugins {
		if options.Admission != nil {
			options.Admission.Plugins.Register(plugin.name, plugin.make)
			options.Admission.RecommendedPluginOrder = append(options.Admission.RecommendedPluginOrder, plugin.name)
		}
	}
	return options
}

// Validate returns all errors of the options.
func (o *Options) Validate() error {
	recommended := *o.Recommended
	if _, external := o.server.storage.(externalEtcd); !external {
		recommended.Etcd = nil // its servers are known only once the backend has started
	}
	run := *o.ServerRun
	run.CorsAllowedOriginList = nil // checked below, more strictly
	failures := append(recommended.Validate(), run.Validate()...)
	if err := filters.CheckOrigins(o.ServerRun.CorsAllowedOriginList); err != nil {
		failures = append(failures, err)
	}
	if len(o.server.tokens) == 0 && o.server.delegated == nil {
		failures = append(failures, errors.New("nobody could authenticate: the server has neither a bearer token nor delegated authentication"))
	}
	if len(o.server.tokens)+len(o.server.guests) > 0 && o.server.delegated != nil {
		failures = append(failures, errors.New("a server with delegated authentication takes no bearer tokens of its own"))
	}
	if o.server.landing != nil && o.server.delegated != nil {
		failures = append(failures, errors.New("a server with delegated authentication has no landing page"))
	}
	if len(o.server.provisions)+len(o.server.dynamic) == 0 {
		failures = append(failures, errors.New("the server has no resources"))
	}
	if err := utilerrors.NewAggregate(failures); err != nil {
		return fmt.Errorf("server %s: %w", o.server.name, err)
	}
	return nil
}

// Run serves until ctx is done and then stops everything. It writes the server's address to the server's writer once
// it is ready.
func (o *Options) Run(ctx context.Context) error {
	running, err := o.Start(ctx)
	if err != nil {
		return err
	}
	if err := running.WaitReady(ctx); err == nil {
		if _, err := fmt.Fprintf(o.server.out, "%s serves on %s\n", o.server.name, running.Address()); err != nil {
			return fmt.Errorf("write the server's address: %w", err)
		}
	}
	return running.Wait()
}
