// SPDX-License-Identifier: Apache-2.0

package up

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/records"
)

// Run serves until ctx is done, or until a part of it fails; then it stops everything. A clean stop is no error.
func Run(ctx context.Context, options Options) (err error) {
	if err := options.complete(); err != nil {
		return err
	}
	address, err := parseListen(options.Listen)
	if err != nil {
		return err
	}
	builders, err := parseBuilders(options.Builders)
	if err != nil {
		return err
	}
	if err := checkKubeconfig(options.Kubeconfig); err != nil {
		return err
	}
	data, err := claimDataDirectory(options.DataDirectory, options.Memory, options.Files)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, data.release()) }()
	if options.Log != nil {
		restore, err := data.keepLog(options.Log)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, restore()) }()
	}
	logs, err := options.LogArchive.Open(ctx)
	if err != nil {
		return err
	}
	if logs != nil {
		defer func() { err = errors.Join(err, logs.Close()) }()
	}
	history, err := options.openRecords(ctx, data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, history.Close()) }()
	before, err := data.recall("address")
	if err != nil {
		return err
	}
	listener, err := listen(withPortOf(address, before))
	if err != nil {
		return err
	}
	running := &system{options: options, data: data, builders: builders, logs: logs, records: history, components: newComponents()}
	starting, started := running.components.whileRunning(ctx)
	err = running.start(starting, listener)
	if starting.Err() != nil {
		err = nil // it was told to stop while it started, or a component ended, which says why when it is stopped
	}
	started()
	if err == nil {
		running.components.wait(ctx)
	}
	return errors.Join(err, running.stop())
}

// system is everything that runs.
type system struct {
	options    Options
	data       *dataDirectory
	builders   map[string]string   // path by name
	logs       *archive.Store      // nil if logs are not archived
	records    *records.Connection // nil if builds are not recorded
	components *components
	announced  bool
}

// start starts one part after the other, each once those that it uses are ready.
func (s *system) start(ctx context.Context, listener net.Listener) error {
	logs := &agentLogs{}
	users, err := s.newUsers()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server, err := s.startServer(ctx, listener, users, logs)
	if err != nil {
		return err
	}
	if err := s.data.remember("address", listener.Addr().String()); err != nil {
		return err
	}
	if err := s.startAgent(ctx, server.ClientConfig(), users.builders.reporting(server), logs); err != nil {
		return err
	}
	if err := s.startCollector(ctx, server.ClientConfig()); err != nil {
		return err
	}
	if err := s.startControllers(ctx, users.controllerConfig(server, s.options.WrapTransport)); err != nil {
		return err
	}
	return s.announce(server, users)
}

// announce writes the kubeconfig and tells the user, and whoever called Run, that everything serves. The user also reads how much
// the data directory occupies, because builds that are kept fill it.
func (s *system) announce(server *builder.Running, users *users) error {
	path := s.options.Kubeconfig
	if err := writeKubeconfig(path, newKubeconfig(server.Address(), users.administratorToken, server.CertificateAuthority())); err != nil {
		return err
	}
	s.announced = true
	usage := fmt.Sprintf("%.1f MiB", float64(s.data.usage())/(1<<20))
	if _, err := fmt.Fprintf(s.options.Out, "data: %s, %s\nready\nkubeconfig: %s\n", s.data.path, usage, path); err != nil {
		return fmt.Errorf("write what is ready: %w", err)
	}
	if s.options.OnReady != nil {
		s.options.OnReady(users.administratorConfig(server), path)
	}
	return nil
}

// stop stops everything. A kubeconfig that leads nowhere from now on is removed.
func (s *system) stop() error {
	err := s.components.stop()
	if s.options.Memory && s.announced {
		if removal := os.Remove(s.options.Kubeconfig); !errors.Is(removal, fs.ErrNotExist) {
			err = errors.Join(err, removal)
		}
	}
	return err
}
