// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	registry "goldsmith.dev/goldsmith/apiserver/registry/catalog"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/archive/clouds"
	"goldsmith.dev/goldsmith/cmd/internal/advisories"
	"goldsmith.dev/goldsmith/cmd/internal/builders"
	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
	"goldsmith.dev/goldsmith/cmd/internal/catalog"
	"goldsmith.dev/goldsmith/cmd/internal/limits"
	"goldsmith.dev/goldsmith/cmd/internal/logarchive"
	"goldsmith.dev/goldsmith/cmd/internal/memory"
	"goldsmith.dev/goldsmith/cmd/internal/policy"
	"goldsmith.dev/goldsmith/cmd/internal/records"
	"goldsmith.dev/goldsmith/jobs/inputs"
)

// version is set by the linker, or empty.
var version string

const (
	serverName = "goldsmith-apiserver"
	// securePort needs no privileges to listen on.
	securePort = 8443
	// verbosity is high enough that the log explains failed health checks, and too low for a line for each request.
	verbosity = "2"
)

// newCommand returns the command, which writes its output to out.
func newCommand(out io.Writer) (*cobra.Command, error) {
	server := builder.New(serverName).
		WithDelegatedAuth().
		WithStorage(builder.ExternalEtcd(storagebackend.TransportConfig{})).
		WithBindAddress(net.IPv4zero).
		WithPort(securePort).
		WithWriter(out)
	registered, limited, allowed, archived, recorded := &builders.Flags{}, &limits.Flags{}, &policy.Flags{}, &logarchive.Flags{Clouds: clouds.Open}, &records.Flags{}
	documents, configured, known := &catalog.Flags{}, registry.NewConfiguration(nil), &advisories.Flags{}
	command, err := apiserver.Register(server, apiserver.Options{
		Version:  buildversion.Get(version),
		Builders: registered.Read, Kinds: configured, Queue: limited.Read, Policy: allowed.Read, Advisories: known.Advisories,
		LogArchive: func() (*archive.Store, error) { return archived.Open(context.Background()) }, // until the process ends
		Records:    apiserver.ConnectRecords(recorded.Open),
	}).WithOpenAPI("", buildversion.Get(version)).ToServerCommand() // clients read the version there: /version is that of kube-apiserver
	if err != nil {
		return nil, err
	}
	command.PreRunE = func(command *cobra.Command, _ []string) error {
		memory.Manage(command.Context())
		// Invalid builders and kinds fail the start before the server waits for its dependencies.
		builders, err := registered.Read()
		if err != nil {
			return err
		}
		if err := startAdvisories(command.Context(), known); err != nil {
			return err
		}
		return startKinds(command.Context(), documents, configured, builders)
	}
	registered.AddTo(command.Flags())
	documents.AddTo(command.Flags(), "none")
	limited.AddTo(command.Flags(), "no limit")
	allowed.AddTo(command.Flags())
	known.AddTo(command.Flags())
	archived.AddTo(command.Flags(), "none")
	recorded.AddTo(command.Flags(), "none")
	command.Version = buildversion.Get(version)
	if err := addLogFlag(command); err != nil {
		return nil, err
	}
	return command, nil
}

// startAdvisories reads the advisories until ctx is done. The server does not wait for them.
func startAdvisories(ctx context.Context, flags *advisories.Flags) error {
	reader, err := flags.Open()
	if err != nil || reader == nil {
		return err
	}
	go func() {
		_ = reader.Run(ctx, func(line string) { klog.FromContext(ctx).Info(line) }) // it ends with ctx
	}()
	return nil
}

// startKinds reads the documents of kinds, and watches them until ctx is done. The log tells about changes, and about missing builders.
func startKinds(ctx context.Context, flags *catalog.Flags, configured *registry.Configuration, builders inputs.Builders) error {
	documents, err := flags.Configure(ctx, configured, false)
	if err != nil {
		return err
	}
	go func() {
		_ = documents.Watch(ctx, builders, func(line string) { klog.FromContext(ctx).Info(line) }) // it ends with ctx
	}()
	return nil
}

// addLogFlag adds the flag for the verbosity of the log. Otherwise the log has the defaults of klog: text, on standard error.
func addLogFlag(command *cobra.Command) error {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	klog.InitFlags(flags)
	if err := flags.Set("v", verbosity); err != nil {
		return fmt.Errorf("set the verbosity of the log: %w", err)
	}
	v := flags.Lookup("v")
	v.DefValue = verbosity
	command.Flags().AddGoFlag(v)
	return nil
}
