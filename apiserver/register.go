// SPDX-License-Identifier: Apache-2.0

// Package apiserver defines the resources of Goldsmith's API server.
//
// Resources are registered only here, and get the stores of other resources here. Package builder assembles and runs a server. Each
// resource has a package of its own in registry.
//
// NewStorage of a resource lists its subresources. Only plan, rerun and tests are added here. The package of a resource also serves its
// subresources, each in a file of its name, except for these:
//
//	status                                   strategy.go of the resource's package
//	imagebuilds/log                          buildlog
//	images/history, stats, changes, notes    history, which lists them in subresources.go
//	images/plan                              imageplan (plan.go), because a plan is also a resource
//	imagebuilds/rerun, tests                 image (rerun.go, retest.go), because the Image allocates the new build
//
// Package catalog serves the kinds of the catalog, with their subresources build, log and status.
//
// A created ImageBuild with an imageRef and without a name is a request, too: requested.go in package image answers it.
package apiserver

import (
	"context"
	"errors"
	"fmt"
	"sync"

	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/generated/openapi"
	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder"
	archives "goldsmith.dev/goldsmith/apiserver/registry/archive"
	builders "goldsmith.dev/goldsmith/apiserver/registry/builder"
	"goldsmith.dev/goldsmith/apiserver/registry/buildlog"
	"goldsmith.dev/goldsmith/apiserver/registry/catalog"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/registry/image"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/imagekind"
	"goldsmith.dev/goldsmith/apiserver/registry/imageplan"
	"goldsmith.dev/goldsmith/apiserver/registry/imagereport"
	"goldsmith.dev/goldsmith/apiserver/registry/install"
	"goldsmith.dev/goldsmith/apiserver/registry/objectquota"
	"goldsmith.dev/goldsmith/apiserver/registry/queuedbuild"
	"goldsmith.dev/goldsmith/apiserver/registry/revokedartifact"
	"goldsmith.dev/goldsmith/apiserver/registry/signingkey"
	"goldsmith.dev/goldsmith/apiserver/registry/templateaccess"
	"goldsmith.dev/goldsmith/apiserver/registry/validation"
	"goldsmith.dev/goldsmith/apiserver/resources"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/jobs/attestation"
	"goldsmith.dev/goldsmith/jobs/inputs"
	"goldsmith.dev/goldsmith/jobs/queue"
	"goldsmith.dev/goldsmith/records"
)

// Options are the options of the resources.
type Options struct {
	// Logs is where builds' logs are read. Defaults to the pods of the cluster that the server works for or, standalone,
	// of the server itself.
	Logs buildlog.Source
	// LogArchive opens the archive with the logs of deleted pods. It is called once, before the server serves, and the caller closes
	// the archive. If it is nil or returns nil, there is no archive.
	LogArchive func() (*archive.Store, error)
	// Artifacts reads the artifacts that the server keeps. Nil means that it keeps none.
	Artifacts imagebuild.Artifacts
	// Records finds the connection to the database of records; nil is none. It is called once, before the server serves, and
	// the caller closes the connection. ConnectRecords makes such a function. Defaults to none.
	Records func() (history.Connection, error)
	// Builders reads the builders that the operator allows, for the resource builders, plans, warnings, and checks of parameters and targets. They are the same as for the controllers. It
	// is called once, before the server serves, and Current of what it returns at each request. Defaults to none.
	Builders func() (inputs.Builders, error)
	// Local is true if builds run as processes of the server's machine. Images with fields that only pods of a cluster follow get
	// warnings then.
	Local bool
	// Queue reads the limits of active builds, which determine the order of queued builds. They are the same as for the
	// controllers. It is called once, before the server serves. Defaults to no limits.
	Queue func() (queue.Limits, error)
	// Policy reads the policy of the operator. It is called once, before the server serves. Defaults to allowing everything but Kueue.
	Policy func() (Policy, error)
	// Kinds are the kinds of the group catalog.goldsmith.dev that the operator configures. They can change while the server serves.
	// Defaults to none.
	Kinds *catalog.Configuration
	// PublisherTokens reviews the tokens of publishers. Defaults to the kube-apiserver of the cluster that the server works for. Other servers
	// refuse all tokens by default.
	PublisherTokens imagebuild.PublisherTokens
	// Advisories opens the known vulnerabilities of packages, which can change while the server serves. It is called once, before the server serves. If
	// it is nil or returns nil, there are no advisories.
	Advisories func() (imagebuild.Advisories, error)
	// Version is the version of Goldsmith, for statements about artifacts.
	Version string
	// Clock tells the time. Defaults to the real one.
	Clock clock.PassiveClock
}

