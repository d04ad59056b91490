// SPDX-License-Identifier: Apache-2.0

// Package kubectl is the real kubectl as a verb. It only chooses the kubeconfig, in the way of the other verbs.
package kubectl

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/scheme"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// NewCommand returns the verb. kubectl's own commands are only made when it runs.
func NewCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "kubectl ...",
		Short:              "kubectl, for the server of `goldsmith up`",
		DisableFlagParsing: true, // every argument is kubectl's
		RunE: func(_ *cobra.Command, args []string) error {
			return run(args)
		},
	}
}

// run becomes kubectl: where that fails, it ends the process with kubectl's own message and exit code.
func run(args []string) error {
	signal.Reset() // kubectl ends by its signals as it always does
	plugin := client.IsPlugin(os.Args[0])
	os.Args = append([]string{"kubectl"}, args...)
	missing := false
	if !plugin && os.Getenv(clientcmd.RecommendedConfigPathEnvVar) == "" {
		// Also when it is missing: kubectl would go on to ~/.kube/config.
		if err := os.Setenv(clientcmd.RecommendedConfigPathEnvVar, client.DefaultKubeconfig); err != nil {
			return err
		}
		_, err := os.Stat(client.DefaultKubeconfig)
		missing = errors.Is(err, os.ErrNotExist) && !namesKubeconfig(args)
	}
	// With a dry run on the client, apply merges a change into the stored object by the Go type of the kind, and fails without it.
	if err := v1alpha1.AddToScheme(scheme.Scheme); err != nil {
		return fmt.Errorf("have kubectl know images and builds: %w", err)
	}
	command := kubectl.NewDefaultKubectlCommand()
	if missing && needsServer(command, args) {
		return client.ErrNoKubeconfig
	}
	util.CheckErr(cli.RunNoErrOutput(command))
	return nil
}

// namesKubeconfig says whether the arguments have kubectl's own flag.
func namesKubeconfig(args []string) bool {
	return slices.ContainsFunc(flagsOf(args), func(arg string) bool {
		return arg == "--kubeconfig" || strings.HasPrefix(arg, "--kubeconfig=")
	})
}

// withoutServer are the commands of kubectl that have no use for a server.
var withoutServer = []string{"completion", "help", "kuberc", "kustomize", "options", "plugin"}

// needsServer says whether kubectl would look for a server. What it does not know is left to kubectl to say.
func needsServer(root *cobra.Command, args []string) bool {
	command, _, err := root.Find(args)
	if err != nil || command == root {
		return false
	}
	top := command
	for top.Parent() != root {
		top = top.Parent()
	}
	given := flagsOf(args)
	switch {
	case slices.Contains(withoutServer, top.Name()), slices.Contains(given, "--help"), slices.Contains(given, "-h"):
		return false
	case top.Name() == "version":
		return !slices.Contains(given, "--client") && !slices.Contains(given, "--client=true")
	default:
		return true
	}
}

// flagsOf returns the arguments before "--".
func flagsOf(args []string) []string {
	if end := slices.Index(args, "--"); end >= 0 {
		return args[:end]
	}
	return args
}
