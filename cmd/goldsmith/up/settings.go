// SPDX-License-Identifier: Apache-2.0

package up

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/kubeconfig"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up/apply"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up/config"
	"goldsmith.dev/goldsmith/records"
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

// check reports mistakes in the options and in the files that they name, and starts nothing. It opens no database and no archive, and asks no
// other machine. Root reads the files as the user whose server will read them.
func (o *Options) check(ctx context.Context) error {
	all := func() error { return errors.Join(o.complete(), o.checkFiles(ctx)) }
	if directory := cmp.Or(o.DataDirectory, datadir.Default); datadir.IsForeign(directory) {
		return datadir.AsOwner(directory, all)
	}
	return all()
}

func (o *Options) checkFiles(ctx context.Context) error {
	_, listening := parseListen(o.Listen)
	problems := []error{o.LogArchive.Check(ctx), o.Records.Check(), listening}
	problems = append(problems, o.Advisories.CheckFiles(ctx)...)
	if o.Apply != "" && apply.Check(o.Apply, o.DataDirectory) == nil {
		problems = append(problems, apply.CheckManifests(o.Apply)...)
	}
	if err := o.checkDataDirectory(); err != nil {
		problems = append(problems, err)
	} else { // by default, these files are there
		_, builders := o.readBuilders()
		_, kinds := o.readKinds(ctx)
		problems = append(problems, builders, kinds, checkStoredUsers(o), o.checkKubeconfigs())
		problems = append(problems, o.checkStores()...)
	}
	for i, problem := range problems {
		problems[i] = o.located(datadir.ExplainAccess(o.DataDirectory, problem))
	}
	return errors.Join(problems...)
}

// checkDataDirectory reports why a server cannot use the data directory. It changes nothing.
func (o *Options) checkDataDirectory() error {
	err := datadir.CheckWritable(o.DataDirectory)
	if err != nil {
		err = fmt.Errorf("--data-dir: %w", err)
		if !errors.Is(err, fs.ErrPermission) { // whose explanation has the remedy
			err = fmt.Errorf("%w: set another directory", err)
		}
	} else {
		err = datadir.CheckTypes(o.DataDirectory)
	}
	if err == nil && !o.Memory { // before documents that only a newer version may understand
		_, err = datadir.CheckVersion(o.DataDirectory, o.Version)
	}
	return datadir.Explain(o.DataDirectory, err)
}

// checkStores returns an error for each file and directory that a server cannot write to.
func (o *Options) checkStores() (problems []error) {
	report := func(flag string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("--%s: %w: let the user of the server write there, or set another path", flag, err))
		}
	}
	for _, path := range o.kubeconfigs() {
		report("kubeconfig", datadir.CheckWritable(filepath.Dir(path)))
	}
	if directory := archive.DirectoryOf(o.LogArchive.URL); directory != "" {
		report("log-archive", datadir.CheckWritable(directory))
	}
	named, byDefault := o.Records, filepath.Join(o.DataDirectory, "records.db")
	named.Complete("")
	if named.Address != "" {
		report("records", datadir.CheckDatabase(records.FileOf(named.Address)))
	} else if _, err := os.Lstat(byDefault); err == nil && !o.Memory {
		report("records", datadir.CheckDatabase(byDefault))
	}
	return problems
}

// checkKubeconfigs refuses to overwrite files of others.
func (o *Options) checkKubeconfigs() error {
	for _, path := range o.kubeconfigs() {
		if err := kubeconfig.Check(path); err != nil {
			return err
		}
	}
	return nil
}

// kubeconfigs are the paths of the kubeconfigs that a server writes.
func (o *Options) kubeconfigs() []string {
	paths := []string{o.Kubeconfig}
	for _, name := range o.Users {
		paths = append(paths, filepath.Join(o.DataDirectory, "kubeconfigs", name))
	}
	return paths
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
