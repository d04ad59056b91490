// SPDX-License-Identifier: Apache-2.0

package history

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// choice is the value of a flag: empty, or one of the values that the API defines. Users can write the value in any case, but the
// server requires the exact spelling.
type choice struct {
	values []string
	chosen string
}

func outcomes() choice {
	return choice{values: texts(v1alpha1.BuildSucceeded, v1alpha1.BuildFailed, v1alpha1.BuildCancelled, v1alpha1.BuildPending, v1alpha1.BuildQueued,
		v1alpha1.BuildStarting, v1alpha1.BuildRunning, v1alpha1.BuildRetrying, v1alpha1.BuildTesting, v1alpha1.BuildCancelling)}
}

func triggers() choice {
	return choice{values: texts(v1alpha1.TriggerCreated, v1alpha1.TriggerSpecChange, v1alpha1.TriggerBaseChange, v1alpha1.TriggerSchedule,
		v1alpha1.TriggerManual, v1alpha1.TriggerRerun, v1alpha1.TriggerTestsChange, v1alpha1.TriggerPackageChange, v1alpha1.TriggerSourceChange)}
}

func texts[Value ~string](values ...Value) (texts []string) {
	for _, value := range values {
		texts = append(texts, string(value))
	}
	return texts
}

// addTo adds the flag to a verb, with the completion of its values.
func (c *choice) addTo(command *cobra.Command, name, usage string) {
	command.Flags().Var(c, name, usage+": "+c.list())
	if err := command.RegisterFlagCompletionFunc(name, c.complete); err != nil {
		panic(err) // cannot fail: the line above adds the flag
	}
}

func (c *choice) complete(_ *cobra.Command, _ []string, begun string) (fitting []string, directive cobra.ShellCompDirective) {
	for _, value := range c.values {
		if len(value) >= len(begun) && strings.EqualFold(value[:len(begun)], begun) {
			fitting = append(fitting, value)
		}
	}
	return fitting, cobra.ShellCompDirectiveNoFileComp
}

// Set accepts a value in any case, and refuses unknown values.
func (c *choice) Set(text string) error {
	i := slices.IndexFunc(c.values, func(value string) bool { return strings.EqualFold(value, text) })
	if i < 0 {
		return fmt.Errorf("must be %s", c.list())
	}
	c.chosen = c.values[i]
	return nil
}

// String returns the value in the spelling of the API.
func (c *choice) String() string {
	return c.chosen
}

// Type returns the name of the value in the usage of the flag.
func (c *choice) Type() string {
	return "string"
}

func (c *choice) list() string {
	last := len(c.values) - 1
	return strings.Join(c.values[:last], ", ") + " or " + c.values[last]
}
