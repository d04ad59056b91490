// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"

	"github.com/go-logr/logr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/controllers/internal/signer"
	"goldsmith.dev/goldsmith/controllers/outages"
)

// SignerOptions are the options of the signer.
type SignerOptions struct {
	// Config reaches the API that serves SigningKeys, ImageBuilds, Secrets and namespaces.
	Config *rest.Config
	// Namespace has the Secrets of SigningKeys.
	Namespace string
	// Clock tells the time. Defaults to the real one.
	Clock clock.PassiveClock
	// Logger of the signer. Defaults to none.
	Logger logr.Logger
	// HealthAddress serves /healthz and /readyz, as host:port. Defaults to none.
	HealthAddress string
	// Metrics is where /metrics serves the metrics of controller-runtime's registry. Defaults to nowhere.
	Metrics server.Options
}

// NewSigner assembles the signer, which alone reads private keys. Any number of processes can run it, without an election.
func NewSigner(options SignerOptions) (manager.Manager, error) {
	scheme, err := caches.Scheme()
	if err != nil {
		return nil, err
	}
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Metrics.BindAddress == "" {
		options.Metrics.BindAddress = "0"
	}
	monitor := outages.NewMonitor(options.Logger, options.Clock)
	mgr, err := ctrl.NewManager(monitor.Wrap(options.Config), ctrl.Options{
		Scheme:                 scheme,
		MapperProvider:         caches.Mapper,
		Cache:                  caches.SignerOptions(),
		Metrics:                options.Metrics,
		HealthProbeBindAddress: options.HealthAddress,
		Logger:                 options.Logger,
		// Several managers in one process, in tests, have controllers of the same names.
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		return nil, fmt.Errorf("create the manager of the signer: %w", err)
	}
	if err := addChecks(mgr, monitor); err != nil {
		return nil, err
	}
	client, err := versioned.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("create the client for images: %w", err)
	}
	kube, err := kubernetes.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("create the client for Secrets: %w", err)
	}
	given := signer.Options{Client: client, Kube: kube, Namespace: options.Namespace, Clock: options.Clock}
	for _, controller := range []*reconciliation.Controller{signer.NewKeys(given, mgr.GetCache()), signer.NewBuilds(given, mgr.GetCache())} {
		if err := controller.AddTo(mgr); err != nil {
			return nil, err
		}
	}
	return mgr, nil
}
