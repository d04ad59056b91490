// SPDX-License-Identifier: Apache-2.0

package limits_test

import (
	"testing"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/cmd/internal/limits"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/queue"
)

func TestFlagsSayTheLimits(t *testing.T) {
	for name, test := range map[string]struct {
		arguments []string
		want      queue.Limits
		err       string
	}{
		"none":     {},
		"both":     {arguments: []string{"--max-builds=7", "--max-builds-per-namespace=2"}, want: queue.Limits{Builds: 7, PerNamespace: 2}},
		"negative": {arguments: []string{"--max-builds=-1"}, err: "--max-builds -1: must be 0 (no limit) or greater"},
		"negative for namespaces": {arguments: []string{"--max-builds-per-namespace=-3"},
			err: "--max-builds-per-namespace -3: must be 0 (no limit) or greater"},
	} {
		t.Run(name, func(t *testing.T) {
			given, flags := &limits.Flags{}, pflag.NewFlagSet("", pflag.ContinueOnError)
			given.AddTo(flags, "no limit")
			require.NoError(t, flags.Parse(test.arguments))
			got, err := given.Read()
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("the error is %v", err)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("the limits are %+v: %v", got, err)
			}
		})
	}
}
