// SPDX-License-Identifier: Apache-2.0

// Package controllers assembles Goldsmith's controllers: one manager, its caches, and their shared dependencies. Each
// controller has a package of its own.
package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/controllers/election"
	"goldsmith.dev/goldsmith/controllers/internal/archives"
	"goldsmith.dev/goldsmith/controllers/internal/caches"
	"goldsmith.dev/goldsmith/controllers/internal/image"
	"goldsmith.dev/goldsmith/controllers/internal/imagebuild"
	"goldsmith.dev/goldsmith/controllers/internal/imagekind"
	"goldsmith.dev/goldsmith/controllers/internal/logarchive"
	"goldsmith.dev/goldsmith/controllers/internal/metrics"
	admission "goldsmith.dev/goldsmith/controllers/internal/queue"
	"goldsmith.dev/goldsmith/controllers/internal/reconciliation"
	"goldsmith.dev/goldsmith/controllers/internal/records"
	"goldsmith.dev/goldsmith/controllers/internal/restoration"
	"goldsmith.dev/goldsmith/controllers/internal/sources"
	"goldsmith.dev/goldsmith/controllers/internal/vulnerabilities"
	"goldsmith.dev/goldsmith/controllers/outages"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/queue"
	"goldsmith.dev/goldsmith/jobs/result"
)

// component is the name that events are recorded under.
const component = "goldsmith-controller"

// Options of the controllers.
type Options struct {
	// Config reaches the API that serves Images, ImageBuilds, Jobs, pods, ConfigMaps and events.
	Config *rest.Config
	// Builders are what the operator allows.
	Builders inputs.Builders
	// BuildersChanged receives after a change of Builders.Current: Images whose builder was added, changed or removed can have another status then. The
	// controllers alone receive from it. Optional.
	BuildersChanged <-chan struct{}
	// Results is what the results of builders must have. Defaults to artifacts with a file or a location, whose files nobody has read.
	Results result.Policy
	// Clock tells the time. Defaults to the real one.
	Clock clock.PassiveClock
	// Logger of the controllers. Defaults to none.
	Logger logr.Logger
	// Election elects one of several processes, which alone acts. Defaults to none, for a single process.
	Election *election.Options
	// HealthAddress serves /healthz and /readyz, as host:port. Defaults to none.
	HealthAddress string
	// Outages logs which APIs are unavailable. Defaults to a monitor of the controllers' own.
	Outages *outages.Monitor
	// Metrics is where /metrics serves the metrics of controller-runtime's registry. Defaults to nowhere.
	Metrics server.Options
	// Queue limits how many builds are active. Defaults to no limits.
	Queue queue.Limits
	// BuildTTL is how long builds that were created directly are kept from their end. Defaults to 0, which keeps them.
	BuildTTL time.Duration
	// LogArchive is where logs are archived. Defaults to nowhere. The caller closes it.
	LogArchive *archive.Store
	// Kept reports whether the server keeps the content with a digest. Defaults to a server that keeps no artifacts.
	Kept func(digest string) bool
	// Records is the connection to the database that builds are recorded in. Defaults to none. The caller closes it.
	Records *records.Connection
	// ArchiveInterval is the time between two checks of an archive of packages. Defaults to 0: new packages start no builds.
	ArchiveInterval time.Duration
	// SourceInterval is the time between two checks of a source from Git or a registry. Required.
	SourceInterval time.Duration
	// RolloutWave is how many builds because of the same new packages run at the same time until as many have succeeded. Defaults to no limit.
	RolloutWave int
	// ArchiveNamespace is where the Jobs of these checks run. Required with ArchiveInterval.
	ArchiveNamespace string
	// ArchiveNamespaceCreate is whether that namespace is created before the first check. Defaults to an installation that has created it.
	ArchiveNamespaceCreate bool
	// Registerer takes the metrics of builds. Defaults to a registry that is not served.
	Registerer prometheus.Registerer
}

// New assembles the controllers. Start of the manager runs them until its context ends.
func New(ctx context.Context, options Options) (manager.Manager, error) {
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
	if options.Registerer == nil {
		options.Registerer = prometheus.NewRegistry()
	}
	if options.Outages == nil {
		options.Outages = outages.NewMonitor(options.Logger, options.Clock)
	}
	options.Config = options.Outages.Wrap(options.Config)
	settings := ctrl.Options{
		Scheme:                 scheme,
		MapperProvider:         caches.Mapper,
		Cache:                  caches.Options(),
		Metrics:                options.Metrics,
		HealthProbeBindAddress: options.HealthAddress,
		Logger:                 options.Logger,
		// Several managers in one process, in tests, have controllers of the same names.
		Controller: config.Controller{SkipNameValidation: new(true)},
	}
	mgr, err := options.Election.NewManager(options.Config, settings, component, options.Outages)
	if err != nil {
		return nil, fmt.Errorf("create the manager: %w", err)
	}
	if err := addChecks(mgr, options.Outages); err != nil {
		return nil, err
	}
	if err := caches.AddIndexes(ctx, mgr.GetFieldIndexer()); err != nil {
		return nil, err
	}
	client, err := versioned.NewForConfigAndClient(options.Config, mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("create the client for images: %w", err)
	}
	if err := restoration.AddTo(ctx, mgr, client); err != nil {
		return nil, fmt.Errorf("add the check for a restoration: %w", err)
	}
	kube, err := kubernetes.NewForConfigAndClient(options.Config, mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("create the client for Jobs: %w", err)
	}
	events, err := recordEvents(mgr, kube, scheme)
	if err != nil {
		return nil, err
	}
	given := reconciliation.Options{
		Client: client, Kube: kube, Builders: options.Builders, Results: options.Results, Kept: options.Kept, Events: events, Clock: options.Clock,
	}
	return mgr, addControllers(ctx, mgr, options, given)
}

