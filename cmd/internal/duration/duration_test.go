// SPDX-License-Identifier: Apache-2.0

package duration

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/e2e/require"
)

func TestFlagsTakeDays(t *testing.T) {
	var none, year time.Duration
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Var(flags, &none, "none", 0, "kept for")
	Var(flags, &year, "year", 365*24*time.Hour, "valid for")
	if help := flags.FlagUsages(); !strings.Contains(help, "--none duration   kept for\n") || !strings.Contains(help, "--year duration   valid for (default 8760h0m0s)\n") {
		t.Errorf("got %q", help)
	}
	require.NoError(t, flags.Parse([]string{"--none", "7d", "--year=90m"}))
	if none != 7*24*time.Hour || year != 90*time.Minute {
		t.Errorf("got %s and %s", none, year)
	}
	const want = `invalid argument "2w" for "--year" flag: must be a duration such as 90s, 30m, 2h or 7d`
	if err := flags.Parse([]string{"--year", "2w"}); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
