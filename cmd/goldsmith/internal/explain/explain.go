// SPDX-License-Identifier: Apache-2.0

// Package explain is the verb that explains a reason. It needs no server. The tables of docs/reasons.md
// and docs/debian.md are generated from the same texts.
package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/builders/debian"
	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/output"
)

// nearest is the maximum number of letters in which a suggested reason differs.
const nearest = 2

// NewCommand returns the verb.
func NewCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [REASON]",
		Short: "Explain the reason of a failure, a condition or an event",
		Long: "Explain the reason of a failure, a condition or an event: its meaning, whether the build is retried, " +
			"and what to do. REASON is case-insensitive, and can also be CLASS/REASON, or a reason of the builder debian. " +
			"Without REASON, the command lists all reasons. The command needs no server.",
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
			return describe(all, args[0], command.OutOrStdout())
		},
	}
}

// list writes all reasons as a table, in the order of the page.
func list(entries []entry, out io.Writer) error {
	var rows [][]any
	for i := range entries {
		rows = append(rows, []any{entries[i].reason, entries[i].reporter, entries[i].meaning})
	}
	return output.Table([]string{"Reason", "Reported by", "Meaning"}, rows, out)
}

// describe writes everything about one reason, which several conditions may have.
func describe(entries []entry, asked string, out io.Writer) error {
	_, reason, found := strings.Cut(asked, "/") // commands print failures as CLASS/REASON
	if !found {
		reason = asked
	}
	lines := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	line := func(label, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(lines, "%s\t%s\n", label, value) // its errors are kept until it is flushed
		}
	}
	described := false
	for i := range entries {
		of := &entries[i]
		if !strings.EqualFold(of.reason, reason) {
			continue
		}
		if described {
			_, _ = fmt.Fprintln(lines)
		}
		line("REASON", of.reason)
		line("reported by", of.reporter)
		line("meaning", of.meaning)
		line("what to do", of.remedy)
		line("retry", of.retry)
		described = true
	}
	if !described {
		return unknown(entries, reason)
	}
	return lines.Flush()
}

// OfFailure returns the reason of a failed build that tells most, and what to do about it, as one line: that of the builder debian, or else
// that of the status. The remedy is empty if there is nothing to do.
func OfFailure(build *v1alpha1.ImageBuild) (reason, remedy string) {
	failure := build.Status.Failure
	reason, remedy = string(failure.Reason), failure.Reason.Remedy()
	if build.Spec.Inputs.Builder.Name == debian.Name {
		word, _, _ := strings.Cut(failure.Message, ":")
		for _, of := range debian.Reasons() {
			if of.Word == word {
				reason, remedy = of.Word, of.Remedy
			}
		}
	}
	if remedy != "" {
		remedy = plain(remedy)
	}
	return reason, remedy
}

// unknown returns the error for an unknown reason, with reasons of similar names.
func unknown(entries []entry, reason string) error {
	similar := &cobra.Command{SuggestionsMinimumDistance: nearest} // it compares the names of its commands
	for _, name := range names(entries) {
		similar.AddCommand(&cobra.Command{Use: name, Run: func(*cobra.Command, []string) {}})
	}
	hint := ""
	if suggestions := similar.SuggestionsFor(reason); len(suggestions) > 0 {
		hint = "did you mean " + strings.Join(suggestions, " or ") + "? "
	}
	return fmt.Errorf("unknown reason %q: %s`goldsmith explain` lists all reasons, except those of your own builders", reason, hint)
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
