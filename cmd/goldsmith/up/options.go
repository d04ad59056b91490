// SPDX-License-Identifier: Apache-2.0

package up

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apiserver/filters"
	"goldsmith.dev/goldsmith/builders"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up/apply"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up/systemd"
	"goldsmith.dev/goldsmith/cmd/internal/advisories"
	"goldsmith.dev/goldsmith/cmd/internal/archives"
	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
	"goldsmith.dev/goldsmith/cmd/internal/catalog"
	"goldsmith.dev/goldsmith/cmd/internal/limits"
	"goldsmith.dev/goldsmith/cmd/internal/logarchive"
	"goldsmith.dev/goldsmith/cmd/internal/records"
	"goldsmith.dev/goldsmith/cmd/internal/registries"
	"goldsmith.dev/goldsmith/cmd/internal/results"
	"goldsmith.dev/goldsmith/cmd/internal/retention"
	"goldsmith.dev/goldsmith/cmd/internal/sources"
)

// Options configure Run. The zero value of each option is its default.
type Options struct {
	// DataDirectory holds everything that survives a restart. Defaults to ./.goldsmith. One process at a time uses it.
	DataDirectory string
	// Kubeconfig is the file to write, with mode 0600. Defaults to DataDirectory/kubeconfig. An existing file that Goldsmith did
	// not write is refused.
	Kubeconfig string
	// Listen is a loopback address, as host or host:port. Defaults to 127.0.0.1. The default port is the port last used with this
	// data directory, or else a free port. Port 0 is a free port.
	Listen string
	// Workers is how many attempts make artifacts at a time, together with Jobs of users. Defaults to the number of cores.
	Workers int
	// TestWorkers is how many attempts run tests at a time. Defaults to Workers.
	TestWorkers int
	// CheckWorkers is how many checks of archives run at a time. Defaults to DefaultCheckWorkers.
	CheckWorkers int
	// Limits are how many builds are admitted at a time, never more than Workers: a build for which no worker is free waits in
	// the queue.
	Limits limits.Flags
	// Results is what the results of builders must have. Defaults to artifacts with a file or a location.
	Results results.Flags
	// Retention is how long builds that were created directly are kept. Defaults to no limit.
	Retention retention.Flags
	// Archives is how often archives are checked for new packages. Defaults to half an hour.
	Archives archives.Flags
	// Advisories are files and addresses with known vulnerabilities. Defaults to none.
	Advisories advisories.Flags
	// Memory keeps nothing: DataDirectory holds the kubeconfig and the files of builds until the server stops, which deletes
	// them. Objects and builds from a run without Memory stay untouched.
	Memory bool
	// Apply is a directory whose manifests the server applies whenever they change: see package apply. Defaults to none.
	Apply string
	// DiscardSecrets deletes the stored Secrets at the start, if the data directory lacks their key. By default the start fails.
	DiscardSecrets bool
	// LogArchive is the archive of logs, as a URL that archive.Open accepts, or "none". Defaults to DataDirectory/logs, and with
	// Memory to the memory of the process.
	LogArchive logarchive.Flags
	// Records is the records database, as an address that records.Open accepts, or "none". Defaults to the file
	// DataDirectory/records.db, and with Memory to a file that the stop deletes.
	Records records.Flags
	// Builders are the executables that builds can name, as name=/absolute/path. Those of builders.Shipped are always registered.
	Builders []string
	// BuilderDocuments is a document with builders, or a directory of documents, which the server reads whenever they change: see package
	// registry. Defaults to DataDirectory/builders.yaml, which may be missing. A path that is set must exist.
	BuilderDocuments string
	// Kinds is a file with kinds of images, or a directory of such files, which the server reads whenever they change: see package kinds.
	// Defaults to DataDirectory/kinds.yaml, which may be missing. A path that is set must exist.
	Kinds catalog.Flags
	// Unconfined are the names of builders that can read and write all files that the user can. Other builders, and "mock", can write
	// only to their own directories and cannot read the files of the server, if the kernel has Landlock.
	Unconfined []string

	// Origins are the origins of web pages that may use the API, as regular expressions that filters.CheckOrigins accepts. Defaults
	// to none. A page needs the token of a kubeconfig too.
	Origins []string

	// ArtifactsMax is how many bytes of the disk the artifacts may occupy, as a quantity such as 20Gi. Defaults to "", which is no limit.
	ArtifactsMax string

	// BuilderCacheMax is how many bytes of the disk the builders that ship may occupy with packages that they keep for later builds, as a quantity.
	// Defaults to 5Gi. With "0", and with Memory, they keep none.
	BuilderCacheMax string

	// Sources is how sources from Git and registries are checked, and reached. Defaults to a check each five minutes.
	Sources sources.Flags
	// Registries is how registries are reached. Defaults to TLS, except for loopback hosts.
	Registries registries.Flags

	// Users are the names of further users with the administrator's rights. Each has the kubeconfig DataDirectory/kubeconfigs/NAME.
	Users []string

	// Version is that of the program, for clients and for the data directory. Defaults to buildversion.Unknown.
	Version string

	// Out receives the lines for a user. Defaults to nowhere.
	Out io.Writer
	// Notices receives a line when a start takes long, when it discards Secrets, if the kernel cannot confine builders, for what Apply,
	// BuilderDocuments and Kinds change and their errors, and when a stop begins. Its writes may be concurrent. Defaults to nowhere. It is not Out, because Out may have no reader by then.
	Notices io.Writer
	// Log is written to DataDirectory/up.log while the server runs. With Memory, or if Log is nil, there is no such file.
	Log *Log
	// OnReady is called once everything serves, with a configuration for privileged clients and the kubeconfig's path.
	OnReady func(config *rest.Config, kubeconfig string)
	// WrapTransport wraps the connection of the controllers (and of nothing else) to the server.
	WrapTransport func(http.RoundTripper) http.RoundTripper
	// Service is told the state of the server. Defaults to nobody.
	Service systemd.Notifier
	// Journal is whether Notices and the log go to the journal of systemd, where a line can begin with its priority.
	Journal bool
	// Reloads receives when builders, kinds and users are to be read again. Defaults to never.
	Reloads <-chan struct{}
	// Again reads the options again for a reload. stale are the names of the flags that have changed and that only a restart applies. By
	// default, a reload reads the same files again.
	Again func() (options *Options, stale []string, err error)
	// CompactionInterval is how long watches can start from old versions of objects. Defaults to 5 minutes.
	CompactionInterval time.Duration
	// Executable is the file that has the subcommand SuperviseCommand and those of builders.Shipped. Defaults to this program.
	Executable string

	artifactsMax    int64 // ArtifactsMax in bytes, or 0
	builderCacheMax int64 // BuilderCacheMax in bytes
	defaultBuilders bool  // BuilderDocuments was not set
	defaultKinds    bool  // Kinds was not set

	workersSet          bool              // Workers is not the default, even if it is 0
	locate              func(error) error // puts the file of --config and a line in front of an error about a flag, or nil
	verbosity           int               // of the log
	logsToStandardError bool              // the verbosity was set

	clock clock.WithDelayedExecution // tells when a start is slow; the machine's, except in tests
}

