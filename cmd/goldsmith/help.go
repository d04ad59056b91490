// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/kubectl/pkg/util/term"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// helpWidth is the maximum width of --help, and the width of an output of unknown width.
const helpWidth = 100

// operate is the title of the group that also has the verbs that cobra adds.
const operate = "Operate"

// addGroup adds verbs that --help lists below a title of their own.
func addGroup(root *cobra.Command, title string, verbs ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title + ":"})
	for _, verb := range verbs {
		verb.GroupID = title
	}
	root.AddCommand(verbs...)
}

// addCompletionCommand adds cobra's command for completion scripts, with help in the form of the verbs' help. The command writes to
// the current output of the root.
func addCompletionCommand(root *cobra.Command) {
	root.SetCompletionCommandGroupID(operate)
	root.InitDefaultCompletionCmd()
	for _, command := range root.Commands() {
		if command.Name() == "completion" {
			command.Short = "Print a completion script for a shell"
			command.Long = command.Short + ". `goldsmith completion SHELL --help` shows how to load the script."
			command.Example = "  source <(goldsmith completion bash)\n" +
				"  goldsmith completion fish | source"
		}
	}
}

// wrapHelp lets the lines of --help end at the width of the terminal.
func wrapHelp(root *cobra.Command) {
	help, usage := root.HelpFunc(), root.UsageTemplate()
	root.SetHelpFunc(func(command *cobra.Command, args []string) {
		width := widthOf(command.OutOrStdout())
		var long strings.Builder
		_, _ = io.WriteString(term.NewWordWrapWriter(&long, width), command.Long) // a Builder returns no error
		command.Long = long.String()
		root.SetUsageTemplate(strings.ReplaceAll(usage, "FlagUsages", fmt.Sprintf("FlagUsagesWrapped %d", width)))
		help(command, args)
	})
}

// widthOf returns the width of --help for an output.
func widthOf(out io.Writer) uint {
	if size := (term.TTY{Out: output.Terminal(out)}).GetSize(); size != nil && size.Width > 0 {
		return min(uint(size.Width), helpWidth)
	}
	return helpWidth
}
