// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/cmd/internal/policy"
	"goldsmith.dev/goldsmith/e2e/require"
)

func read(t *testing.T, args ...string) (apiserver.Policy, error) {
	t.Helper()
	flags, set := &policy.Flags{}, pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.AddTo(set)
	require.NoError(t, set.Parse(args))
	return flags.Read()
}

func TestFlags(t *testing.T) {
	if got, err := read(t); err != nil || got != (apiserver.Policy{}) {
		t.Errorf("by default: %+v, %v", got, err)
	}
	want := apiserver.Policy{Kueue: true, MaxLogBytes: 1 << 20, MaxLogRetention: 30 * 24 * time.Hour, MaxRecordRetention: 2 * time.Hour, MaxHistory: 5, MaxParametersBytes: 100}
	got, err := read(t, "--kueue", "--max-log-bytes=1Mi", "--max-log-retention=30d", "--max-record-retention=2h", "--max-history=5", "--max-parameters-bytes=100")
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAFlagThatMakesNoSenseIsNamed(t *testing.T) {
	for _, flag := range []string{"--max-log-bytes=much", "--max-log-bytes=-1", "--max-log-retention=-1h", "--max-history=-1"} {
		name, _, _ := strings.Cut(flag, "=")
		if _, err := read(t, flag); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
