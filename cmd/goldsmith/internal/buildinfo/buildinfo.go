// SPDX-License-Identifier: Apache-2.0

// Package buildinfo is the verb that prints the versions of the program and of its server. It must never fail because of the server.
package buildinfo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	apiversion "k8s.io/apimachinery/pkg/version"
	kubernetes "k8s.io/component-base/version"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder/kubeversion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// patience is how long the verb waits for the server.
const patience = 5 * time.Second

// information is the output of -o. Fields that kubectl prints too have the names that kubectl gives them.
type information struct {
	ClientVersion clientVersion  `json:"clientVersion"`
	ServerVersion *serverVersion `json:"serverVersion,omitempty"`
}

type clientVersion struct {
	GitVersion        string `json:"gitVersion"`
	GoVersion         string `json:"goVersion"`
	Platform          string `json:"platform"`
	KubernetesVersion string `json:"kubernetesVersion"`
	APIGroupVersion   string `json:"apiGroupVersion"`
}

type serverVersion struct {
	GitVersion string `json:"gitVersion"`
	// KubernetesVersion is that of kube-apiserver in a cluster, and else that of the libraries of the server.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
}

// NewCommand returns the verb for a program of the given version.
func NewCommand(version string) *cobra.Command {
	format, only := "", false
	command := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of goldsmith and of its server",
		Long: "Print the versions of goldsmith and of the server. With -o, also print the versions of Go and Kubernetes that goldsmith was built " +
			"with, the platform, the group and version of the API, and the Kubernetes version of the server. Without a server, a line on stderr " +
			"explains why, and the command succeeds. A warning on stderr tells if the minor versions differ by more than one. Snapshots count as the minor " +
			"version that their version begins with. The command does not compare a commit or \"devel\".",
		Example: "  goldsmith version\n" +
			"  goldsmith version --client -o yaml",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if format != "" && format != output.JSON && format != output.YAML {
				return fmt.Errorf("-o %q: must be %s or %s", format, output.JSON, output.YAML)
			}
			if err := kubeversion.Set(); err != nil {
				return err
			}
			known := &information{ClientVersion: clientVersion{
				GitVersion: version, GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
				KubernetesVersion: kubernetes.Get().GitVersion, APIGroupVersion: v1alpha1.SchemeGroupVersion.String(),
			}}
			notice := ""
			if !only {
				asked, err := askServer(command, format != "")
				switch {
				case command.Context().Err() != nil:
					return command.Context().Err()
				case err != nil:
					notice = fmt.Sprintf("no server version: %v", err)
				default:
					known.ServerVersion, notice = asked, skew(version, asked.GitVersion)
				}
			}
			if err := known.print(format, command.OutOrStdout()); err != nil {
				return err
			}
			if notice != "" {
				command.PrintErrln(notice)
			}
			return nil
		},
	}
	client.AddFlags(command)
	command.Flags().BoolVar(&only, "client", false, "version of goldsmith only, without a request to a server")
	command.Flags().StringVarP(&format, "output", "o", "", "output `format`: json or yaml")
	err := command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{output.JSON, output.YAML}, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // cannot fail: the line above adds the flag
	}
	return command
}

// askServer asks the server that the flags of the verb select for its version, and for that of Kubernetes too if kube is set.
func askServer(command *cobra.Command, kube bool) (*serverVersion, error) {
	connection, err := client.FlagsOf(command).Connect(command.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(command.Context(), patience)
	defer cancel()
	version, err := connection.ServerVersion(ctx)
	if err != nil {
		return nil, err
	}
	asked := &serverVersion{GitVersion: version}
	if kube {
		found := apiversion.Info{}
		raw, err := connection.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
		if err == nil && json.Unmarshal(raw, &found) == nil { // not every user of a cluster can read it
			asked.KubernetesVersion = found.GitVersion
		}
	}
	return asked, nil
}

func (i *information) print(format string, out io.Writer) error {
	var text []byte
	var err error
	switch format {
	case output.JSON:
		text, err = json.MarshalIndent(i, "", "    ")
		text = append(text, '\n')
	case output.YAML:
		text, err = yaml.Marshal(i)
	default:
		text = fmt.Appendf(text, "Client Version: %s\n", i.ClientVersion.GitVersion)
		if i.ServerVersion != nil {
			text = fmt.Appendf(text, "Server Version: %s\n", i.ServerVersion.GitVersion)
		}
	}
	if err != nil {
		return fmt.Errorf("encode the version as %s: %w", format, err)
	}
	_, err = out.Write(text)
	return err
}