// SuperviseCommand is the hidden subcommand by which the process starts its supervisor from its own executable. Builders that ship have further
// ones: see package builders.
const SuperviseCommand = "supervise"

// DefaultCheckWorkers is the default number of checks of archives at a time. They mostly wait for the network.
const DefaultCheckWorkers = 4

// DefaultBuilderCacheMax is the default limit of what builders keep for later builds: about 25 sets of packages.
const DefaultBuilderCacheMax = "5Gi"

const defaultListen = "127.0.0.1"

// addTo adds the flags for the options that a user can set.
func (o *Options) addTo(flags *pflag.FlagSet) {
	flags.StringVar(&o.DataDirectory, "data-dir", datadir.Default, "directory for all data that survives a restart")
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "kubeconfig to write (default DATA-DIR/kubeconfig)")
	flags.StringVar(&o.Listen, "listen", defaultListen,
		"loopback `address`, as host or host:port; without a port: the port of the last run with this data directory, or else a free port; port 0: a free port")
	flags.IntVar(&o.Workers, "workers", runtime.NumCPU(), "number of builders that run at a time")
	flags.IntVar(&o.TestWorkers, "test-workers", 0, "number of virtual machines and other runners of tests that run at a time (default: the value of --workers)")
	flags.IntVar(&o.CheckWorkers, "check-workers", DefaultCheckWorkers, "number of checks of archives for new packages that run at a time")
	o.Limits.AddTo(flags, "the number of workers, which higher values do not exceed")
	o.Results.AddTo(flags)
	o.Retention.AddTo(flags)
	o.Archives.AddTo(flags)
	o.Sources.AddTo(flags)
	o.Advisories.AddTo(flags)
	flags.BoolVar(&o.Memory, "memory", false,
		"storage of all data in memory; until the server stops, the data directory holds the kubeconfig and the files of builds; the stop deletes everything")
	flags.StringVar(&o.Apply, "apply", "",
		"`directory` whose manifests the server applies whenever they change; it never writes there (default: none)")
	flags.BoolVar(&o.DiscardSecrets, "discard-secrets", false,
		"deletion of all stored Secrets at the start, if DATA-DIR/server/encryption.yaml has not their key (default: the start fails)")
	o.LogArchive.AddTo(flags, "file://DATA-DIR/logs; with --memory: mem://")
	o.Records.AddTo(flags, "sqlite://DATA-DIR/records.db; with --memory: a temporary file")
	flags.StringArrayVar(&o.Builders, "builder", nil,
		"executable to register as the builder NAME, in the form `NAME=/absolute/path`; repeatable; always registered: "+strings.Join(builders.Names(), ", "))
	flags.StringVar(&o.BuilderDocuments, "builders", "",
		"`path` of a document with builders, or of a directory of such documents, which the server reads whenever they change (default DATA-DIR/builders.yaml, if it exists)")
	o.Kinds.AddTo(flags, "DATA-DIR/kinds.yaml, if it exists")
	filters.AddOriginsFlag(flags, &o.Origins)
	flags.StringArrayVar(&o.Unconfined, "unconfined", nil,
		"`name` of a builder that can read and write all your files, mount file systems and signal your processes; repeatable")
	flags.StringVar(&o.ArtifactsMax, "artifacts-max", "",
		"limit of the disk space of all artifacts, such as 20Gi: when it is exceeded, artifacts that nothing needs are removed, the oldest first (default: no limit)")
	flags.StringVar(&o.BuilderCacheMax, "builder-cache-max", DefaultBuilderCacheMax,
		"limit of the disk space of the packages that the builders that ship keep for later builds, such as 20Gi; 0: they keep none")
	o.Registries.AddTo(flags)
	flags.StringArrayVar(&o.Users, "user", nil, "`name` of an additional administrator, whose kubeconfig the server writes to DATA-DIR/kubeconfigs/NAME; repeatable")
}

