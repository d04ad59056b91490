// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"math"
	"testing"
	"time"
)

func TestDurationsCanHaveDays(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"7d": 7 * day, "0d": 0, "1d12h": 36 * time.Hour, "1d1h30m0.5s": day + 90*time.Minute + 500*time.Millisecond, "3650d": 87600 * time.Hour,
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "0": 0, "-1h": -time.Hour, "1.5h": 90 * time.Minute,
		"106751d23h47m16.854775807s": math.MaxInt64, "9223372036854775807ns": math.MaxInt64,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: got %s, want %s: %v", text, got, want, err)
		}
	}
	for _, text := range []string{
		"", "d", "7", "7D", "7 d", " 7d", "-7d", "+7d", "1.5d", "12h1d", "1d1d", "1dd", "1d12", "1d-1h", "1d+1h", "2w", "7days", "1_0d", "soon",
		"106751d23h47m16.854775808s", "106752d", "18446744073709551616d",
	} {
		if got, err := ParseDuration(text); err == nil || got != 0 {
			t.Errorf("%q: got %s, want an error", text, got)
		}
	}
}
