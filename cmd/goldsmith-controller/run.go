// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	imagesv1alpha1 "goldsmith.dev/goldsmith/apis/generated/clientset/versioned/typed/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
	"goldsmith.dev/goldsmith/controllers"
	"goldsmith.dev/goldsmith/controllers/certificates"
	"goldsmith.dev/goldsmith/controllers/election"
	"goldsmith.dev/goldsmith/controllers/outages"
)

const (
	// namespaceFile holds the namespace of the pod that this process runs in.
	namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	// podNameVariable is the environment variable with the name of that pod.
	podNameVariable = "POD_NAME"
)

func (o *options) run(ctx context.Context, logger logr.Logger) (err error) {
	builders, err := o.builders.Read()
	if err != nil {
		return err
	}
	limits, err := o.limits.Read()
	if err != nil {
		return err
	}
	buildTTL, err := o.retention.Read()
	if err != nil {
		return err
	}
	logs, err := o.logArchive.Open(ctx)
	if err != nil {
		return err
	}
	if logs != nil {
		defer func() { err = errors.Join(err, logs.Close()) }()
	}
	history, err := o.records.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, history.Close()) }()
	config, err := o.config()
	if err != nil {
		return err
	}
	namespace, err := o.findNamespace()
	if err != nil {
		return err
	}
	archives, err := o.archives.Read()
	if err != nil {
		return err
	}
	checks, err := o.sources.Read()
	if err != nil {
		return err
	}
	elect, err := o.election(namespace)
	if err != nil {
		return err
	}
	if builders.Publisher, err = o.publisher(ctx, logger, config, namespace); err != nil {
		return err
	}
	monitor := outages.NewMonitor(logger, clock.RealClock{})
	manager, err := controllers.New(ctx, controllers.Options{
		Config:        config,
		Builders:      builders,
		Results:       o.results.Policy(false),
		Queue:         limits,
		BuildTTL:      buildTTL,
		Logger:        logger,
		Election:      elect,
		HealthAddress: o.healthAddress,
		Outages:       monitor,
		Metrics:       o.metrics(),
		Registerer:    metrics.Registry,
		LogArchive:    logs,
		Records:       history,

		SourceInterval:   checks.Interval,
		ArchiveInterval:  archives.Interval,
		RolloutWave:      archives.Wave,
		ArchiveNamespace: o.archiveNamespace,
	})
	if err != nil {
		return err
	}
	parts := []part{func(ctx context.Context) error { return controllers.Run(ctx, manager) }}
	if o.certificates {
		parts = append(parts, func(ctx context.Context) error {
			return certificates.Run(ctx, certificates.Options{
				Config:    config,
				Namespace: namespace,
				Validity:  o.certificateValidity,
				Directory: o.certificateDirectory,
				Election:  elect,
				Outages:   monitor,
				Logger:    logger,
			})
		})
	}
	if checks.Webhook != "" {
		images, err := imagesv1alpha1.NewForConfig(config)
		if err != nil {
			return fmt.Errorf("reach the API server: %w", err)
		}
		parts = append(parts, func(ctx context.Context) error {
			return checks.Serve(ctx, images, func(err error) { logger.Error(err, "a webhook was lost") },
				func(address string) { logger.Info("receiving webhooks", "address", address) })
		})
	}
	logger.Info("starting", "version", buildversion.Get(version), "builders", strings.Join(slices.Sorted(maps.Keys(builders.Registered)), ","), "allowBuilderImages", builders.AllowImages)
	return runAll(ctx, parts)
}

// config returns the configuration of clients. The clients set no limit on requests, because the API server's priority and
// fairness knows the right limit better.
func (o *options) config() (*rest.Config, error) {
	connect := rest.InClusterConfig
	if o.kubeconfig != "" {
		connect = func() (*rest.Config, error) { return clientcmd.BuildConfigFromFlags("", o.kubeconfig) }
	}
	config, err := connect()
	if err != nil {
		return nil, fmt.Errorf("configure the connection to the cluster: %w", err)
	}
	config.QPS = -1
	config.UserAgent = "goldsmith-controller/" + buildversion.Get(version)
	return config, nil
}

// election returns nil without leader election.
func (o *options) election(namespace string) (*election.Options, error) {
	if !o.leaderElect {
		return nil, nil
	}
	if name := os.Getenv(podNameVariable); name != "" {
		return &election.Options{Namespace: namespace, Identity: name}, nil
	}
	identity, err := election.UniqueIdentity()
	if err != nil {
		return nil, err
	}
	return &election.Options{Namespace: namespace, Identity: identity}, nil
}

// findNamespace returns the namespace of the Leases and of the Secrets. It may return "" if this process needs neither.
func (o *options) findNamespace() (string, error) {
	if o.leaderElectNamespace != "" || !o.leaderElect && !o.certificates {
		return o.leaderElectNamespace, nil
	}
	return namespaceOfPod("--leader-elect-namespace")
}

// namespaceOfPod returns the namespace of the pod that this process runs in. Outside of a pod, its error names the flag to set.
func namespaceOfPod(flag string) (string, error) {
	namespace, err := os.ReadFile(namespaceFile)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("%s is needed: this process does not run in a pod", flag)
	}
	if err != nil {
		return "", fmt.Errorf("find the namespace of this process: %w", err)
	}
	return strings.TrimSpace(string(namespace)), nil
}
