// SPDX-License-Identifier: Apache-2.0

package history

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"goldsmith.dev/goldsmith/apis/constants"
	"goldsmith.dev/goldsmith/e2e/require"
)

func TestChoicesAreThoseOfTheAPI(t *testing.T) {
	for prefix, offered := range map[string]choice{"Build": outcomes(), "Trigger": triggers()} {
		kind := map[string]string{"Build": "BuildPhase", "Trigger": "TriggerReason"}[prefix]
		declared, err := constants.In(filepath.Join("..", "..", "..", "..", "apis", "images", "v1alpha1"), func(of, _ string) bool { return of == kind })
		require.NoError(t, err)
		var want []string
		for _, value := range declared {
			want = append(want, value)
		}
		slices.Sort(want)
		if got := slices.Sorted(slices.Values(offered.values)); len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", kind, got, want)
		}
	}
}

func TestAChoiceIsMadeInAnyCase(t *testing.T) {
	for text, want := range map[string]string{
		"Failed": "Failed", "failed": "Failed", "FAILED": "Failed",
		"":     "error: must be Succeeded, Failed, Cancelled, Pending, Queued, Starting, Running, Retrying, Testing or Cancelling",
		"Good": "error: must be Succeeded, Failed, Cancelled, Pending, Queued, Starting, Running, Retrying, Testing or Cancelling",
		"Fail": "error: must be Succeeded, Failed, ",
	} {
		outcome := outcomes()
		err := outcome.Set(text)
		if message, isError := strings.CutPrefix(want, "error: "); isError {
			if err == nil || !strings.HasPrefix(err.Error(), message) || outcome.String() != "" {
				t.Errorf("%q: got %q, error %v, want %q", text, &outcome, err, message)
			}
			continue
		}
		if err != nil || outcome.String() != want {
			t.Errorf("%q: got %q, error %v", text, &outcome, err)
		}
	}
}

func TestChoicesAreCompletedInAnyCase(t *testing.T) {
	offered := triggers()
	for begun, want := range map[string][]string{
		"s": {"SpecChange", "Schedule", "SourceChange"}, "SP": {"SpecChange"}, "Manual": {"Manual"}, "Manually": nil,
		"": {"Created", "SpecChange", "BaseChange", "Schedule", "Manual", "Rerun", "TestsChange", "PackageChange", "SourceChange"},
	} {
		if got, directive := offered.complete(nil, nil, begun); !slices.Equal(got, want) || directive != cobra.ShellCompDirectiveNoFileComp {
			t.Errorf("%q: got %q, %d", begun, got, directive)
		}
	}
}
