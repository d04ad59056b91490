// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/apiserver/builder"
	"goldsmith.dev/goldsmith/archive"
	"goldsmith.dev/goldsmith/cmd/internal/builders"
	"goldsmith.dev/goldsmith/cmd/internal/limits"
	"goldsmith.dev/goldsmith/cmd/internal/logarchive"
	"goldsmith.dev/goldsmith/cmd/internal/policy"
	"goldsmith.dev/goldsmith/cmd/internal/records"
)

// version is stamped by the build.
var version = "devel"

const (
	serverName = "goldsmith-apiserver"
	// securePort can be listened on without privileges.
	securePort = 8443
	// verbosity has failed health checks explained in the log, and no line for each request.
	verbosity = "2"
)

// newCommand returns the command, which writes its own lines to out.
func newCommand(out io.Writer) (*cobra.Command, error) {
	server := builder.New(serverName).
		WithDelegatedAuth().
		WithStorage(builder.ExternalEtcd()).
		WithBindAddress(net.IPv4zero).
		WithPort(securePort).
		WithWriter(out)
	registered, limited, allowed, archived, recorded := &builders.Flags{}, &limits.Flags{}, &policy.Flags{}, &logarchive.Flags{}, &records.Flags{}
	command, err := apiserver.Register(server, apiserver.Options{
		Builders: registered.Read, Queue: limited.Read, Policy: allowed.Read,
		LogArchive: func() (*archive.Store, error) { return archived.Open(context.Background()) }, // for the life of the process
		Records:    apiserver.ConnectRecords(recorded.Open),
	}).ToServerCommand()
	if err != nil {
		return nil, err
	}
	// Before it waits for anything that it depends on.
	command.PreRunE = func(*cobra.Command, []string) error {
		_, err := registered.Read()
		return err
	}
	registered.AddTo(command.Flags())
	limited.AddTo(command.Flags())
	allowed.AddTo(command.Flags())
	archived.AddTo(command.Flags(), "none")
	recorded.AddTo(command.Flags(), "none")
	command.Version = version
	if err := addLogFlag(command); err != nil {
		return nil, err
	}
	return command, nil
}

// addLogFlag adds the verbosity of the log. Everything else about it is as klog has it: text, to standard error.
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
