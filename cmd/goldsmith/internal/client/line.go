// SPDX-License-Identifier: Apache-2.0

package client

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/shellword"
)

// Line returns the command line of a verb with other arguments and the flags that the user set, for a shell.
func Line(verb *cobra.Command, args []string) string {
	words := []string{verb.CommandPath()}
	for _, arg := range args {
		words = append(words, shellword.Quote(arg))
	}
	verb.Flags().Visit(func(flag *pflag.Flag) {
		values := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			word := "--" + flag.Name
			if flag.NoOptDefVal == "" || value != flag.NoOptDefVal {
				word += "=" + shellword.Quote(value)
			}
			words = append(words, word)
		}
	})
	return strings.Join(words, " ")
}
