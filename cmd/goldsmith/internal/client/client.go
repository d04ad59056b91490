// SPDX-License-Identifier: Apache-2.0

// Package client connects a verb to a server. It finds the server by flags, environment and working directory, reads Images,
// their subresources and tables, and waits for builds.
//
// Unless the binary was called as a kubectl plugin, it never reads ~/.kube/config: a build must not land in whatever cluster
// kubectl last talked to.
package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"goldsmith.dev/goldsmith/apis/generated/clientset/versioned"
)

const (
	// PluginName is the name under which kubectl finds this binary as its plugin.
	PluginName = "kubectl-goldsmith"
	// DefaultKubeconfig is where `goldsmith up` leaves its kubeconfig, relative to the working directory.
	DefaultKubeconfig = ".goldsmith/kubeconfig"
)

// ErrNoKubeconfig reports that no kubeconfig names a server, and the next step.
var ErrNoKubeconfig = errors.New("kubeconfig ./" + DefaultKubeconfig + " does not exist: " +
	onLinux("start a server with `goldsmith up` first, or ") + "name a kubeconfig with --kubeconfig or $KUBECONFIG")

// onLinux returns a text about servers of this machine. Other systems have none: there, it returns "".
func onLinux(text string) string {
	if runtime.GOOS == "linux" {
		return text
	}
	return ""
}

// Flags select the server and the namespace.
type Flags struct {
	Kubeconfig string
	Context    string
	Namespace  string
}

// AddFlags adds the flags to a verb.
func AddFlags(verb *cobra.Command) {
	flags := verb.Flags()
	flags.String("kubeconfig", "", "kubeconfig of the server (default: $KUBECONFIG, or else ./"+DefaultKubeconfig+")")
	flags.String("context", "", "context of the kubeconfig (default: the current context)")
	flags.StringP("namespace", "n", "", "namespace (default: the namespace of the context)")
}

// FlagsOf returns the values of a verb's flags. The value of a flag that the verb does not have is empty.
func FlagsOf(verb *cobra.Command) *Flags {
	value := func(name string) string {
		flag := verb.Flags().Lookup(name)
		if flag == nil {
			return ""
		}
		return flag.Value.String()
	}
	return &Flags{Kubeconfig: value("kubeconfig"), Context: value("context"), Namespace: value("namespace")}
}

// Given returns the flags of AddFlags that the user set for a verb, in the order in which a next command has them.
func Given(verb *cobra.Command) []*pflag.Flag {
	var given []*pflag.Flag
	for _, name := range []string{"kubeconfig", "context", "namespace"} {
		if flag := verb.Flags().Lookup(name); flag != nil && flag.Changed {
			given = append(given, flag)
		}
	}
	return given
}

// Connection is a client with the namespace that verbs use.
type Connection struct {
	versioned.Interface
	Namespace string
	// Config is the configuration of the client.
	Config *rest.Config
}

// NewVerb makes a verb of a command: it adds Flags, and connects to the server before it calls run. PreRunE can refuse flags and
// arguments before that.
func NewVerb(command *cobra.Command, run func(verb *cobra.Command, connection *Connection, args []string) error) *cobra.Command {
	AddFlags(command)
	command.RunE = func(verb *cobra.Command, args []string) error {
		connection, err := FlagsOf(verb).Connect(verb.ErrOrStderr())
		if err != nil {
			return err
		}
		return run(verb, connection, args)
	}
	return command
}

// Connect makes a client of the server that the flags, the environment and the working directory name. Warnings of the
// server are written to the given writer.
func (f *Flags) Connect(warnings io.Writer) (*Connection, error) {
	rules, err := f.loadingRules(IsPlugin(os.Args[0]), os.Getenv(clientcmd.RecommendedConfigPathEnvVar))
	if err != nil {
		return nil, err
	}
	loaded, err := load(rules, f.Context)
	if err != nil {
		return nil, err
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: f.Context}
	overrides.Context.Namespace = f.Namespace
	// Not the deferred loader: inside a pod that one would fall back to the cluster it runs in.
	chosen := clientcmd.NewNonInteractiveClientConfig(*loaded, f.Context, overrides, rules)
	config, err := chosen.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", nameOf(rules), err)
	}
	namespace, _, err := chosen.Namespace()
	if err != nil {
		return nil, fmt.Errorf("read the namespace of kubeconfig %s: %w", nameOf(rules), err)
	}
	if !IsPlugin(os.Args[0]) {
		reportConnection(config, nameOf(rules))
	}
	config.WarningHandler = rest.NewWarningWriter(warnings, rest.WarningWriterOptions{Deduplicate: true})
	clients, err := versioned.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("create a client: %w", err)
	}
	return &Connection{Interface: clients, Namespace: namespace, Config: config}, nil
}

// loadingRules chooses the kubeconfig: the flag, the environment (a list of files), the working directory's; or kubectl's
// own choice for its plugin.
func (f *Flags) loadingRules(plugin bool, environment string) (*clientcmd.ClientConfigLoadingRules, error) {
	if plugin {
		rules := clientcmd.NewDefaultClientConfigLoadingRules()
		rules.ExplicitPath = f.Kubeconfig
		return rules, nil
	}
	if err := CheckKubeconfig(f.Kubeconfig, environment); err != nil {
		return nil, err
	}
	switch {
	case f.Kubeconfig != "":
		return &clientcmd.ClientConfigLoadingRules{ExplicitPath: f.Kubeconfig}, nil
	case environment != "":
		return &clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(environment)}, nil
	}
	return &clientcmd.ClientConfigLoadingRules{ExplicitPath: DefaultKubeconfig}, nil
}

// IsPlugin reports whether a program has the name of the kubectl plugin.
func IsPlugin(program string) bool {
	return strings.TrimSuffix(filepath.Base(program), ".exe") == PluginName
}
