// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/cmd/goldsmith/internal/kubectl"
)

// explainUnknownVerb adds the verb that is meant, or the help that lists all, to cobra's error for an unknown verb. It passes on all other
// errors.
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
	if kubectl.Has(verb) {
		return fmt.Errorf("unknown verb %q: kubectl has it: use `%s kubectl %[1]s ...`", verb, parent)
	}
	root.SuggestionsMinimumDistance = 2
	var similar []string
	for _, name := range root.SuggestionsFor(verb) {
		similar = append(similar, fmt.Sprintf("`%s %s`", parent, name))
	}
	if len(similar) > 0 {
		help = fmt.Sprintf("did you mean %s? If not, %s", strings.Join(similar, " or "), help)
	}
	return errors.New(fmt.Sprintf("unknown verb %q: ", verb) + help)
}
