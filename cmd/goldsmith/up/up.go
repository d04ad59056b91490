// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"k8s.io/client-go/rest"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/datadir"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/kubeconfig"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up/apply"
	"goldsmith.dev/goldsmith/cmd/goldsmith/up/registry"
	"goldsmith.dev/goldsmith/cmd/internal/catalog"
	"goldsmith.dev/goldsmith/cmd/internal/memory"
	"goldsmith.dev/goldsmith/jobs/local/artifacts"
	"goldsmith.dev/goldsmith/jobs/local/process"
	"goldsmith.dev/goldsmith/records"
)

// Run serves until ctx is done or a component fails, and then stops all components. A clean stop is no error.
func Run(ctx context.Context, options Options) (err error) {
	defer func() {
		if err != nil {
			err = options.located(datadir.ExplainAccess(options.DataDirectory, err))
			options.Service.Status("failed: " + err.Error())
		}
	}()
	if err := options.complete(); err != nil {
		return err
	}
	if err := datadir.RefuseRoot(options.DataDirectory); err != nil {
		return err
	}
	starting, ready := context.WithCancel(ctx)
	defer ready()
	go options.Service.ExtendUntil(starting)
	address, err := parseListen(options.Listen)
	if err != nil {
		return err
	}
	if err := options.checkDataDirectory(); err != nil {
		return err
	}
	builders, err := options.readBuilders()
	if err != nil {
		return err
	}
	configured, err := options.readKinds(ctx)
	if err != nil {
		return err
	}
	if err := options.checkKubeconfigs(); err != nil {
		return err
	}
	data, err := options.claim(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.Release()) }()
	if options.Log != nil && !options.Memory {
		restore, err := keepLog(data.Join("up.log"), options.Log)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, restore()) }()
	}
	defer func() { err = datadir.Explain(data.Path, err) }()
	memory.Manage(ctx)
	var logs *archive.Store
	err = options.await("the log archive "+options.LogArchive.URL, func() (err error) {
		logs, err = options.LogArchive.Open(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if logs != nil {
		defer func() { err = errors.Join(err, logs.Close()) }()
	}
	var history *records.Connection
	err = options.await("the records database", func() (err error) {
		history, err = options.openRecords(ctx, data)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, history.Close()) }()
	var kept *artifacts.Store
	err = options.await("the artifacts", func() (err error) {
		kept, err = data.OpenArtifacts()
		return err
	})
	if err != nil {
		return err
	}
	before, err := data.Recall("address")
	if err != nil {
		return err
	}
	listener, err := listen(address.withPortOf(before))
	if err != nil {
		return err
	}
	running := &system{
		options: options, data: data, builders: builders, kinds: configured, logs: logs, records: history, artifacts: kept,
		components: newComponents(), agent: &agentLogs{},
	}
	serving, ended := running.components.whileRunning(ctx)
	reload, err := running.start(serving, listener)
	if serving.Err() != nil {
		err = nil // ctx was done before the start was complete, or a component ended: stop returns the component's error
	}
	ready()
	for err == nil && serving.Err() == nil {
		select {
		case <-serving.Done():
		case <-options.Reloads:
			reload(serving)
		}
	}
	ended()
	if ctx.Err() != nil {
		running.announceStop()
	}
	return errors.Join(err, running.stop())
}

// system holds the running components.
type system struct {
	options    Options
	data       *datadir.Directory
	builders   *registry.Registry
	kinds      *catalog.Documents
	logs       *archive.Store      // nil if logs are not archived
	records    *records.Connection // nil if builds are not recorded
	artifacts  *artifacts.Store
	components *components
	agent      *agentLogs
	announced  bool
	status     string // of a server that is ready, for the service manager
}

// start starts the components in order, each once the components that it uses are ready. It returns what reads the settings again.
func (s *system) start(ctx context.Context, listener net.Listener) (reload func(context.Context), err error) {
	users, err := s.newUsers()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	server, err := s.startServer(ctx, listener, users, s.agent)
	if err != nil {
		return nil, err
	}
	var steps string
	if !s.options.Journal { // where nobody has a second terminal, and everybody who reads it would have the link
		link, err := s.startConsole(ctx, users.administratorConfig(server))
		if err != nil {
			return nil, err
		}
		steps = "console: " + link + "\n" + nextSteps(s.options.Kubeconfig)
	}
	if err := errors.Join(s.data.Remember("address", listener.Addr().String()), s.data.RememberFlags(s.options.configurationFlags())); err != nil {
		return nil, err
	}
	s.components.start(ctx, "users", users.people.watch)
	s.startKinds(ctx)
	if err := s.startAdvisories(ctx); err != nil {
		return nil, err
	}
	keeper, err := s.startRetention(ctx, server.ClientConfig())
	if err != nil {
		return nil, err
	}
	attesting, err := newPublisher(server.ClientConfig(), users.builders.grantPublisher)
	if err != nil {
		return nil, err
	}
	if err := s.startAgent(ctx, server.ClientConfig(), users.builders.reporting(server), attesting, keeper.Fit, s.agent); err != nil {
		return nil, err
	}
	if err := s.startCascade(ctx, server.ClientConfig()); err != nil {
		return nil, err
	}
	err = s.options.await("the controllers to read all objects", func() error {
		return s.startControllers(ctx, users.controllerConfig(server, s.options.WrapTransport))
	})
	if err != nil {
		return nil, err
	}
	if err := s.startSigner(ctx, users.signerConfig(server)); err != nil {
		return nil, err
	}
	if err := s.announce(server, users, steps); err != nil {
		return nil, err
	}
	s.startApply(ctx, users.administratorConfig(server))
	if s.options.OnReady != nil {
		s.options.OnReady(users.administratorConfig(server), s.options.Kubeconfig)
	}
	return func(ctx context.Context) {
		s.reload(ctx, users, func() error { return users.writeKubeconfigs(s.data, server) })
	}, nil
}

// startApply applies the directory of --apply. Its lines come after those that tell that the server is ready.
func (s *system) startApply(ctx context.Context, config *rest.Config) {
	if s.options.Apply == "" {
		return
	}
	config.UserAgent = apply.FieldManager
	s.components.start(ctx, "apply", func(ctx context.Context) error {
		return apply.Run(ctx, s.options.Apply, config, func(line string) {
			_, _ = fmt.Fprintln(s.options.Notices, "apply: "+line) // a line that nobody can read is no failure
		})
	})
}

// announce writes the kubeconfig and tells the user that the server is ready, and the next steps. It also tells the user the
// size of the data directory, which grows with each kept build. The line with the kubeconfig is the last line: programs that
// start a server read up to it.
func (s *system) announce(server *builder.Running, users *serverUsers, steps string) error {
	path := s.options.Kubeconfig
	if err := kubeconfig.Write(path, kubeconfig.New(server.Address(), users.administratorToken, server.CertificateAuthority())); err != nil {
		return err
	}
	s.announced = true
	if err := users.writeKubeconfigs(s.data, server); err != nil {
		return err
	}
	var people strings.Builder
	for _, name := range s.options.Users {
		fmt.Fprintf(&people, "kubeconfig of %s: %s\n", name, kubeconfigOf(s.data, name))
	}
	if notice := confinementNotice(process.LandlockVersion()); notice != "" {
		_, _ = fmt.Fprintln(s.options.Notices, notice) // a notice that nobody can read is no failure
	}
	var offered string
	if names := s.kinds.String(); names != "" {
		offered = "kinds: " + names + "\n"
	}
	s.status = "ready at " + server.Address()
	usage := fmt.Sprintf("%.1f MiB", float64(s.data.Usage())/(1<<20))
	if _, err := fmt.Fprintf(s.options.Out, "data: %s, %s\n%sready\nserver: %s\n%s%skubeconfig: %s\n", s.data.Path, usage, offered, server.Address(), steps, &people, path); err != nil {
		return fmt.Errorf("write what is ready: %w", err)
	}
	s.options.Service.Ready(s.status)
	return nil
}

// stop stops all components. It removes the kubeconfig if it does not work after this run.
func (s *system) stop() error {
	err := s.components.stop()
	if s.options.Memory && s.announced {
		paths := []string{s.options.Kubeconfig}
		for _, name := range s.options.Users {
			paths = append(paths, kubeconfigOf(s.data, name))
		}
		for _, path := range paths {
			if removal := os.Remove(path); !errors.Is(removal, fs.ErrNotExist) {
				err = errors.Join(err, removal)
			}
		}
	}
	return err
}
