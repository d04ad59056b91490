// SPDX-License-Identifier: Apache-2.0

package up

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/cmd/internal/limits"
	"goldsmith.dev/goldsmith/cmd/internal/logarchive"
	"goldsmith.dev/goldsmith/cmd/internal/records"
	"goldsmith.dev/goldsmith/cmd/internal/retention"
)

// Options say how to run. The zero value of each is its default.
type Options struct {
	// DataDirectory holds everything that survives a restart. ./.goldsmith by default. One process at a time uses it.
	DataDirectory string
	// Kubeconfig is the file to write, with mode 0600; DataDirectory/kubeconfig by default. A file that is there and
	// was not written here is refused.
	Kubeconfig string
	// Listen is a loopback address, as host or host:port. 127.0.0.1 by default. Without a port, the one used before
	// with this data directory, or else a free one.
	Listen string
	// Workers is how many builds run at a time; the number of cores by default.
	Workers int
	// Limits are how many builds are admitted at a time; no limits by default: those that no worker is free for have a Job
	// that waits.
	Limits limits.Flags
	// Retention is how long builds that were created directly are kept; for ever by default.
	Retention retention.Flags
	// Memory keeps nothing: DataDirectory has the kubeconfig and the files of builds while it runs, and none of
	// them afterwards. Objects and builds that were kept there without Memory are left alone.
	Memory bool
	// Files is a directory in which objects are kept as YAML files, for people to read, edit and put under version control,
	// instead of DataDirectory. Not with Memory.
	Files string
	// LogArchive is where the logs of builds are archived, as archive.Open takes it, or "none".
	// DataDirectory/logs by default, and the process's memory with Memory.
	LogArchive logarchive.Flags
	// Records is the database that builds are recorded in, as records.Open takes it, or "none". The file
	// DataDirectory/records.db by default, and one that goes with the process with Memory.
	Records records.Flags
	// Builders are the executables that builds may name, as name=/absolute/path. "mock" is always there.
	Builders []string

	// Users are the names of people with the administrator's rights and a kubeconfig of their own, DataDirectory/kubeconfigs/NAME.
	Users []string

	// Out is where the lines for a user go; nowhere by default.
	Out io.Writer
	// Notices is where a line goes when a stop begins; nowhere by default. It is not Out, because nobody may read that any more.
	Notices io.Writer
	// Log is written to DataDirectory/up.log while the server runs. With Memory, or if it is nil, nothing is written there.
	Log *Log
	// OnReady is called once everything serves, with a configuration for privileged clients and the kubeconfig's path.
	OnReady func(config *rest.Config, kubeconfig string)
	// WrapTransport wraps the connection of the controllers (and of nothing else) to the server.
	WrapTransport func(http.RoundTripper) http.RoundTripper
	// CompactionInterval is how long old versions of objects can be watched from; etcd's default here is 5 minutes.
	CompactionInterval time.Duration
	// Executable is the file that has the subcommands MockBuilderCommand and SuperviseCommand; this program by default.
	Executable string
}

// The hidden subcommands by which the process starts its children from its own executable.
const (
	MockBuilderCommand = "mock-builder"
	SuperviseCommand   = "supervise"
)

// DefaultDataDirectory is the data directory that a server uses by default, relative to the working directory.
const DefaultDataDirectory = ".goldsmith"

const defaultListen = "127.0.0.1"

var (
	errTooFewWorkers  = errors.New("--workers must be 1 or greater")
	errFilesAndMemory = errors.New("--files keeps objects, but --memory does not: omit one of the two")
)

// addTo adds the flags for what a user may say.
func (o *Options) addTo(flags *pflag.FlagSet) {
	flags.StringVar(&o.DataDirectory, "data-dir", DefaultDataDirectory, "directory for all data that survives a restart")
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "kubeconfig to write (default DATA-DIR/kubeconfig)")
	flags.StringVar(&o.Listen, "listen", defaultListen,
		"loopback `address`, as host or host:port; default port: the last port of this data directory, or else a free port")
	flags.IntVar(&o.Workers, "workers", runtime.NumCPU(), "number of builders that run at a time")
	o.Limits.AddTo(flags)
	o.Retention.AddTo(flags)
	flags.BoolVar(&o.Memory, "memory", false,
		"storage of all data in memory, so that a stop deletes the data; while the server runs, the data directory holds the kubeconfig and the files of builds")
	flags.StringVar(&o.Files, "files", "",
		"directory that stores objects as YAML files instead of the data directory; for reading, editing and version control")
	o.LogArchive.AddTo(flags, "file://DATA-DIR/logs; with --memory: mem://")
	o.Records.AddTo(flags, "sqlite://DATA-DIR/records.db; with --memory: a temporary file")
	flags.StringArrayVar(&o.Builders, "builder", nil,
		"executable to register as the builder NAME, in the form `NAME=/absolute/path`; repeatable; \"mock\" is always registered")
	flags.StringArrayVar(&o.Users, "user", nil, "`name` of another user, whose kubeconfig is DATA-DIR/kubeconfigs/NAME; repeatable")
}

// complete fills in the defaults and makes paths absolute.
func (o *Options) complete() (err error) {
	if o.DataDirectory == "" {
		o.DataDirectory = DefaultDataDirectory
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
	if o.Workers == 0 {
		o.Workers = runtime.NumCPU()
	}
	if o.Workers < 0 {
		return errTooFewWorkers
	}
	if _, err := o.Limits.Read(); err != nil {
		return err
	}
	if _, err := o.Retention.Read(); err != nil {
		return err
	}
	if o.Files != "" {
		if o.Memory {
			return errFilesAndMemory
		}
		if o.Files, err = filepath.Abs(o.Files); err != nil {
			return fmt.Errorf("find the directory of files: %w", err)
		}
	}
	if err := checkUserNames(o.Users); err != nil {
		return err
	}
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
	if o.Executable == "" {
		if o.Executable, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program's own file: %w", err)
		}
	}
	return nil
}
