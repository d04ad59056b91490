// SPDX-License-Identifier: Apache-2.0

package kubectl

import (
	"bytes"
	"context"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	kubectl "k8s.io/kubectl/pkg/cmd"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
)

// complete asks kubectl for completions, as the completion script of a shell does. Without a server, there are no names
// of objects.
func complete(ctx context.Context, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if !client.IsPlugin(os.Args[0]) {
		if err := chooseKubeconfig(); err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
	}
	var out bytes.Buffer
	root := kubectl.NewKubectlCommand(kubectl.KubectlOptions{
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard},
	})
	root.SetOut(&out)
	root.SetErr(io.Discard)
	root.SetArgs(append(append([]string{cobra.ShellCompRequestCmd}, args...), begun))
	if err := root.ExecuteContext(ctx); err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	last := lines[len(lines)-1] // the last line has a colon and the directive
	directive, err := strconv.Atoi(strings.TrimPrefix(last, ":"))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return lines[:len(lines)-1], cobra.ShellCompDirective(directive)
}
