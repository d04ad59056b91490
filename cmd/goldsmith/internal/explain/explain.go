// SPDX-License-Identifier: Apache-2.0

// Package explain is the verb that explains a reason. It needs a server only for reasons of builders that do not ship with Goldsmith. The
// tables of docs/reasons.md and docs/reference/debian.md are generated from the same texts.
package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/client"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// nearest is the maximum number of letters in which a suggested reason differs.
const nearest = 2

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "explain [REASON]",
		Short: "Explain the reason of a failure, a condition or an event",
		Long: "Explain the reason of a failure, a condition or an event: its meaning, whether the build is retried, " +
			"and what to do. REASON is case-insensitive, and can also be CLASS/REASON, or a reason of a builder. " +
			"Without REASON, the command lists all reasons except those of your own builders. The command asks the server " +
			"only about a reason that is neither of Goldsmith nor of a builder that ships with it.",
		Example: "  goldsmith explain OOMKilled\n" +
			"  goldsmith explain",
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return completions(entries(), begun), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(command *cobra.Command, args []string) error {
			all := entries()
			if len(args) == 0 {
				return list(all, command.OutOrStdout())
			}
			if len(entriesOf(all, args[0])) > 0 {
				return describe(entriesOf(all, args[0]), command.OutOrStdout())
			}
			more, err := registered(command)
			if found := entriesOf(more, args[0]); len(found) > 0 {
				return describe(found, command.OutOrStdout())
			}
			return unknown(append(all, more...), args[0], err)
		},
	}
	client.AddFlags(command)
	return command
}

// registered returns an entry for each reason of the builders that the server has. Other reasons are explained without a server, so that
// the command is no client.NewVerb.
func registered(command *cobra.Command) ([]entry, error) {
	connection, err := client.FlagsOf(command).Connect(command.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	return ofServer(command.Context(), connection)
}

// list writes all reasons as a table, in the order of the page.
func list(entries []entry, out io.Writer) error {
	var rows [][]any
	for i := range entries {
		rows = append(rows, []any{entries[i].reason, entries[i].reporter, entries[i].meaning})
	}
	return output.Table([]string{"Reason", "Reported by", "Meaning"}, rows, out)
}

// entriesOf returns the entries of one reason, which several conditions and builders may have.
func entriesOf(entries []entry, asked string) []entry {
	return slices.DeleteFunc(slices.Clone(entries), func(of entry) bool { return !strings.EqualFold(of.reason, bareReason(asked)) })
}

// bareReason returns the reason of CLASS/REASON, which commands print.
func bareReason(asked string) string {
	if _, reason, found := strings.Cut(asked, "/"); found {
		return reason
	}
	return asked
}

// describe writes everything about entries.
func describe(entries []entry, out io.Writer) error {
	lines := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	line := func(label, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(lines, "%s\t%s\n", label, value) // its errors are kept until it is flushed
		}
	}
	for i := range entries {
		of := &entries[i]
		if i > 0 {
			_, _ = fmt.Fprintln(lines)
		}
		line("REASON", of.reason)
		line("reported by", of.reporter)
		line("meaning", of.meaning)
		line("what to do", of.remedy)
		line("retry", of.retry)
	}
	return lines.Flush()
}

// unknown returns the error for an unknown reason, with reasons of similar names. unread is why the reasons of the server's builders are not known,
// or nil.
func unknown(entries []entry, asked string, unread error) error {
	reason := bareReason(asked)
	similar := &cobra.Command{SuggestionsMinimumDistance: nearest} // it compares the names of its commands
	for _, name := range names(entries) {
		similar.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
	}
	hint := ""
	if suggestions := similar.SuggestionsFor(reason); len(suggestions) > 0 {
		hint = "did you mean " + strings.Join(suggestions, " or ") + "? "
	}
	const lists = "`goldsmith explain` lists all reasons, except those of your own builders"
	if unread != nil {
		return fmt.Errorf("unknown reason %q: %s%s, which could not be read: %w", reason, hint, lists, unread)
	}
	return fmt.Errorf("unknown reason %q: %s%s, which `goldsmith builders NAME` lists", reason, hint, lists)
}

// names returns each reason once, in the order of the page.
func names(entries []entry) []string {
	var all []string
	for i := range entries {
		if !slices.Contains(all, entries[i].reason) {
			all = append(all, entries[i].reason)
		}
	}
	return all
}

// completions returns the reasons that begin with a text in upper or lower case, each with a meaning.
func completions(entries []entry, begun string) []string {
	var fitting []string
	for _, name := range names(entries) {
		if len(name) < len(begun) || !strings.EqualFold(name[:len(begun)], begun) {
			continue
		}
		first := slices.IndexFunc(entries, func(of entry) bool { return of.reason == name })
		fitting = append(fitting, cobra.CompletionWithDesc(name, entries[first].meaning))
	}
	return fitting
}