// Policy is the operator's policy for a server, within the limits of the API.
type Policy = validation.Policy

// ConnectRecords returns the function of Options.Records that opens a connection for the life of the process. If open returns nil,
// there is no database.
func ConnectRecords(open func(context.Context) (*records.Connection, error)) func() (history.Connection, error) {
	return func() (history.Connection, error) {
		connection, err := open(context.Background())
		return history.Connect(connection), err
	}
}

// Register adds every resource of Goldsmith to a server and returns it.
func Register(server *builder.Server, options Options) *builder.Server {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Kinds == nil {
		options.Kinds = catalog.NewConfiguration(nil)
	}
	database := history.NewDatabase(options.Records)
	edits := history.NewQueue(database, nil)
	kinds := catalog.NewPublisher(options.Kinds, options.Clock)
	return server.
		WithScheme(install.Install).
		WithScheme(catalog.Install).
		WithStreamed("artifacts").
		WithSecretHeaders(v1alpha1.PublisherTokenHeader).
		WithEqualities(validation.Unchanged).
		WithAdmissionPlugin(templateaccess.PluginName, templateaccess.New).
		WithAdmissionPlugin(objectquota.PluginName, objectquota.New). // the last plugin: it counts the objects that the other plugins have admitted
		WithOpenAPI("Goldsmith", v1alpha1.SchemeGroupVersion.Version, openapi.GetOpenAPIDefinitions).
		WithResources(v1alpha1.SchemeGroupVersion, []string{"images", "imagebuilds", "imageplans", "imagereports", "queuedbuilds", "builders", "imagekinds", "signingkeys", "archives", "revokedartifacts"},
			func(scope *resources.Scope) (map[string]resources.Storages, error) {
				return provide(scope, options, database, edits, kinds)
			}).
		WithDynamicGroup(kinds.Group).
		WithPostStartHook("catalog", func(hook genericapiserver.PostStartHookContext) error {
			go func() {
				if err := kinds.Run(hook, hook.LoopbackClientConfig); err != nil {
					utilruntime.HandleErrorWithContext(hook, err, "Serve the kinds of the catalog")
				}
			}()
			return nil
		}).
		WithPostStartHook("records", func(hook genericapiserver.PostStartHookContext) error {
			if err := edits.Register(legacyregistry.Registerer()); err != nil {
				return err
			}
			go database.Watch(hook)
			go edits.Run(hook)
			return nil
		}).
		WithReadyzCheck(database.Check())
}