// addControllers adds each controller with its metrics.
func addControllers(ctx context.Context, mgr manager.Manager, options Options, given reconciliation.Options) error {
	builds, err := metrics.NewBuilds(options.Registerer)
	if err != nil {
		return err
	}
	if err := metrics.RegisterPhases(options.Registerer, mgr.GetCache(), mgr.Elected()); err != nil {
		return err
	}
	waits, err := metrics.NewQueue(options.Registerer)
	if err != nil {
		return err
	}
	if err := admission.Prepare(ctx, mgr.GetCache()); err != nil {
		return err
	}
	admissions := admission.New(admission.Options{
		Limits: options.Queue, Cache: mgr.GetCache(), API: mgr.GetAPIReader(), Events: given.Events, Metrics: waits, Clock: options.Clock,
	})
	packages, err := addArchives(mgr, options, given)
	if err != nil {
		return err
	}
	known := vulnerabilities.New(given, mgr.GetCache())
	questions, begin := known.Controller()
	if err := questions.AddTo(mgr, begin); err != nil {
		return err
	}
	checks, err := metrics.NewSourceChecks(options.Registerer)
	if err != nil {
		return err
	}
	images := image.New(image.Options{
		Options: given, Packages: packages, Sources: sources.New(sources.Options{Options: given, Interval: options.SourceInterval}, mgr.GetCache()), SourceChecks: checks,
		Vulnerabilities: known, Metrics: builds, LogsArchived: options.LogArchive != nil, BuildsRecorded: options.Records != nil,
	}, mgr.GetCache())
	if err := images.AddTo(mgr, image.BuilderChanges(options.BuildersChanged, mgr.GetCache()), known.Changes()); err != nil {
		return err
	}
	decisive := []*reconciliation.Controller{imagebuild.NewOrphans(given, mgr.GetCache()), imagekind.New(given, mgr.GetCache())}
	if options.BuildTTL > 0 {
		decisive = append(decisive, imagebuild.NewExpiry(imagebuild.ExpiryOptions{
			Options: given, TTL: options.BuildTTL, LogsArchived: options.LogArchive != nil, BuildsRecorded: options.Records != nil, Metrics: builds,
		}, mgr.GetCache()))
	}
	for _, controller := range decisive {
		if err := controller.AddTo(mgr); err != nil {
			return err
		}
	}
	err = imagebuild.New(imagebuild.Options{Options: given, Metrics: builds, Queue: admissions}, mgr.GetCache()).AddTo(mgr, admissions)
	if err != nil {
		return err
	}
	if err := addLogArchive(mgr, options, given); err != nil {
		return err
	}
	return addRecords(mgr, options, given)
}

// addArchives adds the controller that checks archives of packages, if they are to be checked.
func addArchives(mgr manager.Manager, options Options, given reconciliation.Options) (image.Packages, error) {
	if options.ArchiveInterval == 0 {
		return nil, nil
	}
	measured, err := metrics.NewArchiveChecks(options.Registerer)
	if err != nil {
		return nil, err
	}
	packages := archives.New(archives.Options{
		Options: given, Namespace: options.ArchiveNamespace, CreateNamespace: options.ArchiveNamespaceCreate, Interval: options.ArchiveInterval, Wave: options.RolloutWave, Metrics: measured,
	}, mgr.GetCache())
	controller, begin := packages.Controller()
	return packages, controller.AddTo(mgr, begin)
}

// addLogArchive adds the controller that archives logs, if there is an archive.
func addLogArchive(mgr manager.Manager, options Options, given reconciliation.Options) error {
	if options.LogArchive == nil {
		return nil
	}
	logs, err := metrics.NewLogs(options.Registerer, mgr.GetCache(), mgr.Elected(), options.Clock)
	if err != nil {
		return err
	}
	err = logarchive.SetupWithManager(mgr, logarchive.Options{Options: given, Archive: options.LogArchive, Metrics: logs})
	if err != nil {
		return fmt.Errorf("controller of logs: %w", err)
	}
	return nil
}

// addRecords adds the controller that records builds, if there is a database.
func addRecords(mgr manager.Manager, options Options, given reconciliation.Options) error {
	if options.Records == nil {
		return nil
	}
	measured, err := metrics.NewRecords(options.Registerer, mgr.GetCache(), mgr.Elected(), options.Clock)
	if err != nil {
		return err
	}
	err = records.SetupWithManager(mgr, records.Options{Options: given, Database: options.Records, Metrics: measured})
	if err != nil {
		return fmt.Errorf("controller of records: %w", err)
	}
	return nil
}

// recordEvents records core/v1 events, which kubectl describe shows, as long as the manager runs.
func recordEvents(mgr manager.Manager, kube kubernetes.Interface, scheme *runtime.Scheme) (record.EventRecorder, error) {
	broadcaster := record.NewBroadcaster()
	err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		sink := broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: kube.CoreV1().Events(corev1.NamespaceAll)})
		defer sink.Stop()
		<-ctx.Done()
		broadcaster.Shutdown()
		return nil
	}))
	if err != nil {
		return nil, fmt.Errorf("record events: %w", err)
	}
	return broadcaster.NewRecorder(scheme, corev1.EventSource{Component: component}), nil
}
