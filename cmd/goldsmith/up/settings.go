// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/kubeconfig"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up/config"
)

// settings are what the user sets: flags of the command line, and the file of --config, which may change.
type settings struct {
	path   string // of the file, or ""
	line   *pflag.FlagSet
	values map[string]string // of all flags, at the start
}

// addSettings adds the flags that the file can set too.
func addSettings(flags *pflag.FlagSet, options *Options) {
	options.addTo(flags)
	flags.IntVarP(&options.verbosity, "v", "v", 0,
		"verbosity of the server's logs on standard error; without this flag, the server logs to DATA-DIR/up.log, or to the journal of systemd")
}

// read returns the options of the command line and of the file. The error names the file, the line and the key of each mistake.
func (s *settings) read() (*Options, *pflag.FlagSet, error) {
	options, flags := &Options{}, pflag.NewFlagSet("", pflag.ContinueOnError)
	addSettings(flags, options)
	var problems []error
	s.line.Visit(func(set *pflag.Flag) {
		if flag := flags.Lookup(set.Name); flag != nil {
			problems = append(problems, copyValue(flags, flag, set))
		}
	})
	if err := errors.Join(problems...); err != nil {
		return nil, nil, err
	}
	if s.path != "" {
		file, err := config.Read(s.path)
		if err != nil {
			return nil, nil, err
		}
		if err := file.Apply(flags); err != nil {
			return nil, nil, err
		}
		options.locate = file.Locate
	}
	options.logsToStandardError, options.workersSet = flags.Changed("v"), true
	return options, flags, nil
}

func copyValue(flags *pflag.FlagSet, to, from *pflag.Flag) error {
	if list, ok := from.Value.(pflag.SliceValue); ok {
		to.Changed = true
		copied, _ := to.Value.(pflag.SliceValue)
		return copied.Replace(list.GetSlice())
	}
	return flags.Set(to.Name, from.Value.String())
}

// reloadable are the flags that a reload applies.
var reloadable = []string{"builder", "builders", "kinds", "unconfined", "user"}

// start reads the settings for the first time.
func (s *settings) start() (*Options, error) {
	options, flags, err := s.read()
	if err != nil {
		return nil, err
	}
	s.values = map[string]string{}
	flags.VisitAll(func(flag *pflag.Flag) { s.values[flag.Name] = flag.Value.String() })
	return options, nil
}

// again reads the settings again. stale are the names of the flags that differ from the start and that only a restart applies.
func (s *settings) again() (options *Options, stale []string, err error) {
	options, flags, err := s.read()
	if err != nil {
		return nil, nil, err
	}
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Value.String() != s.values[flag.Name] && !slices.Contains(reloadable, flag.Name) {
			stale = append(stale, flag.Name)
		}
	})
	return options, stale, nil
}

// located puts the place in the file of --config in front of an error about a flag.
func (o *Options) located(err error) error {
	if o.locate == nil {
		return err
	}
	return o.locate(err)
}

// check reports mistakes in the options and in the files that they name, and starts nothing. It opens no database and no archive. Root reads the
// files as the user whose server will read them.
func (o *Options) check(ctx context.Context) error {
	incomplete := o.complete()
	if datadir.IsForeign(o.DataDirectory) {
		return errors.Join(incomplete, datadir.AsOwner(o.DataDirectory, func() error { return o.checkFiles(ctx) }))
	}
	return errors.Join(incomplete, o.checkFiles(ctx))
}

func (o *Options) checkFiles(ctx context.Context) error {
	_, listening := parseListen(o.Listen)
	_, builders := o.readBuilders()
	_, kinds := o.readKinds(ctx)
	problems := []error{o.located(o.LogArchive.Check(ctx)), o.located(o.Records.Check()), o.located(listening), o.located(builders), kinds,
		checkStoredUsers(o), o.checkKubeconfigs()}
	return errors.Join(problems...)
}

// checkKubeconfigs refuses to overwrite files of others.
func (o *Options) checkKubeconfigs() error {
	if err := kubeconfig.Check(o.Kubeconfig); err != nil {
		return err
	}
	for _, name := range o.Users {
		if err := kubeconfig.Check(filepath.Join(o.DataDirectory, "kubeconfigs", name)); err != nil {
			return err
		}
	}
	return nil
}

// reload reads the settings and the files that they name again, and applies them. If there is a mistake, everything stays as it was.
func (s *system) reload(ctx context.Context, server *serverUsers, write func() error) {
	s.options.Service.Reloading()
	stale, incomplete, err := s.applyAgain(ctx, server, write)
	for _, name := range stale {
		s.notice(ctx, fmt.Sprintf("reload: %s changed: restart to apply", name))
	}
	problem := func(message string) {
		message = strings.ReplaceAll(message, "\n", "; ")
		s.problem(ctx, message)
		s.options.Service.Ready(message)
	}
	switch {
	case err != nil:
		problem("reload failed: " + err.Error() + ": everything stays as it was")
	case incomplete != nil:
		problem("reloaded, but not completely: " + incomplete.Error())
	default:
		s.notice(ctx, "reloaded")
		s.options.Service.Ready(s.status)
	}
}

// applyAgain changes nothing if it returns err. incomplete is what failed after the change.
func (s *system) applyAgain(ctx context.Context, server *serverUsers, write func() error) (stale []string, incomplete, err error) {
	next := s.options
	if s.options.Again != nil {
		var read *Options
		if read, stale, err = s.options.Again(); err != nil {
			return nil, nil, err
		}
		// Defaults of what a reload applies follow from these, which only a restart applies.
		read.DataDirectory, read.Kubeconfig, read.Memory = next.DataDirectory, next.Kubeconfig, next.Memory
		if err := read.complete(); err != nil {
			return nil, nil, err
		}
		next.Builders, next.BuilderDocuments, next.defaultBuilders = read.Builders, read.BuilderDocuments, read.defaultBuilders
		next.Kinds, next.defaultKinds, next.Unconfined, next.Users = read.Kinds, read.defaultKinds, read.Unconfined, read.Users
		next.locate = read.locate
	}
	builders, err := s.builders.Prepare(next.registry())
	if err != nil {
		return nil, nil, next.located(err)
	}
	kinds, err := s.kinds.Prepare(ctx, next.Kinds.Path, next.defaultKinds)
	if err != nil {
		return nil, nil, err
	}
	if err := server.people.check(next.Users); err != nil {
		return nil, nil, next.located(err)
	}
	if err := next.checkKubeconfigs(); err != nil {
		return nil, nil, err
	}
	news, err := builders(s.agent.agent.Load().SetBuilders)
	if err != nil {
		return nil, nil, err
	}
	if news != "" {
		s.notice(ctx, "builders: "+news)
	}
	if news := kinds(); news != "" {
		s.notice(ctx, "kinds: "+news)
	}
	news, problem := server.people.apply(next.Users)
	if news != "" {
		s.notice(ctx, "users: "+news)
	}
	// Others read the other fields meanwhile.
	o := &s.options
	o.Builders, o.BuilderDocuments, o.defaultBuilders = next.Builders, next.BuilderDocuments, next.defaultBuilders
	o.Kinds, o.defaultKinds, o.Unconfined, o.Users, o.locate = next.Kinds, next.defaultKinds, next.Unconfined, next.Users, next.locate
	return stale, errors.Join(next.located(problem), write(), s.data.RememberFlags(o.configurationFlags())), nil
}