// provide creates the resources. Each gets the stores of the other resources that it uses.
func provide(scope *resources.Scope, options Options, database *history.Database, edits *history.Queue,
	kinds *catalog.Publisher) (map[string]resources.Storages, error) {
	setup, err := readSetup(&options)
	if err != nil {
		return nil, err
	}
	if err := database.ServeIn(scope); err != nil {
		return nil, err
	}
	var policy Policy
	if options.Policy != nil {
		if policy, err = options.Policy(); err != nil {
			return nil, fmt.Errorf("read what the operator allows: %w", err)
		}
	}
	var known imagebuild.Advisories
	if options.Advisories != nil {
		if known, err = options.Advisories(); err != nil {
			return nil, fmt.Errorf("open the advisories: %w", err)
		}
	}
	revoked, err := revokedartifact.NewStore(scope, options.Clock)
	if err != nil {
		return nil, fmt.Errorf("provide revokedartifacts: %w", err)
	}
	builds, err := imagebuild.NewStore(scope, imagebuild.Options{
		Logs: options.Logs, Archive: options.LogArchive, Artifacts: options.Artifacts, Records: database, Clock: options.Clock, Policy: policy,
		Builders: setup.Builders, PublisherTokens: options.PublisherTokens, Builder: builderOf(&options), Advisories: known, Revoked: revoked,
	})
	if err != nil {
		return nil, fmt.Errorf("provide imagebuilds: %w", err)
	}
	images, err := image.New(scope, builds, image.Options{Clock: options.Clock, Records: database, Edits: edits, Policy: policy, Setup: setup, Kinds: kinds.Kind})
	if err != nil {
		return nil, fmt.Errorf("provide images: %w", err)
	}
	kinds.Serve(catalog.Sources{Images: images, Builds: builds, Log: builds.Log()}, scope)
	ofKinds, err := imagekind.NewStorage(scope, imagekind.Options{
		Clock: options.Clock,
		Check: func(ctx context.Context, declared *v1alpha1.ImageKind) field.ErrorList {
			_, errs := catalog.Compile(ctx, declared)
			return errs
		},
		Warn: func(declared *v1alpha1.ImageKind) []string {
			return catalog.Warnings(declared, setup, options.Clock.Now())
		},
	})
	if err != nil {
		return nil, fmt.Errorf("provide imagekinds: %w", err)
	}
	ofArchives, err := archives.NewStorage(scope, options.Clock)
	if err != nil {
		return nil, fmt.Errorf("provide archives: %w", err)
	}
	archivesByName, ok := ofArchives[""].(rest.Getter)
	if !ok {
		return nil, errors.New("provide imageplans: archives cannot be read")
	}
	forecaster, err := queuedbuild.NewForecaster(scope, builds, queuedbuild.Options{Limits: options.Queue, Clock: options.Clock})
	if err != nil {
		return nil, fmt.Errorf("provide queuedbuilds: %w", err)
	}
	ofPlans := imageplan.Options{Builders: options.Builders, Clock: options.Clock, Policy: policy, Archives: archivesByName, Queue: forecaster.Obstacle}
	if options.Artifacts != nil {
		ofPlans.Kept = options.Artifacts.Has
	}
	plans, err := imageplan.NewStorage(scope, images, builds, ofPlans)
	if err != nil {
		return nil, fmt.Errorf("provide imageplans: %w", err)
	}
	ofReports, err := imagereport.NewStorage(images, imagereport.Options{Records: database, Clock: options.Clock})
	if err != nil {
		return nil, fmt.Errorf("provide imagereports: %w", err)
	}
	ofKeys, err := signingkey.NewStorage(scope, options.Clock)
	if err != nil {
		return nil, fmt.Errorf("provide signingkeys: %w", err)
	}
	keys, ok := ofKeys[""].(rest.Lister)
	if !ok {
		return nil, errors.New("provide imagebuilds: signingkeys cannot be listed")
	}
	return map[string]resources.Storages{
		"images": images.Storages(plans.Subresource()), "imagebuilds": builds.Storages(images.OfBuilds(), keys), "imageplans": {"": plans}, "imagereports": ofReports, "queuedbuilds": queuedbuild.NewStorage(forecaster),
		"builders": builders.NewStorage(setup.Builders), "imagekinds": ofKinds, "signingkeys": ofKeys, "archives": ofArchives, "revokedartifacts": revokedartifact.Storages(revoked),
	}, nil
}

// builderOf returns the system that runs builds.
func builderOf(options *Options) attestation.Builder {
	if options.Local {
		return attestation.Builder{ID: attestation.BuilderMachine, Version: options.Version}
	}
	return attestation.Builder{ID: attestation.BuilderCluster, Version: options.Version}
}

// readSetup reads the settings that warnings and checks of Images are based on. The options keep the values, because each function is
// called once.
func readSetup(options *Options) (image.Setup, error) {
	setup := image.Setup{Local: options.Local}
	if options.Builders != nil {
		options.Builders = sync.OnceValues(options.Builders)
		builders, err := options.Builders()
		if err != nil {
			return setup, fmt.Errorf("read the builders: %w", err)
		}
		setup.Builders = &builders
	}
	if options.LogArchive != nil {
		options.LogArchive = sync.OnceValues(options.LogArchive)
		archived, err := options.LogArchive()
		if err != nil {
			return setup, fmt.Errorf("open the log archive: %w", err)
		}
		setup.LogArchive = archived != nil
	}
	return setup, nil
}