// complete fills in the defaults and makes paths absolute. Its error has a line for each mistake, with the place in the file of --config.
func (o *Options) complete() (err error) {
	var problems []error
	report := func(err error) { problems = append(problems, o.located(err)) }
	if o.DataDirectory == "" {
		o.DataDirectory = datadir.Default
	}
	if o.DataDirectory, err = filepath.Abs(o.DataDirectory); err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}
	if o.Kubeconfig == "" {
		o.Kubeconfig = filepath.Join(o.DataDirectory, "kubeconfig")
	}
	if o.Kubeconfig, err = filepath.Abs(o.Kubeconfig); err != nil {
		return fmt.Errorf("find the kubeconfig: %w", err)
	}
	if o.Listen == "" {
		o.Listen = defaultListen
	}
	switch {
	case o.Workers < 0, o.Workers == 0 && o.workersSet:
		report(errors.New("--workers must be 1 or greater"))
	case o.Workers == 0:
		o.Workers = runtime.NumCPU()
	}
	if o.TestWorkers < 0 {
		report(fmt.Errorf("--test-workers %d: must be 0 (the value of --workers) or greater", o.TestWorkers))
	}
	if o.CheckWorkers < 0 || o.CheckWorkers == 0 && o.workersSet {
		report(errors.New("--check-workers must be 1 or greater"))
	}
	o.TestWorkers, o.CheckWorkers = cmp.Or(o.TestWorkers, o.Workers), cmp.Or(o.CheckWorkers, DefaultCheckWorkers)
	_, limits := o.Limits.Read()
	report(limits)
	if o.Limits.MaxBuilds == 0 || o.Limits.MaxBuilds > o.Workers {
		o.Limits.MaxBuilds = o.Workers
	}
	_, retained := o.Retention.Read()
	report(retained)
	_, checked := o.Archives.Read()
	report(checked)
	_, reached := o.Sources.Read()
	report(reached)
	report(o.Advisories.Check())
	if o.Apply != "" {
		if o.Apply, err = filepath.Abs(o.Apply); err != nil {
			return fmt.Errorf("find the directory of manifests: %w", err)
		}
		report(apply.Check(o.Apply, o.DataDirectory))
	}
	for _, documents := range []struct {
		path      *string
		isDefault *bool
		file      string
	}{{&o.BuilderDocuments, &o.defaultBuilders, datadir.BuildersFile}, {&o.Kinds.Path, &o.defaultKinds, datadir.KindsFile}} {
		if *documents.path == "" {
			*documents.path, *documents.isDefault = filepath.Join(o.DataDirectory, documents.file), true
		}
		if *documents.path, err = filepath.Abs(*documents.path); err != nil {
			return fmt.Errorf("find %s: %w", documents.file, err)
		}
	}
	o.artifactsMax, err = parseArtifactsMax(o.ArtifactsMax)
	report(err)
	o.builderCacheMax, err = parseBuilderCacheMax(cmp.Or(o.BuilderCacheMax, DefaultBuilderCacheMax))
	report(err)
	report(o.Registries.Check())
	report(checkUserNames(o.Users))
	report(filters.CheckOrigins(o.Origins))
	switch {
	case o.LogArchive.URL != "":
	case o.Memory:
		o.LogArchive.URL = "mem://"
	default:
		o.LogArchive.URL = (&url.URL{Scheme: "file", Path: filepath.Join(o.DataDirectory, "logs")}).String()
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Notices == nil {
		o.Notices = io.Discard
	}
	if o.clock == nil {
		o.clock = clock.RealClock{}
	}
	o.Version = cmp.Or(o.Version, buildversion.Unknown)
	if o.Executable == "" {
		if o.Executable, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program's own file: %w", err)
		}
	}
	return errors.Join(problems...)
}
