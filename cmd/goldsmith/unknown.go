// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/kubectl"
)

// synonyms are verbs of other tools, with the equivalent command lines of goldsmith. All other verbs of kubectl belong to kubectl.
var synonyms = map[string][]string{
	"create":   {"init IMAGE", "kubectl create -f FILE"},
	"describe": {"show NAME", "kubectl describe image IMAGE"},
	"list":     {"kubectl get images", "history IMAGE"},
	"ls":       {"kubectl get images", "history IMAGE"},
	"pause":    {"suspend IMAGE"},
	"retry":    {"rerun BUILD", "build IMAGE"},
	"run":      {"build IMAGE"},
	"start":    {"build IMAGE", "up"},
	"stop":     {"cancel BUILD", "suspend IMAGE"},
	"tail":     {"logs NAME --follow"},
	"top":      {"status --watch", "stats IMAGE"},
	"trigger":  {"build IMAGE"},
	"unpause":  {"resume IMAGE"},
	"watch":    {"status --watch", "kubectl get imagebuilds --watch"},
}

// refuseUnknownSubcommands makes verbs that only have subcommands end with an error, and not with their help alone, if a name is mistyped: a
// script would take "user remvoe" for a removal.
func refuseUnknownSubcommands(root *cobra.Command) {
	for _, verb := range root.Commands() {
		if verb.HasSubCommands() && !verb.Runnable() {
			verb.Args, verb.DisableFlagsInUseLine = cobra.NoArgs, true
			verb.RunE = func(command *cobra.Command, _ []string) error { return command.Help() }
		}
	}
}

// explainUnknownVerb adds the likely verb, or the help that lists all verbs, to cobra's error for an unknown verb. It returns all
// other errors unchanged.
func explainUnknownVerb(root *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	var verb, parent string // cobra has no type for this error
	if n, _ := fmt.Sscanf(err.Error(), "unknown command %q for %q", &verb, &parent); n != 2 {
		return err
	}
	help := fmt.Sprintf("see `%s --help`", parent)
	if parent != root.CommandPath() {
		return fmt.Errorf("%w: %s", err, help)
	}
	lines := func(of []string) string { return "`" + parent + " " + strings.Join(of, "` or `"+parent+" ") + "`" }
	if known := synonyms[verb]; len(known) > 0 {
		return fmt.Errorf("unknown verb %q: use %s", verb, lines(known))
	}
	if kubectl.Has(verb) {
		return fmt.Errorf("unknown verb %q: kubectl has it: use `%s kubectl %[1]s ...`", verb, parent)
	}
	root.SuggestionsMinimumDistance = 2
	if similar := root.SuggestionsFor(verb); len(similar) > 0 {
		help = fmt.Sprintf("did you mean %s? If not, %s", lines(similar), help)
	}
	return fmt.Errorf("unknown verb %q: %s", verb, help)
}
