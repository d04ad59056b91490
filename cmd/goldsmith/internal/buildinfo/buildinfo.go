// SPDX-License-Identifier: Apache-2.0

// Package buildinfo is the verb that prints the version of the program, and the versions that the program was built
// with.
package buildinfo

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
	kubernetes "k8s.io/component-base/version"
	"sigs.k8s.io/yaml"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/builder/kubeversion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// information is the output of -o.
type information struct {
	Version           string `json:"version"`
	GoVersion         string `json:"goVersion"`
	Platform          string `json:"platform"`
	KubernetesVersion string `json:"kubernetesVersion"`
	APIGroupVersion   string `json:"apiGroupVersion"`
}

// NewCommand returns the verb for a program of the given version.
func NewCommand(version string) *cobra.Command {
	format := ""
	command := &cobra.Command{
		Use:   "version",
		Short: "Print the version of goldsmith",
		Long: "Print the version. With -o, also print the versions of Go and Kubernetes that goldsmith was built " +
			"with, the platform, and the group and version of the API. The command needs no server.",
		Example: "  goldsmith version\n" +
			"  goldsmith version -o yaml",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			out := command.OutOrStdout()
			if format == "" {
				_, err := fmt.Fprintf(out, "%s %s\n", command.Root().Name(), version)
				return err
			}
			if err := kubeversion.Set(); err != nil {
				return err
			}
			known := &information{
				Version: version, GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
				KubernetesVersion: kubernetes.Get().GitVersion, APIGroupVersion: v1alpha1.SchemeGroupVersion.String(),
			}
			return known.print(format, out)
		},
	}
	command.Flags().StringVarP(&format, "output", "o", "", "output `format`: json or yaml")
	err := command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{output.JSON, output.YAML}, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // cannot fail: the line above adds the flag
	}
	return command
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
		return fmt.Errorf("-o %q: must be %s or %s", format, output.JSON, output.YAML)
	}
	if err != nil {
		return fmt.Errorf("encode the version as %s: %w", format, err)
	}
	_, err = out.Write(text)
	return err
}
