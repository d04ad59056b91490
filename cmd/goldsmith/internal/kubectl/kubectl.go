// SPDX-License-Identifier: Apache-2.0

// Package kubectl embeds kubectl as a verb. The verb only chooses the kubeconfig, as the other verbs do.
package kubectl

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/version"
	"k8s.io/klog/v2"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/apply"
	"k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/scheme"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder/kubeversion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	_ "goldsmith.dev/goldsmith/cmd/goldsmith/internal/kubectl/translations" // before the commands of kubectl
	"goldsmith.dev/goldsmith/cmd/internal/flagvalue"
)

// NewCommand returns the verb. The commands of kubectl are created only when the verb runs.
func NewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl ...",
		Short: "Run kubectl against the server of `goldsmith up`",
		Long: "Run kubectl against the server of `goldsmith up`. All arguments are those of kubectl, and the exit " +
			"code is the exit code of kubectl. The command does not need an installed kubectl.",
		Example: "  goldsmith kubectl get images,imagebuilds\n" +
			"  goldsmith kubectl apply -f debian.yaml",
		DisableFlagParsing: true, // kubectl parses all arguments
		ValidArgsFunction: func(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			return complete(command.Context(), args, begun)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			return run(args)
		},
	}
}

// Has reports whether kubectl has a verb.
func Has(verb string) bool {
	command, _, err := kubectl.NewKubectlCommand(kubectl.KubectlOptions{}).Find([]string{verb})
	return err == nil && command.HasParent()
}

// run executes kubectl in this process. If kubectl fails, the process ends with the message and exit code of kubectl.
func run(args []string) error {
	signal.Reset() // signals end kubectl as usual
	plugin := client.IsPlugin(os.Args[0])
	os.Args = append([]string{"kubectl"}, args...)
	var missing error
	if !plugin {
		missing = client.CheckKubeconfig(kubeconfigOf(args), os.Getenv(clientcmd.RecommendedConfigPathEnvVar))
		if err := chooseKubeconfig(); err != nil {
			return err
		}
		if !asksForLog(args) {
			utilruntime.ErrorHandlers = nil // the library logs each failure of discovery beside the error of the command
			showErrorsOnly()
		}
		util.BehaviorOnFatal(func(message string, code int) {
			report(os.Stderr, message)
			os.Exit(code)
		})
	}
	// For a dry run on the client, `kubectl apply` needs the Go type of the kind to merge a change into the stored object.
	if err := v1alpha1.AddToScheme(scheme.Scheme); err != nil {
		return fmt.Errorf("register images and builds for kubectl: %w", err)
	}
	if err := kubeversion.Set(); err != nil {
		return err
	}
	apply.ApplySetToolVersion = version.Get().GitVersion // kubectl reads the version before main runs
	command := kubectl.NewDefaultKubectlCommand()
	ownError := command.FlagErrorFunc()
	command.SetFlagErrorFunc(func(command *cobra.Command, err error) error { return ownError(command, flagvalue.Explain(err)) })
	if missing != nil && needsServer(command, args) {
		return missing
	}
	util.CheckErr(cli.RunNoErrOutput(command))
	return nil
}

// showErrorsOnly hides what libraries log below errors. They may warn of a watch that `kubectl wait` ends when it has what it waited for.
func showErrorsOnly() {
	klog.LogToStderr(false) // errors go there nevertheless
	klog.SetOutput(io.Discard)
}

// chooseKubeconfig makes kubectl use the kubeconfig of the working directory, unless $KUBECONFIG is set. A kubeconfig that does not exist
// is chosen too, because kubectl would otherwise use ~/.kube/config.
func chooseKubeconfig() error {
	if os.Getenv(clientcmd.RecommendedConfigPathEnvVar) != "" {
		return nil
	}
	return os.Setenv(clientcmd.RecommendedConfigPathEnvVar, client.DefaultKubeconfig)
}

// asksForLog reports whether kubectl's flag -v or --v is among its arguments.
func asksForLog(args []string) bool {
	return slices.ContainsFunc(flagsOf(args), func(arg string) bool {
		return arg == "--v" || strings.HasPrefix(arg, "--v=") || strings.HasPrefix(arg, "-v")
	})
}

// kubeconfigOf returns the value of kubectl's flag --kubeconfig, or "".
func kubeconfigOf(args []string) string {
	const flag = "--kubeconfig"
	given, value := flagsOf(args), ""
	for i, arg := range given {
		if arg == flag && i+1 < len(given) {
			value = given[i+1]
		}
		if named, ok := strings.CutPrefix(arg, flag+"="); ok {
			value = named
		}
	}
	return value
}

// withoutServer lists the commands of kubectl that need no server.
var withoutServer = []string{"completion", "help", "kuberc", "kustomize", "options", "plugin"}

// needsServer reports whether a command of kubectl needs a server. Unknown commands need no server, because kubectl
// reports them.
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
