// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/artifacts"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/build"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/builders"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/buildinfo"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/cancel"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/changes"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/completion"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/console"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/diff"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/explain"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/firstimage"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/history"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/keys"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/kinds"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/kubectl"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/logs"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/notes"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/packages"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/plan"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/promote"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/queue"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/rerun"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/revoke"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/schema"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/show"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/stats"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/status"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/suspend"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/verify"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/vulnerabilities"
	"goldsmith.dev/goldsmith/cmd/internal/buildversion"
	"goldsmith.dev/goldsmith/cmd/internal/flagvalue"
)

// version is set by the linker, or empty.
var version string

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "goldsmith",
		Short:         "Golden images, declared in Kubernetes",
		Version:       buildversion.Get(version),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	if client.IsPlugin(os.Args[0]) {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl goldsmith"}
	}
	root.DisableSuggestions = true // explainUnknownVerb makes suggestions
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return fmt.Errorf("%w: see `%s --help`", flagvalue.Explain(err), command.CommandPath())
	})
	root.PersistentFlags().Bool(output.NoColor, false, "output without colours, as with $NO_COLOR")
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	addGroup(root, "Start", onLinux("up", useOtherServer), onLinux("demo", useOtherServer), firstimage.NewCommand())
	addGroup(root, "Look",
		console.NewCommand(),
		logs.NewCommand(),
		status.NewCommand(),
		show.NewCommand(),
		artifacts.NewCommand(),
		packages.NewCommand(),
		vulnerabilities.NewCommand(),
		verify.NewCommand(),
		queue.NewCommand(),
		plan.NewCommand(),
		diff.NewCommand(),
		history.NewCommand(),
		stats.NewCommand(),
		changes.NewCommand(),
		notes.NewCommand(),
		builders.NewCommand(),
		kinds.NewCommand(),
		explain.NewCommand(),
	)
	addGroup(root, "Act",
		build.NewCommand(),
		onLinux("boot", bootElsewhere),
		onLinux("test", testElsewhere),
		rerun.NewCommand(),
		cancel.NewCommand(),
		promote.NewCommand(),
		revoke.NewCommand(),
		revoke.NewUndoCommand(),
		suspend.NewCommand(),
		suspend.NewResumeCommand(),
	)
	addGroup(root, operate,
		kubectl.NewCommand(),
		onLinux("backup", useOtherMachine),
		onLinux("restore", useOtherMachine),
		onLinux("user", useOtherMachine),
		keys.NewCommand(),
		schema.NewCommand(),
		buildinfo.NewCommand(root.Version),
	)
	root.AddCommand(newManualCommand())
	root.SetHelpCommandGroupID(operate)
	wrapHelp(root)
	for _, verb := range root.Commands() {
		for _, command := range append(verb.Commands(), verb) {
			if err := completion.Flags(command); err != nil {
				panic(err) // only of flags that the command has
			}
		}
	}
	return root
}
